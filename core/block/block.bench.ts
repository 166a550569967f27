// Prints ns a value and bytes a value of the block codec, beside JSON and a raw copy in the same run.
// Run: node core/block/block.bench.ts. The recordings are used where ../shared/data exists.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import type { Block, Column } from "./block.ts";
import { decodeBlock } from "./decode.ts";
import { encodeBlock } from "./encode.ts";

const HOUR_MS = 3_600_000;
const DATA = new URL("../../../shared/data/", import.meta.url);

/** Bytes of a (time, value) on a 2-decimal series, measured for Gorilla (goals.md). */
const GORILLA_BYTES = 6.2;

/** A device of 10 metrics every 10 s: two-decimal random walks of several roughnesses. */
function generated(rowCount: number, startMs = 1_763_812_800_000): Block {
  let seed = 7;
  const random = () => {
    seed = (Math.imul(seed, 1664525) + 1013904223) | 0;
    return (seed >>> 0) / 2 ** 32;
  };
  const noise = () => random() + random() + random() + random() - 2;
  const at = Array.from({ length: rowCount }, (_, i) => startMs + i * 10_000);
  const columns = Array.from({ length: 10 }, (_, n) => {
    let level = 20 + n * 7;
    const value = at.map((_, i) => {
      level += noise() * 0.09 * (n % 4);
      return Math.round((level + noise() * 0.035 * (n % 3) + Math.sin(i / 60)) * 100) / 100;
    });
    return { metric: `metric_${n}`, at: at.slice(), value };
  });
  return { startMs, endMs: startMs + Math.max(rowCount * 10_000, HOUR_MS), columns };
}

/** Cuts the columns of a recording into blocks of `spanMs`. */
function cut(columns: Column[], spanMs: number): Block[] {
  const blocks = new Map<number, Map<string, Column>>();
  for (const { metric, at, value } of columns) {
    at.forEach((t, i) => {
      const startMs = Math.floor(t / spanMs) * spanMs;
      const block = blocks.get(startMs) ?? new Map<string, Column>();
      blocks.set(startMs, block);
      const column = block.get(metric) ?? { metric, at: [], value: [] };
      block.set(metric, column);
      if (t <= (column.at.at(-1) ?? Number.NEGATIVE_INFINITY)) return;
      column.at.push(t);
      column.value.push(value[i]!);
    });
  }
  return [...blocks].map(([startMs, block]) => ({
    startMs,
    endMs: startMs + spanMs,
    columns: [...block.values()],
  }));
}

function* tarFiles(tar: Buffer): Generator<string> {
  for (let index = 0; index + 512 <= tar.length && tar[index] !== 0; ) {
    const size = Number.parseInt(tar.toString("latin1", index + 124, index + 135), 8);
    if (tar.toString("latin1", index, index + 100).includes(".csv"))
      yield tar.toString("utf8", index + 512, index + 512 + size);
    index += 512 + Math.ceil(size / 512) * 512;
  }
}

function beijing(spanMs: number): Block[] {
  const tar = gunzipSync(readFileSync(new URL("beijing_air/beijing_air.tgz", DATA)));
  return [...tarFiles(tar)].slice(0, 3).flatMap((text) => {
    const [header, ...rows] = text
      .trim()
      .split("\n")
      .map((line) => line.replaceAll('"', "").split(","));
    const columns = header!.slice(5, 17).map((metric): Column => ({ metric, at: [], value: [] }));
    for (const row of rows) {
      const at = Date.UTC(Number(row[1]), Number(row[2]) - 1, Number(row[3]), Number(row[4]));
      columns.forEach((column, n) => {
        const value = Number(row[5 + n]);
        if (Number.isNaN(value)) return;
        column.at.push(at);
        column.value.push(value);
      });
    }
    return cut(columns, spanMs);
  });
}

