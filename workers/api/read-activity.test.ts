import { env } from "cloudflare:test";
import { expect, it, vi } from "vitest";
import { decodeBlock } from "../../core/block/decode.ts";
import { sealedToMs } from "../../core/history/fleet-merger.ts";
import type { ActivityAnswer } from "../../schemas/query.ts";
import { computeZoneHours } from "../aggregate/chores/compute-zone-hours.ts";
import { exportHours } from "../aggregate/chores/export-hours.ts";
import type { AggregateEnv } from "../aggregate/env.ts";
import { storeBlocks } from "../aggregate/queues/store-blocks.ts";
import { changeSettings } from "../tenant.ts";
import { blockMessageOf, HOUR_MS, problem, T0 } from "../test-support.ts";
import { answerOf, ask, register } from "./api-test-support.ts";
import { ARCHIVED_ROWS_MAX, rowsByDevice } from "./count-archived.ts";

vi.setConfig({ testTimeout: 60_000 });

const DAY_MS = 24 * HOUR_MS;
const DAY = T0 - (T0 % DAY_MS) - 3 * DAY_MS;
const clock = { headers: { "telltale-clock": String(T0) } };

type Readings = Record<string, [at: number, value: number][]>;

/** Stores a block of so many hours. */
async function store(
  tenant: string,
  device: string,
  startMs: number,
  readings: Readings,
  hours = 1,
  revision = 1,
) {
  const message = blockMessageOf(tenant, device, startMs, readings, revision, hours * HOUR_MS);
  await storeBlocks(env.WARM_0, env.COLD, [{ ...message, block: decodeBlock(message.block) }]);
}

const readingsAt = (...instants: number[]) => instants.map((at): [number, number] => [at, 1]);

const asked = (tenant: string, query: string, bindings = {}) =>
  ask(tenant, "viewer", `/v1/tenant/activity?${query}`, { ...clock, bindings });
const activity = (tenant: string, query: string, bindings = {}) =>
  answerOf<ActivityAnswer>(asked(tenant, query, bindings));
const range = (fromMs: number, toMs: number) => `from=${fromMs}&to=${toMs}`;

it("[Q40] readings and metrics are counted by hour and by day, also of blocks of several hours and of other writings", async () => {
  await register("active", [{ device: "a", zone: "north" }, { device: "b" }, { device: "silent" }]);
  await store("active", "a", DAY, { x: readingsAt(DAY, DAY + 1, DAY + 2), "y.z": readingsAt(DAY) });
  await store("active", "a", DAY, { x: readingsAt(DAY, DAY + 1), "y.z": readingsAt(DAY) }, 1, 2);
  const six = DAY + 6 * HOUR_MS;
  await store(
    "active",
    "b",
    six,
    { x: readingsAt(six, six + HOUR_MS, six + HOUR_MS + 1), y: readingsAt(six) },
    6,
  );
  const hours = await activity("active", range(DAY, DAY + DAY_MS));
  expect(hours).toMatchObject({
    bucket: "1h",
    fromMs: DAY,
    toMs: DAY + DAY_MS,
    countedFromMs: DAY,
    settledToMs: DAY + DAY_MS,
    next: null,
  });
  expect(hours.devices).toEqual([
    {
      device: "a",
      zone: "north",
      name: null,
      readings: 3,
      buckets: [{ startMs: DAY, readings: 3, metrics: 2 }],
    },
    {
      device: "b",
      zone: "default",
      name: null,
      readings: 4,
      buckets: [
        { startMs: six, readings: 2, metrics: 2 },
        { startMs: six + HOUR_MS, readings: 2, metrics: 1 },
      ],
    },
    { device: "silent", zone: "default", name: null, readings: 0, buckets: [] },
  ]);
  const days = await activity("active", `${range(DAY + 1, DAY + 2)}&bucket=1d`);
  expect([days.fromMs, days.toMs]).toEqual([DAY, DAY + DAY_MS]);
  expect(days.devices.map(({ buckets }) => buckets)).toEqual([
    [{ startMs: DAY, readings: 3, metrics: 2 }],
    [{ startMs: DAY, readings: 4, metrics: 2 }],
    [],
  ]);
});

it("[Q40] only what is in the range is counted, of a block that reaches into it too", async () => {
  await register("edges", [{ device: "a" }]);
  const instants = Array.from({ length: 6 }, (_, hour) => DAY + hour * HOUR_MS);
  await store("edges", "a", DAY, { x: readingsAt(...instants) }, 6);
  const { devices } = await activity("edges", range(DAY + 2 * HOUR_MS + 1, DAY + 4 * HOUR_MS));
  expect(devices[0]!.buckets.map(({ startMs }) => startMs)).toEqual([DAY + 2 * HOUR_MS, DAY + 3 * HOUR_MS]);
});

