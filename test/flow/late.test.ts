// Late readings and corrections, days after their hour was stored: every tier and every aggregate follows.
import { expect, it } from "vitest";
import type { FleetHistoryAnswer } from "../../schemas/query.ts";
import type { TenantClient } from "./tenant-client.ts";
import { eachTopology, type ServerUnderTest } from "./topology.ts";
import { until } from "./until.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** A midnight five days ago: the day is over, and D1 still keeps its hours. */
const T0 = Math.floor(Date.now() / DAY_MS - 5) * DAY_MS;
const DEVICES = ["late-1", "late-2"];
type Readings = Record<string, Map<number, number>>;

const post = (client: TenantClient, receivedAt: number, readings: Readings) => {
  const reports = Object.entries(readings).flatMap(([device, own]) =>
    [...own].map(([at, value]) => ({ device, at, metrics: { level: value } })),
  );
  return client.send(reports, undefined, { "telltale-clock": String(receivedAt) });
};

const windowsOf = async (
  client: TenantClient,
  path: string,
  source?: string,
): Promise<FleetHistoryAnswer["points"]> => {
  const query = new URLSearchParams({
    metric: "level",
    from: `${T0}`,
    to: `${T0 + DAY_MS}`,
    resolution: "1h",
  });
  if (source !== undefined) query.set("source", source);
  const { status, body } = await client.get(`${path}?${query}`);
  expect(status).toBe(200);
  return (body as FleetHistoryAnswer).points;
};

/** What an hour of these values is to be, in whatever tier. */
const figures = (startMs: number, values: number[]) => ({
  startMs,
  count: values.length,
  min: Math.min(...values),
  max: Math.max(...values),
  sum: values.reduce((sum, value) => sum + value, 0),
});

function expected(readings: Readings, devices: readonly string[]) {
  const own = devices.flatMap((device) => [...readings[device]!]);
  const hours = Map.groupBy(own, ([at]) => Math.floor(at / HOUR_MS) * HOUR_MS);
  return [...hours]
    .sort(([a], [b]) => a - b)
    .map(([startMs, of]) =>
      figures(
        startMs,
        of.map(([, value]) => value),
      ),
    );
}

/** Seals everything, waits until it is stored, and lets the cron tick. */
async function settle({ run }: ServerUnderTest, client: TenantClient): Promise<void> {
  for (const device of DEVICES) {
    await until(`${device} stored`, async () => {
      const { body } = await client.seal(device);
      return (body as { pending: number }).pending === 0 ? true : undefined;
    });
  }
  await run.tick();
}

async function expectEverywhere(client: TenantClient, readings: Readings): Promise<void> {
  for (const device of DEVICES) {
    for (const source of ["hot", "warm"]) {
      expect(await windowsOf(client, `/v1/devices/${device}/history`, source)).toMatchObject(
        expected(readings, [device]),
      );
    }
    const raw = await client.history(device, {
      metric: "level",
      from: T0,
      to: T0 + DAY_MS,
      resolution: "raw",
      source: "cold",
    });
    const sorted = [...readings[device]!].sort(([a], [b]) => a - b);
    expect(raw.points).toEqual(sorted.map(([at, value]) => ({ at, value })));
  }
  for (const path of ["/v1/fleet/history", "/v1/zones/default/history"]) {
    expect(await windowsOf(client, path)).toMatchObject(expected(readings, DEVICES));
  }
}

eachTopology((server) => {
  it("[D11] [S4] [S11] [S12] [S15] late readings and corrections reach D1, zone, fleet, the archive and its hours", async () => {
    const client = server.tenant("late");
    const readings: Readings = { "late-1": new Map(), "late-2": new Map() };
    for (let i = 0; i < 36; i++) {
      for (const [n, device] of DEVICES.entries()) readings[device]!.set(T0 + i * 600_000, i + n * 100);
    }
    await post(client, T0 + 6 * HOUR_MS, readings);
    await settle(server, client);
    await expectEverywhere(client, readings);

    // Two days on: readings between those that are stored, a correction of one of them, and one of a new hour.
    const later: Readings = {
      "late-1": new Map([
        [T0 + 300_000, -50],
        [T0 + 600_000, 0.5],
        [T0 + 8 * HOUR_MS, 7],
      ]),
      "late-2": new Map([[T0 + 2 * HOUR_MS + 1, 1_000]]),
    };
    const now = T0 + 2 * DAY_MS;
    await post(client, now, { "late-1": new Map([[now, 1]]), "late-2": new Map([[now, 1]]) });
    const verdicts = await post(client, now, later);
    expect(verdicts).toMatchObject({ late: 3, corrected: 1, refused: 0 });
    for (const [device, own] of Object.entries(later))
      for (const [at, value] of own) readings[device]!.set(at, value);
    await settle(server, client);
    await expectEverywhere(client, readings);
    for (const device of DEVICES) {
      expect(await windowsOf(client, `/v1/devices/${device}/history`, "cold")).toMatchObject(
        expected(readings, [device]),
      );
    }
  });

  it("[D3] [D15] [D23] a clock that falls back a year is refused with the horizon and poisons nothing; a day back is late and flagged", async () => {
    const client = server.tenant("clock");
    const at = T0 + 10 * DAY_MS;
    const send = (receivedAt: number, instant: number, value: number) =>
      client.send({ at: instant, metrics: { level: value } }, "jumpy", {
        "telltale-clock": String(receivedAt),
      });
    expect(await send(at, at, 1)).toMatchObject({ stored: 1 });
    const refused = await client.post(
      JSON.stringify({ at: at - 365 * DAY_MS, metrics: { level: 99 } }),
      "jumpy",
      {
        "telltale-clock": String(at + 1_000),
      },
    );
    expect(JSON.stringify(refused.body)).toMatch(/too_old.*7 days/);
    expect(await send(at + 2_000, at - DAY_MS, 2)).toMatchObject({ late: 1 });
    expect(await send(at + 3_000, at + 3_500, 3)).toMatchObject({ stored: 1 });
    const { metrics, clock } = await client.latest("jumpy");
    expect(metrics.level).toMatchObject({ at: at + 3_500, value: 3, clock: "ahead" });
    expect(clock).toEqual({ behind: 1, ahead: 1 });
    expect(await send(at + 4_000, at + 4_000, 4)).toMatchObject({ stored: 1 });
  });
});
