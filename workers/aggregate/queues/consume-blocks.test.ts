import { createExecutionContext, env, getQueueResult } from "cloudflare:test";
import { afterEach, expect, it, vi } from "vitest";
import type { BlockMessage } from "../../../schemas/message.ts";
import { readCold } from "../../api/read-cold.ts";
import { readWarm } from "../../api/read-warm.ts";
import { batchOf, blockMessageOf, HOUR_MS, packed, rowsOnceKnown, T0 } from "../../test-support.ts";
import type { AggregateEnv } from "../env.ts";
import { consumeBlocks } from "./consume-blocks.ts";

const aggregateEnv = env as unknown as AggregateEnv;
const DAY_MS = 24 * HOUR_MS;

afterEach(() => {
  vi.restoreAllMocks();
});

/** Delivers and gives what became of the messages: ids acknowledged, ids to be delivered again. */
async function deliver(bodies: unknown[], consumerEnv: AggregateEnv = aggregateEnv) {
  const batch = batchOf(...bodies);
  await consumeBlocks(batch, consumerEnv);
  const { explicitAcks, retryMessages } = await getQueueResult(batch, createExecutionContext());
  return { acknowledged: explicitAcks.length, retried: retryMessages.length };
}

/** All that storage has of a tenant: rows of both tables, and the files under its prefix. */
async function stored(tenant: string) {
  const rows = async (table: string) =>
    (await env.WARM_0.prepare(`SELECT * FROM ${table} WHERE tenant = ?`).bind(tenant).all()).results;
  const { objects } = await env.COLD.list({ prefix: `raw/tenant=${tenant}/` });
  return {
    rollups: await rows("rollup"),
    files: await rows("archive_file"),
    keys: objects.map(({ key }) => key),
  };
}

const cold = (tenant: string, device: string, metric: string, startMs = T0 - DAY_MS, endMs = T0 + DAY_MS) =>
  readCold(env.WARM_0, env.COLD, { tenant, device, metric, startMs, endMs });

const points = (from: number, values: number[]): [number, number][] =>
  values.map((value, i) => [from + i * 1000, value]);

it("[S1] [S6] a block becomes one file, its manifest row that names the blocks, and one rollup", async () => {
  const message = blockMessageOf("simple", "d1", T0, { a: points(T0, [3, 1, 2]), b: points(T0, [7]) });
  expect(await deliver([message])).toEqual({ acknowledged: 1, retried: 0 });
  const { rollups, files, keys } = await stored("simple");
  expect(rollups).toMatchObject([{ device: "d1", start_ms: T0, end_ms: T0 + HOUR_MS, revision: 1 }]);
  expect(files).toMatchObject([
    { key: keys[0], date: "2026-11-22", row_count: 4, min_device: "d1", max_device: "d1" },
  ]);
  expect(JSON.parse(files[0]!.blocks as string)).toEqual([["d1", T0, 1]]);
  expect(keys).toHaveLength(1);
  expect(await cold("simple", "d1", "a")).toMatchObject({ at: [T0, T0 + 1000, T0 + 2000], value: [3, 1, 2] });
  const { hours: warm } = await readWarm(env.WARM_0, {
    tenant: "simple",
    device: "d1",
    metric: "a",
    startMs: T0,
    endMs: T0 + HOUR_MS,
  });
  expect(warm).toMatchObject([{ startMs: T0, summary: { count: 3, min: 1, max: 3, first: 3, last: 2 } }]);
});

it("[S2] a batch delivered again, in another order and cut otherwise, changes nothing and is acknowledged", async () => {
  const messages = Array.from({ length: 6 }, (_, i) =>
    blockMessageOf("again", `d${i % 3}`, T0 + Math.floor(i / 3) * HOUR_MS, {
      a: points(T0 + Math.floor(i / 3) * HOUR_MS, [i, 2]),
    }),
  );
  await deliver(messages);
  const before = await stored("again");
  expect(before.rollups).toHaveLength(6);
  expect(await deliver(messages)).toEqual({ acknowledged: 6, retried: 0 });
  expect(await deliver(messages.toReversed())).toEqual({ acknowledged: 6, retried: 0 });
  expect(await deliver(messages.slice(2, 4))).toEqual({ acknowledged: 2, retried: 0 });
  expect(await stored("again")).toEqual(before);
});

it("[S2] what is stored already is confirmed again", async () => {
  const device = env.DEVICE.getByName("confirmed/d1");
  await device.report(packed([T0, { a: 1 }]), T0);
  await rowsOnceKnown(device);
  await device.seal();
  const message = blockMessageOf("confirmed", "d1", T0, { a: [[T0, 1]] });
  await deliver([message]);
  expect(await device.seal()).toEqual({ sealed: 0, pending: 0 });
  await device.report(packed([T0 + 1, { a: 2 }]), T0);
  expect(await device.seal()).toEqual({ sealed: 1, pending: 1 });
  await deliver([message]); // the old revision confirms nothing of the new one
  expect(await device.seal()).toEqual({ sealed: 0, pending: 1 });
  const second = blockMessageOf(
    "confirmed",
    "d1",
    T0,
    {
      a: [
        [T0, 1],
        [T0 + 1, 2],
      ],
    },
    2,
  );
  await deliver([second]);
  await deliver([second]);
  expect(await device.seal()).toEqual({ sealed: 0, pending: 0 });
});

