import { createExecutionContext, env, getQueueResult } from "cloudflare:test";
import { expect, it, vi } from "vitest";
import { decodeBlock } from "../../../core/block/decode.ts";
import type { BlockMessage } from "../../../schemas/message.ts";
import { readCold } from "../../api/read-cold.ts";
import { batchOf, blockMessageOf, HOUR_MS, T0 } from "../../test-support.ts";
import type { AggregateEnv } from "../env.ts";
import { consumeBlocks } from "./consume-blocks.ts";
import { storeBlocks } from "./store-blocks.ts";

const aggregateEnv = env as unknown as AggregateEnv;
const decoded = (messages: BlockMessage[]) =>
  messages.map((message) => ({ ...message, block: decodeBlock(message.block) }));
const message = (tenant: string, device: string, revision = 1) =>
  blockMessageOf(
    tenant,
    device,
    T0,
    {
      a: [
        [T0, revision],
        [T0 + 1000, revision + 0.5],
      ],
    },
    revision,
  );

const filesOf = async (tenant: string) =>
  (
    await env.WARM_0.prepare("SELECT blocks FROM archive_file WHERE tenant = ?")
      .bind(tenant)
      .all<{ blocks: string }>()
  ).results;
const rollupsOf = async (tenant: string) =>
  (
    await env.WARM_0.prepare("SELECT device, revision FROM rollup WHERE tenant = ? ORDER BY device")
      .bind(tenant)
      .all<{ device: string; revision: number }>()
  ).results;
const valuesOf = async (tenant: string, device: string) =>
  (await readCold(env.WARM_0, env.COLD, { tenant, device, metric: "a", startMs: T0, endMs: T0 + HOUR_MS }))
    .value;

it("[S3] of consumers that store the same blocks at once one commits, and the others throw", async () => {
  const blocks = decoded([message("race-same", "d1"), message("race-same", "d2")]);
  const results = await Promise.allSettled(
    Array.from({ length: 4 }, () => storeBlocks(env.WARM_0, env.COLD, blocks)),
  );
  expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  expect(await filesOf("race-same")).toHaveLength(1);
  expect(await rollupsOf("race-same")).toHaveLength(2);
});

it("[S2] [S21] blocks stored once more after their rollups were taken back to revision 0 are a file of their own", async () => {
  const blocks = decoded([message("lowered", "d1")]);
  await storeBlocks(env.WARM_0, env.COLD, blocks);
  await env.WARM_0.prepare("UPDATE rollup SET revision = 0 WHERE tenant = 'lowered'").run();
  await storeBlocks(env.WARM_0, env.COLD, blocks);
  expect(await filesOf("lowered")).toHaveLength(2);
  expect(await rollupsOf("lowered")).toEqual([{ device: "d1", revision: 1 }]);
  expect(await valuesOf("lowered", "d1")).toEqual([1, 1.5]);
});

it("[S3] consumers whose blocks overlap: no block is in two files, and trying again stores the rest", async () => {
  vi.spyOn(console, "error").mockImplementation(() => undefined);
  const messages = Array.from({ length: 8 }, (_, i) => message("race-overlap", `d${i}`));
  const batches = Array.from({ length: 4 }, (_, i) => messages.slice(i, i + 5));
  for (let round = 0; round < 6; round++) {
    const results = await Promise.all(
      batches.map(async (bodies) => {
        const batch = batchOf(...bodies);
        await consumeBlocks(batch, aggregateEnv);
        return (await getQueueResult(batch, createExecutionContext())).retryMessages.length;
      }),
    );
    if (results.every((retried) => retried === 0)) break;
  }
  const named = (await filesOf("race-overlap")).flatMap(
    ({ blocks }) => JSON.parse(blocks) as [string, number, number][],
  );
  expect(named.map(([device]) => device).toSorted()).toEqual(messages.map(({ device }) => device));
  expect(await rollupsOf("race-overlap")).toHaveLength(8);
  for (const { device } of messages) expect(await valuesOf("race-overlap", device)).toEqual([1, 1.5]);
});

it("[S3] a consumer that another overtook between its look and its commit commits nothing of its batch", async () => {
  const blocks = decoded([message("overtaken", "d1"), message("overtaken", "d2")]);
  const put = async (key: string, value: Uint8Array<ArrayBuffer>) => {
    await storeBlocks(env.WARM_0, env.COLD, blocks.slice(1));
    return await env.COLD.put(key, value);
  };
  const slow = { put } as unknown as R2Bucket;
  await expect(storeBlocks(env.WARM_0, slow, blocks)).rejects.toThrow("another consumer");
  expect(await rollupsOf("overtaken")).toEqual([{ device: "d2", revision: 1 }]);
  expect(await filesOf("overtaken")).toHaveLength(1);
});

it("[S3] [S4] a higher revision overtakes a lower one: the lower commits nothing", async () => {
  const lower = decoded([message("overtaken-higher", "d1", 1)]);
  const put = async (key: string, value: Uint8Array<ArrayBuffer>) => {
    await storeBlocks(env.WARM_0, env.COLD, decoded([message("overtaken-higher", "d1", 2)]));
    return await env.COLD.put(key, value);
  };
  const slow = { put } as unknown as R2Bucket;
  await expect(storeBlocks(env.WARM_0, slow, lower)).rejects.toThrow("another consumer");
  expect(await rollupsOf("overtaken-higher")).toEqual([{ device: "d1", revision: 2 }]);
  expect(await valuesOf("overtaken-higher", "d1")).toEqual([2, 2.5]);
});

it("[S1] rollups too large for one bound text are committed in pieces, in the same transaction", async () => {
  const metrics = (i: number) =>
    Object.fromEntries(
      Array.from({ length: 1_000 }, (_, m) => [
        `metric-${m}-${"x".repeat(16)}`,
        [[T0 + i, m / 7]] as [number, number][],
      ]),
    );
  const messages = Array.from({ length: 12 }, (_, i) => blockMessageOf("pieces", `d${i}`, T0, metrics(i)));
  await storeBlocks(env.WARM_0, env.COLD, decoded(messages));
  expect(await rollupsOf("pieces")).toHaveLength(12);
  const { chars } = (await env.WARM_0.prepare(
    "SELECT sum(length(summaries)) AS chars FROM rollup WHERE tenant = 'pieces'",
  ).first<{
    chars: number;
  }>())!;
  expect(chars).toBeGreaterThan(500_000);
});
