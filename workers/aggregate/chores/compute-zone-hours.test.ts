import { env } from "cloudflare:test";
import { beforeEach, expect, it, vi } from "vitest";
import { decodeBlock } from "../../../core/block/decode.ts";
import { summarise } from "../../../core/window/summary.ts";
import {
  mergeZoneHours,
  packZoneMetrics,
  unpackZoneMetrics,
  type ZoneHour,
} from "../../../core/window/zone-hour.ts";
import { FLEET } from "../../../schemas/tables.ts";
import { blockMessageOf, HOUR_MS, T0 } from "../../test-support.ts";
import type { AggregateEnv } from "../env.ts";
import { storeBlocks } from "../queues/store-blocks.ts";
import { computeZoneHours } from "./compute-zone-hours.ts";
import { ZONES_A_PAGE } from "./gather-fleet-hours.ts";

const aggregateEnv = env as unknown as AggregateEnv;
// What an earlier file's queue still delivers leaves marks of its own.
beforeEach(async () => void (await env.WARM_0.prepare("DELETE FROM dirty_hour").run()));

type Points = [at: number, value: number][];

async function store(
  tenant: string,
  device: string,
  zone: string,
  readings: Record<string, Points>,
  { startMs = T0, revision = 1, lengthMs = HOUR_MS } = {},
): Promise<void> {
  const message = blockMessageOf(tenant, device, startMs, readings, revision, lengthMs);
  await storeBlocks(env.WARM_0, env.COLD, [{ ...message, zone, block: decodeBlock(message.block) }]);
}

const compute = (database = env.WARM_0, untilMs = Number.POSITIVE_INFINITY) =>
  computeZoneHours({ env: { ...aggregateEnv, WARM_0: database }, cursor: "", untilMs });

async function hourOf(tenant: string, zone: string, hourMs = T0): Promise<ZoneHour | undefined> {
  const row = await env.WARM_0.prepare(
    "SELECT devices, readings, metrics FROM zone_hour WHERE tenant = ? AND zone = ? AND hour_ms = ?",
  )
    .bind(tenant, zone, hourMs)
    .first<{ devices: number; readings: number; metrics: string }>();
  return row === null ? undefined : { ...row, ...unpackZoneMetrics(row.metrics) };
}

const marksOf = async (tenant: string) =>
  (
    await env.WARM_0.prepare(
      "SELECT zone, hour_ms, taken_by FROM dirty_hour WHERE tenant = ? ORDER BY zone, hour_ms",
    )
      .bind(tenant)
      .all<{ zone: string; hour_ms: number; taken_by: number }>()
  ).results;

/** The figures of the hour of these readings, which must be in the order of devices and time. */
const figures = (devices: number, values: number[]) => {
  const { count, min, max, sum, squares } = summarise(
    values.map((_, i) => i),
    values,
  );
  return { devices, summary: { count, min, max, sum, squares } };
};

it("[S11] [S12] the hours of zones and fleet are those of their devices' readings, and the day is to be exported", async () => {
  await store("hours", "d1", "north", {
    a: [
      [T0, 1],
      [T0 + 1_000, 2],
    ],
    b: [[T0, 9]],
  });
  await store("hours", "d2", "north", { a: [[T0 + 5, 4]] });
  await store("hours", "d3", "south", { a: [[T0 + 7, -8]] });
  expect((await marksOf("hours")).map(({ zone }) => zone)).toEqual(["north", "south"]);
  expect(await compute()).toBe("");
  expect(await marksOf("hours")).toEqual([]);
  const north = (await hourOf("hours", "north"))!;
  expect(north).toMatchObject({ devices: 2, readings: 4 });
  expect(north.metrics.get("a")).toMatchObject(figures(2, [1, 2, 4]));
  expect(north.metrics.get("b")).toMatchObject(figures(1, [9]));
  const fleet = (await hourOf("hours", FLEET))!;
  expect(fleet).toMatchObject({ devices: 3, readings: 5 });
  expect(fleet.metrics.get("a")).toMatchObject(figures(3, [1, 2, 4, -8]));
  const day = await env.WARM_0.prepare(
    "SELECT date, dirty, revision FROM archive_day WHERE tenant = 'hours'",
  ).all();
  expect(day.results).toEqual([{ date: "2026-11-22", dirty: 1, revision: 0 }]);
});

it("[S11] a late reading and a correction change the hour, and nothing is ever added twice", async () => {
  await store("late", "d1", "z", {
    a: [
      [T0, 1],
      [T0 + 9, 3],
    ],
  });
  await store("late", "d2", "z", { a: [[T0, 10]] });
  await compute();
  const second: Points = [
    [T0, 1],
    [T0 + 5, 7],
    [T0 + 9, 2],
  ];
  await store("late", "d1", "z", { a: second }, { revision: 2 });
  await compute();
  await compute();
  for (const zone of ["z", FLEET]) {
    expect((await hourOf("late", zone))!.metrics.get("a")).toMatchObject(figures(2, [1, 7, 2, 10]));
  }
});