it("[S2] the same message twice in a batch is stored once and acknowledged twice", async () => {
  const message = blockMessageOf("double", "d1", T0, { a: points(T0, [1, 2]) });
  expect(await deliver([message, message])).toEqual({ acknowledged: 2, retried: 0 });
  const { rollups, files } = await stored("double");
  expect([rollups.length, files.length, files[0]!.row_count]).toEqual([1, 1, 2]);
});

it("[S2] [D24] of two lives of a device in one batch the later one counts, at whatever revision", async () => {
  const old = { ...blockMessageOf("lives", "d1", T0, { a: points(T0, [1, 2]) }, 2), generation: 0 };
  const reborn = { ...blockMessageOf("lives", "d1", T0, { a: points(T0, [9]) }, 1), generation: 103 };
  await env.WARM_0.prepare("INSERT INTO tombstone VALUES ('lives', 'd1', 101, 1, 0)").run();
  expect(await deliver([old, reborn])).toEqual({ acknowledged: 2, retried: 0 });
  expect((await cold("lives", "d1", "a")).value).toEqual([9]);
  expect((await stored("lives")).rollups).toMatchObject([{ revision: 1 }]);
});

it("[S31] a block of the next life waits until the former one is listed, however often it comes, and delays nobody", async () => {
  const former = { ...blockMessageOf("early", "d1", T0, { a: points(T0, [1]) }), generation: 7 };
  const next = { ...blockMessageOf("early", "d1", T0, { a: points(T0, [9]) }), generation: 12 };
  const other = blockMessageOf("early", "d2", T0, { a: points(T0, [2]) });
  await env.WARM_0.prepare("INSERT INTO tombstone VALUES ('early', 'd1', 10, NULL, 1)").run();
  expect(await deliver([next, other, former, next])).toEqual({ acknowledged: 2, retried: 2 });
  expect((await stored("early")).rollups).toMatchObject([{ device: "d2" }]);
  await env.WARM_0.prepare("UPDATE tombstone SET listing = 0 WHERE tenant = 'early'").run();
  expect(await deliver([next, next])).toEqual({ acknowledged: 2, retried: 0 });
  expect((await cold("early", "d1", "a")).value).toEqual([9]);
});

it("[S31] a device deleted between the look and the commit: its next life's block is not committed", async () => {
  const next = { ...blockMessageOf("early-late", "d1", T0, { a: points(T0, [9]) }), generation: 12 };
  const put = env.COLD.put.bind(env.COLD);
  vi.spyOn(console, "error").mockImplementation(() => undefined);
  vi.spyOn(env.COLD, "put").mockImplementationOnce(async (...given: Parameters<typeof put>) => {
    await env.WARM_0.prepare("INSERT INTO tombstone VALUES ('early-late', 'd1', 10, NULL, 1)").run();
    return await put(...given);
  });
  expect(await deliver([next])).toEqual({ acknowledged: 0, retried: 1 });
  expect((await stored("early-late")).rollups).toEqual([]);
});

it("[S4] a higher revision replaces the rollup, a lower one that comes after it does not; readers take the highest", async () => {
  const first = blockMessageOf("revised", "d1", T0, { a: points(T0, [1, 2]) }, 1);
  const second = blockMessageOf("revised", "d1", T0, { a: points(T0, [1, 5, 6]) }, 2);
  const third = blockMessageOf("revised", "d1", T0, { a: points(T0, [9, 5, 6]) }, 3);
  await deliver([second]);
  await deliver([first]);
  await deliver([third, second, first]); // together, the highest counts
  const { rollups, files } = await stored("revised");
  expect(rollups).toMatchObject([{ revision: 3 }]);
  expect(files).toHaveLength(2);
  expect((await cold("revised", "d1", "a")).value).toEqual([9, 5, 6]);
  const { hours: warm } = await readWarm(env.WARM_0, {
    tenant: "revised",
    device: "d1",
    metric: "a",
    startMs: T0,
    endMs: T0 + HOUR_MS,
  });
  expect(warm).toMatchObject([{ summary: { count: 3, min: 5, max: 9 } }]);
});

it("[S7] a batch of very busy devices is stored in slices, each a file of its own", async () => {
  const busy = Array.from({ length: 100_000 }, (_, i): [number, number] => [T0 + i * 30, 1]);
  const messages = ["d1", "d2", "d3"].map((device) => blockMessageOf("busy", device, T0, { a: busy }));
  expect(await deliver(messages)).toEqual({ acknowledged: 3, retried: 0 });
  const { files, rollups } = await stored("busy");
  expect(files.map(({ row_count }) => row_count)).toEqual(expect.arrayContaining([200_000, 100_000]));
  expect([files.length, rollups.length]).toEqual([2, 3]);
});

