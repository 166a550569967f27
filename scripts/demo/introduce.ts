// The demo's stations → the registry: zone, name, model, position.
import { backoffMs, isTransient, sleep } from "../replay/retry.ts";
import { STATION_MODEL, STATIONS, type Station } from "./stations.ts";

export interface IntroduceOptions {
  url: string;
  adminToken: string;
  signal: AbortSignal;
  log(line: string): void;
}

/** `PUT /v1/devices/:device` for each, until the server is there to take it; a refusal is logged and left at that. */
export async function introduceStations(options: IntroduceOptions): Promise<void> {
  const refusals = (await Promise.all(STATIONS.map((station) => introduce(station, options)))).filter(
    Boolean,
  );
  if (refusals.length > 0) options.log(`${refusals.length} stations stay without a zone: ${refusals[0]}`);
}

async function introduce(
  station: Station,
  { url, adminToken, signal }: IntroduceOptions,
): Promise<string | undefined> {
  const { device, zone, name, latitude, longitude } = station;
  const profile = { zone, name, model: STATION_MODEL, location: { latitude, longitude } };
  for (let attempt = 1; !signal.aborted; attempt++) {
    try {
      const response = await fetch(`${url}/v1/devices/${encodeURIComponent(device)}`, {
        method: "PUT",
        headers: { authorization: `Bearer ${adminToken}`, "content-type": "application/json" },
        body: JSON.stringify(profile),
        signal,
      });
      const answer = await response.text();
      if (response.ok) return undefined;
      if (!isTransient(response.status)) return `${response.status} ${answer.slice(0, 200)}`;
    } catch {
      // not listening yet
    }
    await sleep(backoffMs(attempt, undefined, Math.random()), signal);
  }
  return undefined;
}