it("[S11] a device counts once in an hour however many blocks it has there, and in every hour a long block spans", async () => {
  await store("parts", "d1", "z", { a: [[T0, 1]] });
  await store("parts", "d1", "z", { a: [[T0 + 900_000, 2]] }, { startMs: T0 + 900_000 });
  await store(
    "parts",
    "d2",
    "z",
    {
      a: [
        [T0 + 2, 5],
        [T0 + HOUR_MS + 2, 6],
      ],
    },
    { lengthMs: 2 * HOUR_MS },
  );
  await compute();
  expect(await hourOf("parts", "z")).toMatchObject({ devices: 2, readings: 3 });
  expect((await hourOf("parts", "z", T0 + HOUR_MS))!.metrics.get("a")).toMatchObject(figures(1, [6]));
});

it("[S11] [X2] a stored block that is cut, its later part stored first: no hour is left counted twice", async () => {
  const hour = (n: number): Points =>
    Array.from({ length: 4 }, (_, i) => [T0 + n * HOUR_MS + i * 60_000, n + i]);
  const whole = [0, 1, 2, 3].flatMap(hour);
  const lengthMs = 4 * HOUR_MS;
  await store("cut", "d1", "z", { a: whole }, { lengthMs });
  await compute();
  const cutMs = T0 + 2 * HOUR_MS;
  const later = whole.filter(([at]) => at >= cutMs);
  await store("cut", "d1", "z", { a: later }, { startMs: cutMs, revision: 2, lengthMs: lengthMs / 2 });
  await compute();
  const earlier = whole.filter(([at]) => at < cutMs);
  await store("cut", "d1", "z", { a: earlier }, { revision: 2, lengthMs: lengthMs / 2 });
  await compute();
  for (const n of [0, 1, 2, 3]) {
    const values = hour(n).map(([, value]) => value);
    for (const zone of ["z", FLEET]) {
      expect((await hourOf("cut", zone, T0 + n * HOUR_MS))!.metrics.get("a")).toMatchObject(
        figures(1, values),
      );
    }
  }
});

it("[S11] a device that moved leaves its old hours where they were, and a correction of them goes there", async () => {
  await store("moved", "d1", "old", { a: [[T0, 1]] });
  await store("moved", "d1", "new", { a: [[T0 + HOUR_MS, 2]] }, { startMs: T0 + HOUR_MS });
  await store("moved", "d1", "new", { a: [[T0, 7]] }, { revision: 2 });
  await compute();
  expect((await hourOf("moved", "old"))!.metrics.get("a")).toMatchObject(figures(1, [7]));
  expect(await hourOf("moved", "new")).toBeUndefined();
  expect((await hourOf("moved", "new", T0 + HOUR_MS))!.metrics.get("a")).toMatchObject(figures(1, [2]));
});

it("[S11] a block stored while the hour is computed keeps the mark, and the next turn has it", async () => {
  await store("raced", "d1", "z", { a: [[T0, 1]] });
  const batch = async (statements: D1PreparedStatement[]) => {
    await store("raced", "d2", "z", { a: [[T0, 2]] });
    return await env.WARM_0.batch(statements);
  };
  const prepare = env.WARM_0.prepare.bind(env.WARM_0);
  await compute({ prepare, batch } as unknown as D1Database);
  expect(await hourOf("raced", "z")).toBeUndefined();
  expect(await marksOf("raced")).toEqual([{ zone: "z", hour_ms: T0, taken_by: 0 }]);
  await compute();
  expect((await hourOf("raced", "z"))!.metrics.get("a")).toMatchObject(figures(2, [1, 2]));
});

it("[S11] two that compute the same hour at once: the hour is right and no mark is left behind", async () => {
  await store("both", "d1", "z", { a: [[T0, 1]] });
  await Promise.all([compute(), compute(), compute()]);
  await store("both", "d2", "z", { a: [[T0, 2]] });
  await Promise.all([compute(), compute()]);
  await compute();
  expect(await marksOf("both")).toEqual([]);
  expect((await hourOf("both", FLEET))!.metrics.get("a")).toMatchObject(figures(2, [1, 2]));
});

it("[S11] an hour whose rollups are gone is no longer there", async () => {
  await store("gone", "d1", "z", { a: [[T0, 1]] });
  await compute();
  await env.WARM_0.batch([
    env.WARM_0.prepare("DELETE FROM rollup WHERE tenant = 'gone'"),
    env.WARM_0.prepare(
      "INSERT INTO dirty_hour (tenant, zone, hour_ms, taken_by) VALUES ('gone', 'z', ?, 0)",
    ).bind(T0),
  ]);
  await compute();
  expect([await hourOf("gone", "z"), await hourOf("gone", FLEET)]).toEqual([undefined, undefined]);
});

