// Devices played → their open blocks sealed, so that the last hour reaches D1 and R2 without waiting.
import { CLOCK_HEADER } from "./door.ts";
import { backoffMs, isTransient, sleep } from "./retry.ts";
import type { Tally } from "./tally.ts";

const CONCURRENT_SEALS = 8;
const TRIES = 5;

export interface SealOptions {
  url: string;
  adminToken: string;
  /** The local server's clock, where it follows the recording. */
  clockMs?: number;
  signal: AbortSignal;
}

/** `POST /v1/devices/:device/seal` for each; a server without that address (404) is no failure. */
export async function sealDevices(
  devices: Iterable<string>,
  tally: Tally,
  options: SealOptions,
): Promise<void> {
  const waiting = [...devices];
  const lane = async () => {
    for (
      let device = waiting.shift();
      device !== undefined && !options.signal.aborted;
      device = waiting.shift()
    ) {
      const status = await sealDevice(device, options);
      if (status >= 200 && status < 300) tally.seals.sealed++;
      else if (status === 404) tally.seals.notFound++;
      else tally.seals.failed++;
    }
  };
  await Promise.all(Array.from({ length: CONCURRENT_SEALS }, lane));
}

async function sealDevice(
  device: string,
  { url, adminToken, clockMs, signal }: SealOptions,
): Promise<number> {
  const headers: Record<string, string> = { authorization: `Bearer ${adminToken}` };
  if (clockMs !== undefined) headers[CLOCK_HEADER] = String(Math.floor(clockMs));
  for (let attempt = 1; ; attempt++) {
    const address = `${url}/v1/devices/${encodeURIComponent(device)}/seal`;
    const status = await fetch(address, { method: "POST", headers }).then(
      async (response) => {
        await response.arrayBuffer(); // lets the connection be used again
        return response.status;
      },
      () => 503,
    );
    if (!isTransient(status) || attempt >= TRIES || signal.aborted) return status;
    await sleep(backoffMs(attempt, undefined, Math.random()), signal);
  }
}
