import { env } from "cloudflare:test";
import { parquetWriteBuffer } from "hyparquet-writer";
import { beforeEach, expect, it } from "vitest";
import { RAW, type Rows } from "../../../core/archive/layout.ts";
import { openParquet, readRowGroups } from "../../parquet.ts";
import { HOUR_MS } from "../../test-support.ts";
import { storeBlocks } from "../queues/store-blocks.ts";
import { ArchiveUpload } from "./archive-upload.ts";
import { type ArchivedFile, FILE_COLUMNS, mergeFiles, rewriteWithout } from "./merge-files.ts";
import { bytesOfGroup, encodeParquet } from "./write-archive.ts";

const DAY = Date.UTC(2026, 0, 5);
const DATE = "2026-01-05";
const NAMES = RAW.columns.map(({ name }) => name);

let tenant = "";
let tenants = 0;
beforeEach(() => {
  tenant = `merging-${++tenants}`;
});

interface Stored {
  device: string;
  startMs?: number;
  revision?: number;
  metrics: Record<string, number[]>;
}

/** Stores one file with a block of each device: a reading a second, of each metric these values. */
async function store(...blocks: Stored[]): Promise<void> {
  await storeBlocks(
    env.WARM_0,
    env.COLD,
    blocks.map(({ device, startMs = DAY, revision = 1, metrics }) => {
      const endMs = startMs + HOUR_MS;
      const columns = Object.entries(metrics).map(([metric, value]) => ({
        metric,
        at: value.map((_, i) => startMs + i * 1_000),
        value,
      }));
      const mark = { tenant, device, startMs, endMs, revision, generation: 0, zone: "default" };
      return { ...mark, block: { startMs, endMs, columns } };
    }),
  );
}

const live = async (): Promise<ArchivedFile[]> =>
  (
    await env.WARM_0.prepare(
      `SELECT ${FILE_COLUMNS} FROM archive_file WHERE tenant = ? AND replaced_at IS NULL ORDER BY created_at, min_device, key`,
    )
      .bind(tenant)
      .all<ArchivedFile>()
  ).results;
const replaced = () =>
  env.WARM_0.prepare("SELECT count(*) AS n FROM archive_file WHERE tenant = ? AND replaced_at IS NOT NULL")
    .bind(tenant)
    .first<number>("n");

/** All rows of a file in its order; its row groups' lengths. */
async function read({ key, bytes }: { key: string; bytes: number }) {
  const open = await openParquet(env.COLD, key, bytes);
  const groups: Rows[] = [];
  for (const group of open.metadata.row_groups.keys())
    groups.push(...(await readRowGroups(open, NAMES, { group })));
  const rows = groups.flatMap((group) =>
    group.device.map((device, row) => [device, ...NAMES.slice(1).map((name) => group[name]?.[row])]),
  );
  return { rows, lengths: groups.map(({ device }) => device.length) };
}

const rowsOf = (device: string, metric: string, startMs: number, revision: number, values: number[]) =>
  values.map((value, i) => [
    device,
    metric,
    startMs + i * 1_000,
    value,
    revision,
    startMs,
    startMs + HOUR_MS,
  ]);

it("[S13] files are merged into one, in which the highest revision of each reading stands", async () => {
  await store({ device: "a", metrics: { t: [1, 2, 3] } }, { device: "c", metrics: { t: [7], "°C": [8] } });
  await store({ device: "b", metrics: { t: [-0, 5e-324] } });
  await store({ device: "a", startMs: DAY + HOUR_MS, metrics: { t: [4] } });
  await store({ device: "a", revision: 3, metrics: { t: [1, 20] } });
  await store({ device: "a", revision: 4, metrics: { p: [0.1] } });
  const files = await live();
  expect(await mergeFiles(env.WARM_0, env.COLD, files)).toBe(true);
  const after = await live();
  const bounds = { kind: "raw", date: DATE, fromMs: DAY, toMs: DAY + 2 * HOUR_MS, rows: 9 };
  expect(after).toMatchObject([bounds]);
  expect(after[0]!.key).toMatch(new RegExp(`^raw/tenant=${tenant}/date=${DATE}/[0-9a-f]{32}\\.parquet$`));
  expect((await env.COLD.head(after[0]!.key))!.size).toBe(after[0]!.bytes);
  expect((await read(after[0]!)).rows).toEqual([
    ...rowsOf("a", "p", DAY, 4, [0.1]),
    ...rowsOf("a", "t", DAY, 3, [1, 20]),
    ["a", "t", DAY + 2_000, 3, 1, DAY, DAY + HOUR_MS],
    ...rowsOf("a", "t", DAY + HOUR_MS, 1, [4]),
    ...rowsOf("b", "t", DAY, 1, [-0, 5e-324]),
    ...rowsOf("c", "t", DAY, 1, [7]),
    ...rowsOf("c", "°C", DAY, 1, [8]),
  ]);
  expect(await replaced()).toBe(5);
  for (const { key } of files) expect(await env.COLD.head(key)).not.toBeNull();
});