it("[S7] a message that is no block is dropped, and the others of its batch are stored", async () => {
  const logged = vi.spyOn(console, "error").mockImplementation(() => undefined);
  const good = blockMessageOf("garbage", "d1", T0, { a: points(T0, [1]) });
  const flipped = good.block.slice();
  flipped[flipped.length >> 1]! ^= 0x10;
  const bad = [
    null,
    "text",
    { ...good, version: 2 },
    { ...good, device: "../etc" },
    { ...good, block: "AAAA" },
    { ...good, device: "d2", block: flipped },
    { ...good, device: "d3", block: good.block.slice(0, 5) },
  ];
  expect(await deliver([...bad, good])).toEqual({ acknowledged: bad.length + 1, retried: 0 });
  expect(logged).toHaveBeenCalledTimes(bad.length);
  expect((await stored("garbage")).rollups).toMatchObject([{ device: "d1" }]);
});

it("[S1] [S6] when R2 fails nothing is in D1 and the messages come again; then all is stored once", async () => {
  vi.spyOn(console, "error").mockImplementation(() => undefined);
  const put = vi.fn(async () => {
    throw new Error("R2 is away");
  });
  const messages = ["d1", "d2"].map((device) => blockMessageOf("no-r2", device, T0, { a: points(T0, [1]) }));
  const failing = { ...aggregateEnv, COLD: { put } as unknown as R2Bucket };
  expect(await deliver(messages, failing)).toEqual({ acknowledged: 0, retried: 2 });
  expect(put).toHaveBeenCalled();
  expect(await stored("no-r2")).toEqual({ rollups: [], files: [], keys: [] });
  expect(await deliver(messages)).toEqual({ acknowledged: 2, retried: 0 });
  const { rollups, files, keys } = await stored("no-r2");
  expect([rollups.length, files.length, keys.length]).toEqual([2, 1, 1]);
});

it("[S1] [S6] when D1 fails after the file was put, the file is in no manifest and not read; the next try makes it so", async () => {
  vi.spyOn(console, "error").mockImplementation(() => undefined);
  const message = blockMessageOf("no-d1", "d1", T0, { a: points(T0, [1, 2]) });
  const database = {
    prepare: env.WARM_0.prepare.bind(env.WARM_0),
    batch: async () => {
      throw new Error("D1 is away");
    },
  } as unknown as D1Database;
  expect(await deliver([message], { ...aggregateEnv, WARM_0: database })).toEqual({
    acknowledged: 0,
    retried: 1,
  });
  const { rollups, files, keys } = await stored("no-d1");
  expect([rollups.length, files.length, keys.length]).toEqual([0, 0, 1]);
  expect((await cold("no-d1", "d1", "a")).at).toEqual([]);
  await deliver([message]);
  const after = await stored("no-d1");
  expect(after.files).toHaveLength(1);
  expect(after.files[0]!.key).not.toBe(keys[0]); // what sweeps up the first cannot meet the second
  expect(after.keys).toHaveLength(2);
  expect((await cold("no-d1", "d1", "a")).value).toEqual([1, 2]);
});

it("[S1] a failed group delays only itself: other tenants and days of the batch are stored", async () => {
  vi.spyOn(console, "error").mockImplementation(() => undefined);
  const put = (key: string, value: Uint8Array<ArrayBuffer>) =>
    key.includes("tenant=part-b") ? Promise.reject(new Error("R2 is away")) : env.COLD.put(key, value);
  const messages = ["part-a", "part-b", "part-c"].map((tenant) =>
    blockMessageOf(tenant, "d1", T0, { a: points(T0, [1]) }),
  );
  const failing = { ...aggregateEnv, COLD: { put } as unknown as R2Bucket };
  expect(await deliver(messages, failing)).toEqual({ acknowledged: 2, retried: 1 });
  expect((await stored("part-b")).rollups).toEqual([]);
  expect((await stored("part-c")).rollups).toHaveLength(1);
});

it("[S6] many devices, two tenants and two days in one batch: one file a tenant and day, each with its own", async () => {
  const messages: BlockMessage[] = [];
  for (const tenant of ["fleet-a", "fleet-b"]) {
    for (let i = 0; i < 25; i++) {
      for (const startMs of [T0, T0 + DAY_MS]) {
        messages.push(
          blockMessageOf(tenant, `d${i}`, startMs, {
            a: points(startMs, [i, i + 0.5]),
            b: points(startMs, [-i]),
          }),
        );
      }
    }
  }
  expect(await deliver(messages)).toEqual({ acknowledged: 100, retried: 0 });
  for (const tenant of ["fleet-a", "fleet-b"]) {
    const { rollups, files, keys } = await stored(tenant);
    expect([rollups.length, files.length, keys.length]).toEqual([50, 2, 2]);
    expect(files.map(({ date, row_count }) => [date, row_count])).toEqual([
      ["2026-11-22", 75],
      ["2026-11-23", 75],
    ]);
    expect((await cold(tenant, "d7", "a", T0, T0 + 2 * DAY_MS)).value).toEqual([7, 7.5, 7, 7.5]);
  }
});
