// Bytes a value of blocks and of Parquet, on recordings and on the reference device, beside JSON and DuckDB's Parquet.
import { existsSync } from "node:fs";
import { mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { DuckDBInstance } from "@duckdb/node-api";
import { dateOf } from "../core/archive/key.ts";
import { type ArchivedBlock, rawColumns } from "../core/archive/raw-rows.ts";
import { encodeBlock } from "../core/block/encode.ts";
import { OpenBlock } from "../core/device/open-block.ts";
import { alignDown, BUCKET_MS } from "../core/window/align.ts";
import { beijingAirTar } from "../scripts/recordings/beijing-air.ts";
import { nab } from "../scripts/recordings/nab.ts";
import type { RecordedReport } from "../scripts/recordings/recording.ts";
import { encodeParquet } from "../workers/aggregate/write-archive.ts";
import { atOf, metricsOf } from "./run/reports.ts";
import { count, runAlone, type Section } from "./run/section.ts";

const DATA = fileURLToPath(new URL("../../shared/data/", import.meta.url));

export async function benchBytes(quick: boolean): Promise<Section[]> {
  const folder = await mkdtemp(join(tmpdir(), "telltale-bench-bytes-"));
  try {
    const sources: [name: string, reports: RecordedReport[]][] = [
      ["10 metrics every 10 s, 1 device, 1 day", generated(1)],
    ];
    const missing = !existsSync(DATA);
    if (!missing) {
      sources.push(["Beijing air, 12 stations, hourly, March 2013", await beijing()]);
      sources.push([quick ? "NAB, 4 real series" : "NAB, all real series", await nabSeries(quick)]);
    }
    const measured = [];
    for (const [name, reports] of sources) measured.push({ name, ...(await measure(reports, folder)) });
    return [sectionOf(measured, missing)];
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

interface Sizes {
  values: number;
  json: number;
  blocks: number;
  hourFiles: number;
  dayFiles: number;
  compacted: number;
  duckdb: number;
  duckdbV2: number;
}

/** The bytes of the same readings in each form. */
async function measure(reports: readonly RecordedReport[], folder: string): Promise<Sizes> {
  const devices = blocksOf(reports);
  const archived: (ArchivedBlock & { startMs: number })[] = [...devices].flatMap(([device, blocks]) =>
    blocks.map((open) => ({ device, revision: 1, block: open.block(), startMs: open.mark.startMs })),
  );
  const columns = rawColumns(archived);
  const compacted = encodeParquet(columns);
  const filesOf = (groups: Iterable<ArchivedBlock[]>) =>
    [...groups].reduce((sum, group) => sum + encodeParquet(rawColumns(group)).length, 0);
  const path = join(folder, "compacted.parquet");
  await writeFile(path, compacted);
  return {
    values: columns.value.length,
    json: reports.reduce((sum, { at, metrics }) => sum + JSON.stringify({ at, metrics }).length, 0),
    blocks: archived.reduce((sum, { block }) => sum + encodeBlock(block).length, 0),
    hourFiles: filesOf(Map.groupBy(archived, ({ startMs }) => startMs).values()),
    dayFiles: filesOf(Map.groupBy(archived, ({ startMs }) => dateOf(startMs)).values()),
    compacted: compacted.length,
    duckdb: await duckdbBytes(path, folder, "V1"),
    duckdbV2: await duckdbBytes(path, folder, "V2"),
  };
}

/** The rows of a Parquet file, in its order, as DuckDB writes them. */
async function duckdbBytes(path: string, folder: string, version: "V1" | "V2"): Promise<number> {
  const copy = join(folder, `duckdb-${version}.parquet`);
  const connection = await (await DuckDBInstance.create(":memory:")).connect();
  await connection.run(
    `COPY (SELECT * FROM '${path}') TO '${copy}' (FORMAT parquet, COMPRESSION zstd, PARQUET_VERSION ${version})`,
  );
  connection.closeSync();
  return (await stat(copy)).size;
}

/** The blocks a device makes of reports: one an hour. */
function blocksOf(reports: readonly RecordedReport[]): Map<string, OpenBlock[]> {
  const open = new Map<string, Map<number, OpenBlock>>();
  for (const { device, at, metrics } of reports) {
    const own = open.get(device) ?? new Map<number, OpenBlock>();
    open.set(device, own);
    const startMs = alignDown(at, BUCKET_MS);
    const mark = { startMs, endMs: startMs + BUCKET_MS, slot: null, revision: 1, openedAt: at, dirty: true };
    const block = own.get(startMs) ?? new OpenBlock(mark);
    own.set(startMs, block);
    for (const [metric, value] of Object.entries(metrics)) {
      const column = block.columns().get(metric) ?? block.addColumn(metric)!;
      if (at <= (column.at.at(-1) ?? Number.NEGATIVE_INFINITY)) continue; // a few series turn back their clock
      column.at.push(at);
      column.value.push(value);
    }
  }
  return new Map([...open].map(([device, blocks]) => [device, [...blocks.values()]]));
}

const generated = (days: number): RecordedReport[] =>
  Array.from({ length: days * 8_640 }, (_, n) => ({
    device: "device-0",
    at: atOf(n),
    arrivedAt: atOf(n),
    metrics: metricsOf(n),
  }));

async function beijing(): Promise<RecordedReport[]> {
  const reports: RecordedReport[] = [];
  for await (const report of beijingAirTar(join(DATA, "beijing_air/beijing_air.tgz")).read()) {
    if (report.at >= Date.UTC(2013, 3, 1)) break;
    reports.push(report);
  }
  return reports;
}

async function nabSeries(quick: boolean): Promise<RecordedReport[]> {
  const folder = join(DATA, "nab/data");
  const names = (await readdir(folder, { recursive: true })).filter(
    (name) => name.includes("real") && name.endsWith(".csv"),
  );
  const reports: RecordedReport[] = [];
  for (const name of quick ? names.sort().slice(0, 4) : names.sort()) {
    for await (const report of nab(join(folder, name)).read()) reports.push(report);
  }
  return reports;
}

function sectionOf(measured: ({ name: string } & Sizes)[], missing: boolean): Section {
  const perValue = (bytes: number, values: number) => (bytes / values).toFixed(2);
  return {
    title: "Bytes a value: (device, metric, at, value)",
    notes: [
      "Blocks as devices make them, one an hour. Parquet by the consumer's writer: a file for the fleet's hour (what it writes now), for its day, and one compacted file.",
      "DuckDB writes the same rows in the same order with zstd; V2 allows it the newer encodings. JSON is the reports as sent.",
      ...(missing ? ["../shared/data is not there: the recordings are left out."] : []),
    ],
    head: [
      "",
      "values",
      "JSON",
      "blocks",
      "file an hour",
      "file a day",
      "compacted",
      "DuckDB",
      "DuckDB V2",
      "÷ DuckDB",
      "÷ V2",
    ],
    rows: measured.map(({ name, values, json, blocks, hourFiles, dayFiles, compacted, duckdb, duckdbV2 }) => [
      name,
      count(values),
      ...[json, blocks, hourFiles, dayFiles, compacted, duckdb, duckdbV2].map((bytes) =>
        perValue(bytes, values),
      ),
      (compacted / duckdb).toFixed(2),
      (compacted / duckdbV2).toFixed(2),
    ]),
    goals: [
      ...measured.flatMap(({ name, compacted, blocks, values, duckdb }) => [
        { what: `compacted Parquet, bytes a value, ${name}`, atMost: 0.7, measured: compacted / values },
        { what: `compacted Parquet ÷ DuckDB's, ${name}`, atMost: 0.75, measured: compacted / duckdb },
        { what: `blocks, bytes a value, ${name}`, atMost: 1.5, measured: blocks / values },
      ]),
    ],
    figures: measured,
  };
}

if (import.meta.main) await runAlone(benchBytes);