it("[S13] a merge of which a file was replaced meanwhile changes nothing", async () => {
  for (const device of ["a", "b", "c"]) await store({ device, metrics: { t: [1] } });
  const files = await live();
  expect(await mergeFiles(env.WARM_0, env.COLD, files.slice(0, 2))).toBe(true);
  const between = await live();
  expect(await mergeFiles(env.WARM_0, env.COLD, files)).toBe(false);
  expect(await mergeFiles(env.WARM_0, env.COLD, files.slice(0, 2))).toBe(false);
  expect(await live()).toEqual(between);
  expect(await replaced()).toBe(2);
});

it("[S13] [S21] a merge tried again has a key of its own: one that was deleted or marked as nobody's is not in its way", async () => {
  for (const device of ["a", "b"]) await store({ device, metrics: { t: [1] } });
  const files = await live();
  const away = {
    prepare: env.WARM_0.prepare.bind(env.WARM_0),
    batch: async () => {
      throw new Error("D1 is away");
    },
  } as unknown as D1Database;
  const keys = async () =>
    (await env.COLD.list({ prefix: `raw/tenant=${tenant}/` })).objects.map(({ key }) => key);
  const before = await keys();
  await expect(mergeFiles(away, env.COLD, files)).rejects.toThrow("D1 is away");
  const [orphan] = (await keys()).filter((key) => !before.includes(key));
  expect(await mergeFiles(env.WARM_0, env.COLD, files)).toBe(true);
  expect((await live())[0]!.key).not.toBe(orphan);
});

it("[S13] [S17] while a device of the tenant is being deleted no merge is committed", async () => {
  for (const device of ["a", "b"]) await store({ device, metrics: { t: [1] } });
  const files = await live();
  await env.WARM_0.prepare("INSERT INTO tombstone VALUES (?, 'x', 0, NULL, 0)").bind(tenant).run();
  expect(await mergeFiles(env.WARM_0, env.COLD, files)).toBe(false);
  expect(await live()).toEqual(files);
  await env.WARM_0.prepare("UPDATE tombstone SET finished_at = 1 WHERE tenant = ?").bind(tenant).run();
  expect(await mergeFiles(env.WARM_0, env.COLD, files)).toBe(true);
});

it("[S13] rows of files that do not say their blocks are taken as of blocks of their hour", async () => {
  const key = `raw/tenant=${tenant}/date=${DATE}/${"0".repeat(32)}.parquet`;
  const file = new Uint8Array(
    parquetWriteBuffer({
      columnData: [
        { name: "device", data: ["a", "a"], type: "STRING", nullable: false },
        { name: "metric", data: ["t", "t"], type: "STRING", nullable: false },
        { name: "at", data: [BigInt(DAY), BigInt(DAY + 5_400_000)], type: "TIMESTAMP", nullable: false },
        { name: "value", data: [1, 2], type: "DOUBLE", nullable: false },
        { name: "revision", data: [1, 1], type: "INT32", nullable: false },
      ],
      kvMetadata: [{ key: "telltale.layout", value: "raw/1" }],
    }),
  );
  await env.COLD.put(key, file);
  await env.WARM_0.prepare(
    "INSERT INTO archive_file VALUES (?, ?, ?, 'raw', ?, ?, 'a', 'a', 2, ?, '[]', 1, NULL)",
  )
    .bind(tenant, DATE, key, DAY, DAY + 2 * HOUR_MS, file.length)
    .run();
  await store({ device: "b", metrics: { t: [3] } });
  expect(await mergeFiles(env.WARM_0, env.COLD, await live())).toBe(true);
  expect(await rewriteWithout(env.WARM_0, env.COLD, (await live())[0]!, "b")).toBe(1);
  expect((await read((await live())[0]!)).rows).toEqual([
    ["a", "t", DAY, 1, 1, DAY, DAY + HOUR_MS],
    ["a", "t", DAY + 5_400_000, 2, 1, DAY + HOUR_MS, DAY + 2 * HOUR_MS],
  ]);
});

