// Telltale as `startLocal` runs it, and devices whose hours pass in a moment: their blocks fill as in the field.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { signToken } from "../../core/token/sign.ts";
import type { LocalRun } from "../../scripts/local-run.ts";
import { startedBy } from "./cpu.ts";
import { loadHttp } from "./http-load.ts";
import { atOf, metricsText } from "./reports.ts";

export const TENANT = "bench";

export interface BenchRun {
  run: LocalRun;
  pids: number[];
  /** The folder of its D1, R2 and objects. */
  state: string;
  stop(): Promise<void>;
}

/** Sealing and resending as deployed; only the clock is the benchmark's. */
export const DEPLOYED_VARS = {
  SEAL_SPREAD_MS: "3000000",
  OUTBOX_RESEND_MS: "900000",
  OUTBOX_SLACK_MS: "4800000",
};

/** On a fresh state folder of its own, removed at the end. `isDirect`: past Miniflare's entry. */
export async function startTelltale({ isDirect = false } = {}): Promise<BenchRun> {
  const state = await mkdtemp(join(tmpdir(), "telltale-bench-"));
  const { started: run, pids } = await startedBy(() => start(state, isDirect));
  const stop = async () => {
    await run.stop();
    await rm(state, { recursive: true, force: true });
  };
  return { run, pids, state, stop };
}

async function start(state: string, isDirect = false): Promise<LocalRun> {
  // wrangler and Miniflare take a second or more to load: a usage is not to wait for them.
  const { startLocal } = await import("../../scripts/local-run.ts");
  const run = await startLocal({
    ...{ port: 0, state, split: false, tenant: TENANT },
    ...{ vars: DEPLOYED_VARS, quiet: true, isDirect },
  });
  await unlimited(run.url, run.secret);
  return run;
}

/** Takes the limits of the bench's tenant away: what is measured is what the code can do. */
async function unlimited(url: string, secret: string): Promise<void> {
  const token = await signToken({ tenant: TENANT, role: "admin", ttlSeconds: 3_600 }, secret, Date.now());
  const body = JSON.stringify({ limits: { reportsPerSecondPerDevice: null } });
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  const response = await fetch(`${url}/v1/tenant`, { method: "PUT", headers, body });
  if (!response.ok) throw new Error(`PUT /v1/tenant: ${response.status} ${await response.text()}`);
}

/** Makes the databases of a state folder. */
export async function migrate(state: string): Promise<void> {
  await (await start(state)).stop();
}

/** A device that makes reports one after another, 10 s apart on its clock. */
export interface BenchDevice {
  name: string;
  token: string;
  /** Reports made so far. */
  made: number;
}

export async function makeDevices(
  secret: string,
  prefix: string,
  count: number,
  tenant = TENANT,
): Promise<BenchDevice[]> {
  return await Promise.all(
    Array.from({ length: count }, async (_, index) => {
      const name = `${prefix}-${index}`;
      const subject = { tenant, role: "device", device: name, ttlSeconds: TOKEN_TTL_SECONDS } as const;
      return { name, token: await signToken(subject, secret, Date.now()), made: 0 };
    }),
  );
}

/** The clock of a run gets years ahead. */
const TOKEN_TTL_SECONDS = 3_650 * 86_400;

/** The next request of a device: one report, or an array of several; its clock is the newest one's. */
export function telemetryRequest(path: string, device: BenchDevice, reports: number): string {
  const texts = Array.from({ length: reports }, () => reportText(device.made++));
  const body = reports === 1 ? texts[0]! : `[${texts.join()}]`;
  return (
    `POST ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer ${device.token}\r\n` +
    `content-type: application/json\r\ntelltale-clock: ${atOf(device.made - 1)}\r\ncontent-length: ${body.length}\r\n\r\n${body}`
  );
}

const reportText = (n: number) => `{"at":${atOf(n)},"metrics":${metricsText(n)}}`;

/** The next frame of a device, numbered from 0 on each socket; it is received when it was made. */
export function reportFrame(device: BenchDevice, seq: number): string {
  const n = device.made++;
  return `{"type":"report","seq":${seq},"clockMs":${atOf(n)},"at":${atOf(n)},"metrics":${metricsText(n)}}`;
}

/** Asks for the acknowledgement of what is held. */
export const FLUSH_FRAME = '{"type":"flush"}';

/** Where a device connects, and with what. */
export interface Connection {
  url: string;
  headers: Record<string, string>;
}

export function connectionOf(url: string, device: BenchDevice, commitEveryMs: number): Connection {
  return {
    url: `${url}/v1/connect?commitEveryMs=${commitEveryMs}`,
    headers: { authorization: `Bearer ${device.token}`, "telltale-clock": String(atOf(device.made)) },
  };
}

/** How many reports of a socket an acknowledgement covers; `before` for frames that say nothing of it; undefined: a problem. */
export function acknowledged(text: string, before: number): number | undefined {
  const seq = /^\{"type":"ack","seq":(\d+)/.exec(text)?.[1];
  if (seq !== undefined) return Number(seq) + 1;
  return text.includes('"problem"') ? undefined : before;
}

/** One report of each device, and time for the registry and zone to hear of them: what happens once in a device's life. */
export async function introduce(url: string, devices: readonly BenchDevice[]): Promise<void> {
  let next = 0;
  const request = () => {
    const device = devices[next++];
    return device === undefined ? undefined : telemetryRequest("/v1/telemetry", device, 1);
  };
  const { failure } = await loadHttp({
    url,
    connections: Math.min(8, devices.length),
    durationMs: 60_000,
    next: request,
  });
  if (failure !== undefined) throw new Error(`a device could not introduce itself: ${failure}`);
  await sleep(500 + 5 * devices.length);
}