it("[Q40] pages follow one another, each device once, another tenant's never, and no object is woken", async () => {
  const names = Array.from({ length: 7 }, (_, i) => `d${i}`);
  await register(
    "paged",
    names.map((device) => ({ device })),
  );
  await register("paged-other", [{ device: "d0" }, { device: "d9" }]);
  for (const device of names) await store("paged", device, DAY, { x: readingsAt(DAY) });
  await store("paged-other", "d0", DAY, { x: readingsAt(DAY, DAY + 1) });
  const asleep = { DEVICE: { getByName: () => expect.unreachable("a device's object is asked") } };
  const pages: ActivityAnswer[] = [];
  for (let after = ""; pages.length < 10; ) {
    const page = await activity("paged", `${range(DAY, DAY + HOUR_MS)}&limit=3${after}`, asleep);
    pages.push(page);
    if (page.next === null) break;
    after = `&after=${page.next}`;
  }
  expect(pages.map(({ devices }) => devices.length)).toEqual([3, 3, 1]);
  expect(pages.flatMap(({ devices }) => devices.map(({ device, readings }) => [device, readings]))).toEqual(
    names.map((name) => [name, 1]),
  );
});

it("[Q40] a page ends where its rollups are many, and a device that has too many alone is said to have", async () => {
  const devices = { a: 1, b: 3, c: 3, d: 5, e: 1 };
  await register(
    "fat",
    Object.keys(devices).map((device) => ({ device })),
  );
  const one = [1, 1, 1, 1, 0, 1, 0, 1, DAY, 1, DAY];
  const summaries = JSON.stringify({ x: one, filler: [...one, "s".repeat(1_900_000)] });
  const insert = env.WARM_0.prepare(
    "INSERT INTO rollup (tenant, device, start_ms, end_ms, revision, summaries, zone) VALUES ('fat', ?1, ?2, ?3, 1, ?4, 'default')",
  );
  for (const [device, rollups] of Object.entries(devices))
    for (let i = 0; i < rollups; i++) await insert.bind(device, DAY + i, DAY + HOUR_MS, summaries).run();
  const pageAfter = async (after: string) => {
    const { devices, next } = await activity("fat", range(DAY, DAY + HOUR_MS) + after);
    return [devices.map(({ device, readings, buckets }) => [device, readings, buckets.length]), next];
  };
  expect(await pageAfter("")).toEqual([
    [
      ["a", 2, 1],
      ["b", 6, 1],
    ],
    "b",
  ]);
  expect(await pageAfter("&after=b")).toEqual([
    [
      ["c", 6, 1],
      ["d", null, 0],
      ["e", 2, 1],
    ],
    null,
  ]);
});

it("[Q40] a long range has fewer devices a page, and too long a one is 400", async () => {
  await register(
    "long",
    Array.from({ length: 30 }, (_, i) => ({ device: `d${i}` })),
  );
  const month = range(DAY - 31 * DAY_MS, DAY);
  const { devices, next } = await activity("long", `${month}&limit=1000`);
  expect([devices.length, next]).toEqual([26, devices.at(-1)!.device]);
  expect((await activity("long", `${month}&bucket=1d&limit=1000`)).devices).toHaveLength(30);
  const over = await problem(asked("long", range(DAY - 31 * DAY_MS - 1, DAY)), 400, "invalid_query");
  expect(over.detail).toMatch(/744 .* 745.*1d/);
  await problem(asked("long", `${range(DAY - 93 * DAY_MS, DAY)}&bucket=1d`), 400, "invalid_query");
  await problem(asked("long", range(DAY, DAY)), 400, "invalid_query");
  await problem(asked("long", "bucket=1m"), 400, "invalid_query");
});

it("[Q40] it says what is not settled; unless asked it is the last day", async () => {
  const day = await activity("aged", "");
  expect([day.fromMs, day.toMs]).toEqual([T0 - DAY_MS, T0 + HOUR_MS]);
  expect([day.countedFromMs, day.archivedToMs]).toEqual([day.fromMs, day.fromMs]);
  expect(day.settledToMs).toBe(sealedToMs(T0));
});

/** What retention does when a day is in hourly files: D1 has what is of `fromMs` and after. */
const retire = (tenant: string, fromMs: number) =>
  env.WARM_0.batch([
    env.WARM_0.prepare("DELETE FROM rollup WHERE tenant = ?1 AND start_ms < ?2").bind(tenant, fromMs),
    env.WARM_0.prepare(
      `INSERT INTO retained (tenant, hourly_from_ms, rollups_deleted, files_deleted, bytes_deleted) VALUES (?1, ?2, 0, 0, 0)
       ON CONFLICT (tenant) DO UPDATE SET hourly_from_ms = excluded.hourly_from_ms`,
    ).bind(tenant, fromMs),
  ]);