function nab(): Block[] {
  const folder = new URL("nab/data/", DATA);
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => name.includes("real") && name.endsWith(".csv"))
    .flatMap((name) => {
      const rows = readFileSync(new URL(name, folder), "utf8").trim().split("\n").slice(1);
      const cells = rows.map((row) => row.split(","));
      const at = cells.map((cell) => Date.parse(`${cell[0]!.replace(" ", "T")}Z`));
      return cut([{ metric: "value", at, value: cells.map((cell) => Number(cell[1])) }], 30 * 24 * HOUR_MS);
    });
}

function tourPerret(): Block[] {
  const name = "campusiot/TourPerret_ems-tourperret-A81758FFFE04B1C1-2.ndjson.gz";
  const columns = new Map<string, Column>();
  for (const line of gunzipSync(readFileSync(new URL(name, DATA)))
    .toString()
    .split("\n")) {
    if (!line.startsWith("{")) continue;
    const uplink = JSON.parse(line);
    for (const [metric, value] of Object.entries({ ...uplink.decoded?.payload, fcnt: uplink.fcnt })) {
      if (typeof value !== "number") continue;
      const column = columns.get(metric) ?? { metric, at: [], value: [] };
      columns.set(metric, column);
      column.at.push(uplink.reported_at);
      column.value.push(value);
    }
  }
  return cut([...columns.values()], 7 * 24 * HOUR_MS);
}

/** Best of 5 runs of at least 100 ms, in ns a call. */
function measureNs(run: () => void): number {
  let best = Number.POSITIVE_INFINITY;
  for (let n = 0; n < 5; n++) {
    const startedAt = performance.now();
    let calls = 0;
    while (performance.now() - startedAt < 100) {
      run();
      calls++;
    }
    best = Math.min(best, ((performance.now() - startedAt) * 1e6) / calls);
  }
  return best;
}

function report(name: string, blocks: Block[]): void {
  const valueCount = blocks.reduce(
    (sum, { columns }) => columns.reduce((n, { at }) => n + at.length, sum),
    0,
  );
  const encoded = blocks.map(encodeBlock);
  const texts = blocks.map((block) => JSON.stringify(block));
  const byteCount = encoded.reduce((sum, bytes) => sum + bytes.length, 0);
  const perValue = (total: number) => (total / valueCount).toFixed(1).padStart(7);
  const encodeNs = measureNs(() => blocks.forEach(encodeBlock));
  const decodeNs = measureNs(() => encoded.forEach(decodeBlock));
  const stringifyNs = measureNs(() => blocks.map((block) => JSON.stringify(block)));
  const parseNs = measureNs(() => texts.map((text) => JSON.parse(text)));
  const copyNs = measureNs(() =>
    blocks.map(({ columns }) =>
      columns.map(({ at, value }) => [Float64Array.from(at), Float64Array.from(value)]),
    ),
  );
  console.log(
    name.padEnd(26),
    String(valueCount).padStart(8),
    (byteCount / valueCount).toFixed(2).padStart(7),
    perValue(encodeNs),
    perValue(decodeNs),
    (encodeNs / blocks.length / 1000).toFixed(1).padStart(9),
    perValue(stringifyNs),
    perValue(parseNs),
    perValue(copyNs),
  );
}

console.log(
  `node ${process.version}, ${process.platform} ${process.arch}; Gorilla: ${GORILLA_BYTES} bytes a value`,
);
console.log(
  [
    "".padEnd(26),
    "  values",
    "bytes/v",
    " encode",
    " decode",
    " µs/block",
    "to JSON",
    " parse",
    "Float64Array, ns/v",
  ].join(" "),
);
for (const rowCount of [1, 6, 36, 360, 3600])
  report(`generated, 10 × ${rowCount} rows`, [generated(rowCount)]);
if (existsSync(DATA)) {
  report("Beijing air, day", beijing(24 * HOUR_MS));
  report("Beijing air, month", beijing(30 * 24 * HOUR_MS));
  report("NAB, real series, month", nab());
  report("Tour Perret LoRaWAN, week", tourPerret());
}
