import { env } from "cloudflare:test";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { decodeBlock } from "../../../core/block/decode.ts";
import { blockMessageOf, HOUR_MS } from "../../test-support.ts";
import type { AggregateEnv } from "../env.ts";
import { storeBlocks } from "../queues/store-blocks.ts";
import { deleteReplaced } from "./delete-replaced.ts";
import { sweepOrphans } from "./sweep-orphans.ts";

const aggregateEnv = env as unknown as AggregateEnv;
const DAY_MS = 24 * HOUR_MS;
const DAY = Date.UTC(2026, 0, 5);
const turn = { env: aggregateEnv, cursor: "", untilMs: Number.POSITIVE_INFINITY };

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"] });
  vi.spyOn(console, "warn").mockImplementation(() => undefined);
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const pass = (ms: number) => vi.setSystemTime(Date.now() + ms);
const exists = async (key: string) => (await env.COLD.head(key)) !== null;
const blocks = (tenant: string) => {
  const message = blockMessageOf(tenant, "d", DAY, { t: [[DAY, 1]] });
  return [{ ...message, block: decodeBlock(message.block) }];
};
const files = async (tenant: string) => {
  const { results } = await env.WARM_0.prepare(
    "SELECT key, replaced_at IS NOT NULL AS replaced FROM archive_file WHERE tenant = ?",
  )
    .bind(tenant)
    .all<{ key: string; replaced: number }>();
  return results;
};

/** A file that was put, and whose commit never came. */
async function orphanOf(tenant: string): Promise<string> {
  await expect(
    storeBlocks(
      {
        ...env.WARM_0,
        prepare: () => {
          throw new Error("the consumer dies");
        },
      } as unknown as D1Database,
      env.COLD,
      blocks(tenant),
    ),
  ).rejects.toThrow("dies");
  const { objects } = await env.COLD.list({ prefix: `raw/tenant=${tenant}/` });
  return objects[0]!.key;
}

async function sweep(over: Partial<AggregateEnv> = {}): Promise<void> {
  expect(await sweepOrphans({ ...turn, env: { ...aggregateEnv, ...over } as AggregateEnv })).toBe("");
}

it("[S21] a file that no manifest names goes when it is older than a day, and not before", async () => {
  const orphan = await orphanOf("orphaned");
  await storeBlocks(env.WARM_0, env.COLD, blocks("named"));
  const [named] = await files("named");
  pass(DAY_MS - HOUR_MS);
  await sweep();
  pass(2 * HOUR_MS);
  await deleteReplaced(turn);
  expect(await exists(orphan)).toBe(true);
  await sweep();
  expect(await exists(orphan)).toBe(true);
  pass(HOUR_MS + 1);
  await deleteReplaced(turn);
  expect(await exists(orphan)).toBe(false);
  expect(await files("orphaned")).toEqual([]);
  expect(await exists(named!.key)).toBe(true);
  expect(await files("named")).toEqual([named]);
});

it("[S21] files of the hourly kind go too, and nothing else of the bucket does", async () => {
  const id = "0".repeat(32);
  const hourly = `hourly/tenant=swept/date=2026-01-01/${id}.parquet`;
  const others = [`import/tenant=swept/${id}.parquet`, "job/tenant=swept/1.json", "raw/readme.txt", "notes"];
  for (const key of [hourly, ...others]) await env.COLD.put(key, "x");
  pass(DAY_MS + HOUR_MS);
  await sweep();
  pass(HOUR_MS + 1);
  await deleteReplaced(turn);
  expect(await exists(hourly)).toBe(false);
  for (const key of others) expect(await exists(key)).toBe(true);
});

it("[S21] [S6] who stores an orphan's blocks after it was marked puts a file of its own, and only that one stays", async () => {
  const orphan = await orphanOf("came-back");
  pass(DAY_MS + HOUR_MS);
  await sweep();
  await storeBlocks(env.WARM_0, env.COLD, blocks("came-back"));
  pass(HOUR_MS + 1);
  await deleteReplaced(turn);
  expect(await exists(orphan)).toBe(false);
  const [file, ...others] = await files("came-back");
  expect([file, others]).toEqual([{ key: expect.not.stringContaining(orphan), replaced: 0 }, []]);
  expect(await exists(file!.key)).toBe(true);
});