it("[S17] a device's rows leave a file; row groups without them are copied as they stand", async () => {
  const metrics = (seed: number) =>
    Object.fromEntries(
      Array.from({ length: 8 }, (_, m) => [
        `m${m}`,
        Array.from({ length: 3_600 }, (_, i) => Math.sin(seed + m + i)),
      ]),
    );
  const devices = ["a", "b", "c", "d"];
  await store(...devices.map((device, seed) => ({ device, metrics: metrics(seed) })));
  const [file] = (await live()) as [ArchivedFile];
  const before = await read(file);
  expect(before.lengths.length).toBeGreaterThan(4);
  expect(await rewriteWithout(env.WARM_0, env.COLD, file, "b")).toBe(8 * 3_600);
  const [after] = (await live()) as [ArchivedFile];
  expect(after).toMatchObject({ fromMs: file.fromMs, toMs: file.toMs, rows: 3 * 8 * 3_600 });
  expect((await read(after)).rows).toEqual(before.rows.filter(([device]) => device !== "b"));
  const edges = await env.WARM_0.prepare(
    "SELECT min_device, max_device FROM archive_file WHERE tenant = ? AND replaced_at IS NULL",
  )
    .bind(tenant)
    .first();
  expect(edges).toEqual({ min_device: "a", max_device: "d" });
});

it("[S17] a file that has nothing of the device stays; one that has nothing else goes; one that is gone is said so", async () => {
  await store({ device: "a", metrics: { t: [1] } }, { device: "c", metrics: { t: [1] } });
  await store({ device: "b", metrics: { t: [1] } });
  const [both, alone] = (await live()) as [ArchivedFile, ArchivedFile];
  await env.WARM_0.prepare("INSERT INTO tombstone VALUES (?, 'b', 0, NULL, 0)").bind(tenant).run();
  expect(await rewriteWithout(env.WARM_0, env.COLD, both, "b")).toBe(0);
  expect(await live()).toHaveLength(2);
  expect(await rewriteWithout(env.WARM_0, env.COLD, alone, "b")).toBe(1);
  expect(await live()).toEqual([both]);
  expect(await rewriteWithout(env.WARM_0, env.COLD, alone, "b")).toBeUndefined();
});

it("[S5] [S13] values that cannot be compressed, longer than a part: they leave in parts and are one file", async () => {
  const rows = 40_000;
  const value = Float64Array.from({ length: rows }, (_, i) => Math.sin(i) * 1e9);
  const columns = {
    device: new Array<string>(rows).fill("d"),
    metric: new Array<string>(rows).fill("m"),
    at: value.map((_, i) => i),
    value,
    revision: value.map(() => 1),
    block_start: new Float64Array(rows),
    block_end: new Float64Array(rows),
  };
  const file = encodeParquet(columns);
  await env.COLD.put("parts/one", file);
  const open = await openParquet(env.COLD, "parts/one", file.length);
  const groups = open.metadata.row_groups;
  const [start, end] = [bytesOfGroup(groups[0]!)[0], bytesOfGroup(groups.at(-1)!)[1]];
  const upload = new ArchiveUpload(env.COLD, "parts/many", RAW);
  await upload.write(columns);
  for (let i = 0; i < 40; i++) await upload.copy(groups, file.slice(start, end), start);
  const { bytes } = await upload.finish();
  expect(bytes).toBeGreaterThan(2 * 5 * 1024 * 1024);
  expect((await env.COLD.head("parts/many"))!.size).toBe(bytes);
  const many = await openParquet(env.COLD, "parts/many", bytes);
  expect(Number(many.metadata.num_rows)).toBe(41 * rows);
  for (const group of [0, 1, 40, 80]) {
    const [own] = await readRowGroups(many, ["value"], { group });
    const first = group === 0 ? 0 : ((group - 1) % 2) * 20_000;
    expect(Array.from(own!.value as number[]).slice(0, 20_000)).toEqual(
      Array.from(value.subarray(first, first + 20_000)),
    );
  }
});
