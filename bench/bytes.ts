// Bytes a value of blocks and of Parquet, on recordings and on the reference device, beside JSON and DuckDB's Parquet.
import { existsSync } from "node:fs";
import { mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { DuckDBInstance } from "@duckdb/node-api";
import { dateOf } from "../core/archive/key.ts";
import { RAW, rowGroupRows } from "../core/archive/layout.ts";
import { type ArchivedBlock, rawColumns } from "../core/archive/raw-rows.ts";
import { decodeBlock } from "../core/block/decode.ts";
import { FakeDevice } from "../core/device/fake-device.ts";
import type { SealedBlock } from "../core/device/seal.ts";
import { beijingAirTar } from "../scripts/recordings/beijing-air.ts";
import { nab } from "../scripts/recordings/nab.ts";
import type { RecordedReport } from "../scripts/recordings/recording.ts";
import { encodeParquet } from "../workers/aggregate/archive/write-archive.ts";
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
    blocks.map(({ block, startMs }) => ({ device, revision: 1, block: decodeBlock(block), startMs })),
  );
  const columns = rawColumns(archived);
  const rows = columns.device.length;
  const compacted = encodeParquet(columns, rowGroupRows(RAW, rows, encodeParquet(columns).length));
  const filesOf = (groups: Iterable<ArchivedBlock[]>) =>
    [...groups].reduce((sum, group) => sum + encodeParquet(rawColumns(group)).length, 0);
  const path = join(folder, "compacted.parquet");
  await writeFile(path, compacted);
  return {
    values: columns.value.length,
    json: reports.reduce((sum, { at, metrics }) => sum + JSON.stringify({ at, metrics }).length, 0),
    blocks: [...devices.values()].flat().reduce((sum, { bytes }) => sum + bytes, 0),
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

/** Reports a commit of the devices below takes. */
const REPORTS_A_COMMIT = 60;

/** The blocks that devices make of reports, in the end. */
function blocksOf(reports: readonly RecordedReport[]): Map<string, SealedBlock[]> {
  const blocks = new Map<string, SealedBlock[]>();
  for (const [name, own] of Map.groupBy(reports, ({ device }) => device)) {
    const device = new FakeDevice({ latenessHorizonMs: Number.MAX_SAFE_INTEGER });
    for (let i = 0; i < own.length; i += REPORTS_A_COMMIT) {
      const some = own.slice(i, i + REPORTS_A_COMMIT);
      device.commit(some.at(-1)!.at, some);
      device.state.outbox = []; // stored
    }
    device.commit(own.at(-1)!.at, [], true);
    blocks.set(name, [...device.ring.rows.values()]);
  }
  return blocks;
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
      "Blocks as devices make them: of 15 min, 1 h or 6 h. Parquet by the consumer's writer: a file for the fleet's hour (what it writes now), for its day, and one compacted file.",
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

if (import.meta.main) runAlone(benchBytes);