it("[S11] an hour that cannot be computed costs the others nothing, and its mark stays", async () => {
  const logged = vi.spyOn(console, "error").mockImplementation(() => undefined);
  await store("broken", "d1", "z", { a: [[T0, 1]] });
  await store("broken", "d1", "z", { a: [[T0 + HOUR_MS, 2]] }, { startMs: T0 + HOUR_MS });
  await env.WARM_0.prepare("UPDATE rollup SET summaries = '{' WHERE tenant = 'broken' AND start_ms = ?")
    .bind(T0)
    .run();
  expect(await compute()).toBe("");
  expect(await hourOf("broken", "z", T0 + HOUR_MS)).toMatchObject({ devices: 1 });
  expect((await marksOf("broken")).map(({ hour_ms }) => hour_ms)).toEqual([T0]);
  expect(logged).toHaveBeenCalledOnce();
  logged.mockRestore();
  await env.WARM_0.prepare("DELETE FROM dirty_hour WHERE tenant = 'broken'").run();
});

it("[S11] [S37] a block of a day that D1 has given up is in the archive, and no hour is computed from it alone", async () => {
  await store("given-up", "d1", "z", { a: [[T0, 1]] });
  await store("given-up", "d2", "z", { a: [[T0, 2]] });
  await compute();
  const before = await hourOf("given-up", "z");
  await env.WARM_0.batch([
    env.WARM_0.prepare("DELETE FROM rollup WHERE tenant = 'given-up'"),
    env.WARM_0.prepare("INSERT INTO retained VALUES ('given-up', ?, 2, 0, 0, 0)").bind(T0 + 24 * HOUR_MS),
  ]);
  await store("given-up", "d1", "z", { a: [[T0, 1]] });
  await compute();
  expect(await marksOf("given-up")).toEqual([]);
  expect(await hourOf("given-up", "z")).toEqual(before);
});

it("[S11] a turn that runs out of time says so, and the next goes on", async () => {
  await store("slow", "d1", "z", { a: [[T0, 1]] });
  expect(await compute(env.WARM_0, 0)).not.toBe("");
  expect(await hourOf("slow", "z")).toBeUndefined();
  expect(await compute()).toBe("");
  expect(await hourOf("slow", "z")).toMatchObject({ devices: 1 });
});

/** The database, and how often it was asked for rollups and given hours. */
function counting(): { database: D1Database; asked: () => { pages: number; batches: number } } {
  let pages = 0;
  let batches = 0;
  const prepare = (sql: string) => {
    if (sql.includes("known (device)")) pages += 1;
    return env.WARM_0.prepare(sql);
  };
  const batch = (statements: D1PreparedStatement[]) => {
    batches += 1;
    return env.WARM_0.batch(statements);
  };
  return {
    database: { prepare, batch } as unknown as D1Database,
    asked: () => ({ pages, batches }),
  };
}

it("[S24] the dirty hours of a day are computed together: devices are looked through once, however many hours there are", async () => {
  const hours = Array.from(
    { length: 30 },
    (_, n) => Math.floor(T0 / (24 * HOUR_MS)) * 24 * HOUR_MS + n * HOUR_MS,
  );
  for (const device of ["d1", "d2"]) {
    for (const [n, startMs] of hours.entries()) {
      await store("together", device, "z", { a: [[startMs, n]] }, { startMs });
    }
  }
  const { database, asked } = counting();
  expect(await compute(database)).toBe("");
  // Two days: a page of devices and an empty one each; a batch for the zone and one for the fleet each.
  expect(asked()).toEqual({ pages: 4, batches: 4 });
  for (const zone of ["z", FLEET]) {
    for (const [n, hourMs] of hours.entries()) {
      expect((await hourOf("together", zone, hourMs))!.metrics.get("a")).toMatchObject(figures(2, [n, n]));
    }
  }
  expect(await marksOf("together")).toEqual([]);
});