const settle = async () => {
  const turn = { env: env as unknown as AggregateEnv, cursor: "", untilMs: Number.POSITIVE_INFINITY };
  await computeZoneHours(turn);
  await exportHours(turn);
};

it("[Q42] what has left D1 is counted from the archive's hourly files, and is the same to the last reading", async () => {
  const names = ["a", "b", "c"];
  await register(
    "archived",
    names.map((device) => ({ device })),
  );
  const from = DAY - 2 * DAY_MS;
  for (const [nth, device] of names.entries()) {
    for (let startMs = from; startMs < DAY + DAY_MS; startMs += 6 * HOUR_MS) {
      const instants = [startMs, startMs + 1, startMs + (nth + 1) * HOUR_MS];
      await store("archived", device, startMs, { x: readingsAt(...instants), y: readingsAt(startMs) }, 6);
    }
  }
  await settle();
  // Late readings: the day is exported again, at a higher revision.
  const late = {
    x: readingsAt(from, from + 1, from + 2, from + 2 * HOUR_MS),
    y: readingsAt(from),
    z: readingsAt(from),
  };
  await store("archived", "b", from, late, 6, 2);
  await settle();
  const queries = [
    range(from, DAY + DAY_MS),
    `${range(from, DAY + DAY_MS)}&bucket=1d`,
    range(from + HOUR_MS, from + 3 * HOUR_MS),
    `${range(from, DAY + DAY_MS)}&limit=1&after=a`,
  ];
  const before = await Promise.all(queries.map((query) => activity("archived", query)));
  expect(before.map(({ archivedToMs, fromMs }) => archivedToMs - fromMs)).toEqual([0, 0, 0, 0]);
  await retire("archived", DAY);
  const asleep = { DEVICE: { getByName: () => expect.unreachable("a device's object is asked") } };
  for (const [nth, query] of queries.entries()) {
    const after = await activity("archived", query, asleep);
    expect(after).toEqual({ ...before[nth], archivedToMs: Math.min(DAY, before[nth]!.toMs) });
  }
  expect(before[0]!.devices[1]!.buckets[0]).toEqual({ startMs: from, readings: 5, metrics: 3 });
});

it("[Q42] days whose files the archive may be deleting are said not to be counted whole", async () => {
  await register("deleting", [{ device: "a" }]);
  await retire("deleting", DAY);
  const retention = { rawDays: 1, hourlyDays: 1, archiveDays: 5 };
  await changeSettings(env.TENANT, "deleting", { retention });
  const { countedFromMs, archivedToMs } = await activity("deleting", range(DAY - 20 * DAY_MS, DAY + DAY_MS));
  expect([countedFromMs, archivedToMs]).toEqual([T0 - 4 * DAY_MS, DAY]);
});

it("[Q42] more files than can be looked into are 400", async () => {
  await register("scattered", [{ device: "a" }]);
  await retire("scattered", DAY);
  await env.WARM_0.prepare(
    `INSERT INTO archive_file (tenant, date, key, kind, blocks, from_ms, to_ms, min_device, max_device, row_count, bytes, created_at)
     SELECT 'scattered', ?1, 'k' || value, 'hourly', '[]', ?2, ?3, 'a', 'b', 1, 1, 0 FROM json_each(?4)`,
  )
    .bind(
      `${new Date(DAY - DAY_MS).toISOString().slice(0, 7)}-01`,
      DAY - DAY_MS,
      DAY,
      JSON.stringify(Array.from({ length: 201 }, (_, i) => i)),
    )
    .run();
  const { detail } = await problem(asked("scattered", range(DAY - DAY_MS, DAY)), 400, "invalid_query");
  expect(detail).toMatch(/more than 200 files .*shorter range/);
});

it("[Q42] rows of the archive are shared out: what is read for a device that those before it have not, and none for one that alone is too much", () => {
  const group = (rows: number, ...devices: string[]) => ({ key: "k", bytes: 1, number: 0, rows, devices });
  const { alone, more } = rowsByDevice([
    group(10, "a", "b"),
    group(5, "b"),
    group(ARCHIVED_ROWS_MAX, "c"),
    group(7, "c", "d"),
  ]);
  expect([...alone]).toEqual([
    ["a", 10],
    ["b", 15],
    ["c", ARCHIVED_ROWS_MAX + 7],
    ["d", 7],
  ]);
  expect([...more]).toEqual([
    ["a", 10],
    ["b", 5],
    ["d", 7],
  ]);
});