/** What a consumer that stalled for a day commits at last. */
const commit = (tenant: string, key: string) =>
  env.WARM_0.prepare(
    "INSERT INTO archive_file VALUES (?, '2026-01-05', ?, 'raw', ?, ?, 'd', 'd', 1, 1, '[]', 1, NULL)",
  )
    .bind(tenant, key, DAY, DAY + HOUR_MS)
    .run();

it("[S21] [S6] who commits an orphan after it was marked fails", async () => {
  const orphan = await orphanOf("slower");
  pass(DAY_MS + HOUR_MS);
  await sweep();
  await expect(commit("slower", orphan)).rejects.toThrow("UNIQUE");
});

it("[S21] [S6] who commits an orphan just before it is marked keeps the file", async () => {
  const orphan = await orphanOf("faster");
  pass(DAY_MS + HOUR_MS);
  let looks = 0;
  const prepare = (sql: string) => {
    const statement = env.WARM_0.prepare(sql);
    if (!sql.includes("INSERT INTO archive_file") || looks++ > 0) return statement;
    return {
      bind: (...bound: unknown[]) => ({
        run: async () => {
          await commit("faster", orphan);
          return await statement.bind(...bound).run();
        },
      }),
    };
  };
  await sweep({ WARM_0: { prepare } as unknown as D1Database });
  expect(looks).toBe(1);
  expect(await files("faster")).toEqual([{ key: orphan, replaced: 0 }]);
  pass(HOUR_MS + 1);
  await deleteReplaced(turn);
  expect(await exists(orphan)).toBe(true);
});

it("[S21] a turn that ends goes on where it was", async () => {
  const orphan = await orphanOf("in-turns");
  pass(DAY_MS + HOUR_MS);
  const cursor = await sweepOrphans({ ...turn, untilMs: 0 });
  expect(cursor).not.toBe("");
  expect(await files("in-turns")).toEqual([]);
  expect(await sweepOrphans({ ...turn, cursor })).toBe("");
  expect(await files("in-turns")).toEqual([{ key: orphan, replaced: 1 }]);
});

/** Another warm database: a table of its own beside those of the first. */
async function secondWarm(): Promise<D1Database> {
  await env.WARM_0.prepare(
    `CREATE TABLE IF NOT EXISTS other_file AS SELECT * FROM archive_file WHERE false`,
  ).run();
  const prepare = (sql: string) => env.WARM_0.prepare(sql.replaceAll("archive_file", "other_file"));
  return { prepare } as unknown as D1Database;
}

it("[S21] [S10] a file that one database has live is not deleted for what another says of it", async () => {
  const WARM_1 = await secondWarm();
  const key = await orphanOf("elsewhere");
  const gone = await orphanOf("nowhere");
  await commit("elsewhere", key);
  for (const [tenant, orphan] of [
    ["elsewhere", key],
    ["nowhere", gone],
  ]) {
    await WARM_1.prepare(
      "INSERT INTO archive_file VALUES (?, '2026-01-05', ?, 'raw', 0, 0, '', '', 0, 1, '[]', 1, 1)",
    )
      .bind(tenant, orphan)
      .run();
  }
  await deleteReplaced({ ...turn, env: { ...aggregateEnv, WARM_1 } });
  expect([await exists(key), await exists(gone)]).toEqual([true, false]);
  expect(await files("elsewhere")).toEqual([{ key, replaced: 0 }]);
  expect((await WARM_1.prepare("SELECT key FROM archive_file").all()).results).toEqual([]);
});

it("[S21] [S17] an orphan is deleted also while a device is: the deletion may be the one to name that file anew", async () => {
  const orphan = await orphanOf("deleting");
  await env.WARM_0.prepare("INSERT INTO tombstone VALUES ('deleting', 'x', 0, NULL, 0)").run();
  pass(DAY_MS + HOUR_MS);
  await sweep();
  pass(HOUR_MS + 1);
  await deleteReplaced(turn);
  expect(await exists(orphan)).toBe(false);
  expect(await files("deleting")).toEqual([]);
});