it("[S24] what a turn has no time for is given up from the last hour on, and the next goes on there", async () => {
  const now = vi.spyOn(Date, "now");
  const hours = [0, 1, 2, 3].map((n) => T0 + n * HOUR_MS);
  for (const startMs of hours) await store("narrow", "d1", "z", { a: [[startMs, 1]] }, { startMs });
  // Time is up as soon as a chunk has begun: the round, the turn, the share and the chunk have looked at it.
  for (let looks = 0; looks < 4; looks++) now.mockReturnValueOnce(0);
  now.mockReturnValue(10);
  const cursor = await compute(env.WARM_0, 5);
  now.mockRestore();
  expect(JSON.parse(cursor)).toMatchObject({
    places: [["narrow", { hourMs: hours[1], isFleet: false }]],
  });
  expect((await marksOf("narrow")).map(({ zone, hour_ms }) => [zone, hour_ms])).toEqual([
    [FLEET, hours[0]],
    [FLEET, hours[1]],
    ["z", hours[2]],
    ["z", hours[3]],
  ]);
  const untilMs = Number.POSITIVE_INFINITY;
  expect(await computeZoneHours({ env: aggregateEnv, cursor, untilMs })).toBe("");
  expect(await marksOf("narrow")).toEqual([]);
  for (const hourMs of hours) expect(await hourOf("narrow", FLEET, hourMs)).toMatchObject({ devices: 1 });
});

it("[S24] of an hour with more zones than a page of marks each is computed", async () => {
  await env.WARM_0.prepare(
    "INSERT INTO dirty_hour (tenant, zone, hour_ms, taken_by) SELECT 'many', 'z' || value, ?1, 0 FROM json_each(?2)",
  )
    .bind(T0, JSON.stringify(Array.from({ length: 1_200 }, (_, n) => n)))
    .run();
  await store("many", "d1", "z1199", { a: [[T0, 1]] });
  expect(await compute()).toBe("");
  expect(await marksOf("many")).toEqual([]);
  expect(await hourOf("many", FLEET)).toMatchObject({ devices: 1 });
});

/** Writes the hours of so many zones as if they were computed, each of one device with a metric of its own and one of all. */
async function fillZones(tenant: string, zones: number, bytesOfAName = 0): Promise<ZoneHour[]> {
  const hours = Array.from({ length: zones }, (_, n): ZoneHour => {
    const summary = summarise([0, 1], [n / 3, 0.1]);
    const metrics = new Map(
      ["common", `own-${n}${"x".repeat(bytesOfAName)}`].map((metric) => [
        metric,
        { devices: 1, votes: 500_000, summary },
      ]),
    );
    return { devices: 1, readings: 4, metrics, leftOut: 0 };
  });
  const rows = hours.map((hour, n) => [`z${String(n).padStart(5, "0")}`, packZoneMetrics(hour)]);
  for (let i = 0; i < rows.length; i += 20) {
    await env.WARM_0.prepare(
      `INSERT INTO zone_hour (tenant, zone, hour_ms, devices, readings, metrics)
       SELECT ?1, value ->> 0, ?2, 1, 4, value ->> 1 FROM json_each(?3)`,
    )
      .bind(tenant, T0, JSON.stringify(rows.slice(i, i + 20)))
      .run();
  }
  await env.WARM_0.prepare("INSERT INTO dirty_hour (tenant, zone, hour_ms, taken_by) VALUES (?1, ?2, ?3, 0)")
    .bind(tenant, FLEET, T0)
    .run();
  return hours;
}

it.each([
  ["a page", ZONES_A_PAGE, 0, 2],
  ["more than a page", 2 * ZONES_A_PAGE + 1, 0, 3],
  ["many bytes", 60, 20_000, 1],
])(
  "[S12] [S50] the fleet's hour of %s of zones is theirs to the last bit, read a page and a megabyte at a time",
  async (name, zones, bytesOfAName, pages) => {
    const tenant = `paged-${name.replaceAll(" ", "-")}`;
    const expected = mergeZoneHours(await fillZones(tenant, zones, bytesOfAName))!;
    let asked = 0;
    let bytesAtOnce = 0;
    const prepare = (sql: string) => {
      if (sql.includes("known (zone)") && sql.includes("octet_length")) asked += 1;
      const statement = env.WARM_0.prepare(sql);
      if (!sql.includes("own.metrics FROM")) return statement;
      const bind = (...values: unknown[]) => {
        const read = statement.bind(...values);
        const all = async () => {
          const answer = await read.all<{ metrics: string }>();
          bytesAtOnce = Math.max(
            bytesAtOnce,
            answer.results.reduce((sum, { metrics }) => sum + metrics.length, 0),
          );
          return answer;
        };
        return { all };
      };
      return { bind } as unknown as D1PreparedStatement;
    };
    const batch = (statements: D1PreparedStatement[]) => env.WARM_0.batch(statements);
    expect(await compute({ prepare, batch } as unknown as D1Database)).toBe("");
    expect(await hourOf(tenant, FLEET)).toEqual(unpacked(expected));
    expect(asked).toBe(pages);
    expect(bytesAtOnce).toBeGreaterThan(0);
    expect(bytesAtOnce).toBeLessThanOrEqual(1_000_000);
  },
);

const unpacked = (hour: ZoneHour): ZoneHour => ({ ...hour, ...unpackZoneMetrics(packZoneMetrics(hour)) });
