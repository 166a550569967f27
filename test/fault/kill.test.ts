// kill -9 in the middle of a replay: what was acknowledged is there, once, in every tier.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { signToken } from "../../core/token/sign.ts";
import type { HistoryAnswer, RawPoint } from "../../schemas/query.ts";
import { readLocalSecret } from "../../scripts/local-secret.ts";
import { freePort, ServerProcess } from "./server-process.ts";

const TENANT = "fault";
const HOUR_MS = 3_600_000;
const T0 = Date.UTC(2026, 4, 1);
const DEVICES = ["fault-1", "fault-2", "fault-3"];
const REPORTS = 120;
const KILL_AT = [40, 80];

const tokenOf = async (role: "gateway" | "admin") =>
  await signToken({ tenant: TENANT, role, ttlSeconds: 3_600 }, await readLocalSecret(), Date.now());

/** One report of every device each half hour of recorded time, so that blocks are sealed and sent all the while. */
const bodyOf = (i: number) =>
  DEVICES.map((device, n) => ({ device, at: T0 + (i * HOUR_MS) / 2 + n, metrics: { level: i + n / 10 } }));

/** Posts until it is acknowledged, however often the server goes away meanwhile. */
async function postUntilAcknowledged(url: string, i: number, token: string): Promise<void> {
  for (const deadline = Date.now() + 60_000; Date.now() < deadline; await sleep(100)) {
    const headers = {
      authorization: `Bearer ${token}`,
      "content-type": "application/json",
      "telltale-clock": String(T0 + (i * HOUR_MS) / 2),
    };
    const request = {
      method: "POST",
      headers,
      body: JSON.stringify(bodyOf(i)),
      signal: AbortSignal.timeout(10_000),
    };
    const answer = await fetch(`${url}/v1/telemetry`, request).catch(() => undefined);
    if (answer !== undefined && answer.status < 500) {
      const { refused } = (await answer.json()) as { refused: number };
      expect(refused).toBe(0);
      return;
    }
  }
  throw new Error(`report ${i} was never acknowledged`);
}

async function rawPoints(
  url: string,
  device: string,
  source: "hot" | "cold",
  token: string,
): Promise<RawPoint[]> {
  const query = new URLSearchParams({
    metric: "level",
    from: String(T0),
    to: String(T0 + REPORTS * HOUR_MS),
    resolution: "raw",
    source,
  });
  const answer = await fetch(`${url}/v1/devices/${device}/history?${query}`, {
    headers: { authorization: `Bearer ${token}` },
  });
  expect(answer.status).toBe(200);
  return ((await answer.json()) as HistoryAnswer).points as RawPoint[];
}

async function warmCount(url: string, device: string, token: string): Promise<number> {
  const query = new URLSearchParams({
    metric: "level",
    from: String(T0),
    to: String(T0 + REPORTS * HOUR_MS),
    resolution: "1d",
    source: "warm",
  });
  const answer = await fetch(`${url}/v1/devices/${device}/history?${query}`, {
    headers: { authorization: `Bearer ${token}` },
  });
  const { points } = (await answer.json()) as { points: { count: number }[] };
  return points.reduce((sum, { count }) => sum + count, 0);
}

/** Both at once: they mostly wait for what the queue forgot to be sent again. */
it.concurrent.each([
  { left: "and its runtime", leaveRuntime: false },
  { left: "leaving its runtime as an orphan on the port", leaveRuntime: true },
])(
  "[D6] [D13] [S2] kill -9 of the server $left: every acknowledged reading is there once, and what the queue forgot still reaches D1 and R2",
  async ({ leaveRuntime }) => {
    const state = await mkdtemp(join(tmpdir(), "telltale-fault-"));
    const server = new ServerProcess(await freePort(), state);
    try {
      await server.start();
      await playThroughKills(server, leaveRuntime);
    } finally {
      await server.stop();
      await rm(state, { recursive: true, force: true });
    }
  },
  180_000,
);

async function playThroughKills(server: ServerProcess, leaveRuntime: boolean): Promise<void> {
  const { url } = server;
  const gateway = await tokenOf("gateway");
  const admin = await tokenOf("admin");
  // The cron goes by the wall clock, by which all of this is half a year old and leaves D1 for the archive.
  const kept = { retention: { rawDays: 7, hourlyDays: 100_000, archiveDays: null } };
  const headers = { authorization: `Bearer ${admin}`, "content-type": "application/json" };
  const changed = await fetch(`${url}/v1/tenant`, { method: "PUT", headers, body: JSON.stringify(kept) });
  expect(changed.status).toBe(200);
  let restarting: Promise<void> | undefined;
  for (let i = 0; i < REPORTS; i++) {
    if (KILL_AT.includes(i)) {
      await restarting;
      restarting = (leaveRuntime ? server.killLeavingRuntime() : server.kill()).then(() => server.start());
    }
    await postUntilAcknowledged(url, i, gateway);
  }
  await restarting;
  for (const device of DEVICES) {
    const sealed = await fetch(`${url}/v1/devices/${device}/seal`, { method: "POST", headers });
    expect(sealed.status).toBe(200);
  }
  for (const [n, device] of DEVICES.entries()) {
    const expected = Array.from({ length: REPORTS }, (_, i) => bodyOf(i)[n]!).map(({ at, metrics }) => ({
      at,
      value: metrics.level,
    }));
    expect(await rawPoints(url, device, "hot", admin)).toEqual(expected);
    const deadline = Date.now() + 60_000;
    while ((await warmCount(url, device, admin)) < REPORTS && Date.now() < deadline) await sleep(500);
    expect(await warmCount(url, device, admin)).toBe(REPORTS);
    expect(await rawPoints(url, device, "cold", admin)).toEqual(expected);
  }
}
