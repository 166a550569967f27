// Rows of raw files → of each reading the one of the highest revision, and the blocks these came with.
import type { Rows } from "../archive/layout.ts";
import type { Block } from "../block/block.ts";
import { HOUR_MS } from "../time.ts";
import { alignDown } from "../window/align.ts";

/** What a walk takes of the files: readings of these devices with an `at` in `[fromMs, toMs)`, epoch ms. */
export interface Slice {
  devices: ReadonlySet<string>;
  fromMs: number;
  toMs: number;
}

/** Rows of one metric of one device as parallel arrays; after `settle` ascending, each instant once. */
interface Series {
  at: number[];
  value: number[];
  revision: number[];
  startMs: number[];
  endMs: number[];
}

const COLUMNS = ["at", "value", "revision", "startMs", "endMs"] as const;

/** A block, and its revision. */
export interface RevisedBlock {
  revision: number;
  block: Block;
}

/**
 * Gathers rows of raw files by device and metric, and keeps of each reading the row of the highest revision. Rows of
 * layout raw/1 do not say their block, which was an hour then.
 */
export class NewestRows {
  readonly #devices = new Map<string, Map<string, Series>>();
  #count = 0;

  /** How many rows are held; `settle` makes them fewer where readings were stored at several revisions. */
  get count(): number {
    return this.#count;
  }

  /** Takes the rows of a row group that belong to the slice. */
  add(rows: Rows, { devices, fromMs, toMs }: Slice): void {
    const { device, metric, at, value, revision, block_start, block_end } = rows;
    let series: Series | undefined;
    for (let row = 0; row < device.length; row++) {
      const isOfAnother = row === 0 || device[row] !== device[row - 1] || metric[row] !== metric[row - 1];
      if (isOfAnother)
        series = devices.has(device[row]!) ? this.#seriesOf(device[row]!, metric[row]!) : undefined;
      const instant = at![row] as number;
      if (series === undefined || instant < fromMs || instant >= toMs) continue;
      const hourMs = alignDown(instant, HOUR_MS);
      series.at.push(instant);
      series.value.push(value![row] as number);
      series.revision.push(revision![row] as number);
      series.startMs.push((block_start?.[row] as number | undefined) ?? hourMs);
      series.endMs.push((block_end?.[row] as number | undefined) ?? hourMs + HOUR_MS);
      this.#count += 1;
    }
  }

  #seriesOf(device: string, metric: string): Series {
    const metrics = this.#devices.get(device) ?? new Map<string, Series>();
    this.#devices.set(device, metrics);
    const series = metrics.get(metric) ?? { at: [], value: [], revision: [], startMs: [], endMs: [] };
    metrics.set(metric, series);
    return series;
  }

  /** Keeps of each reading the row of the highest revision. */
  settle(): void {
    this.#count = 0;
    for (const metrics of this.#devices.values()) {
      for (const [metric, series] of metrics) {
        const settled = newestOf(series);
        metrics.set(metric, settled);
        this.#count += settled.at.length;
      }
    }
  }

  /** Forgets the rows of a device. */
  forget(device: string): void {
    for (const { at } of this.#devices.get(device)?.values() ?? []) this.#count -= at.length;
    this.#devices.delete(device);
  }

  /** Forgets the rows from `cutMs` on. */
  cut(cutMs: number): void {
    this.#count = 0;
    for (const series of this.#all()) {
      const kept = series.at.map((at) => at < cutMs);
      for (const name of COLUMNS) series[name] = series[name].filter((_, row) => kept[row]);
      this.#count += series.at.length;
    }
  }

  /** Returns the instant in the middle of the rows held: half of them lie before it. There has to be a row. */
  median(): number {
    const instants = [...this.#all()].flatMap(({ at }) => at).sort((a, b) => a - b);
    return instants[instants.length >>> 1]!;
  }

  /** Returns one span over all blocks that have a row held and reach over `cutMs`; undefined when none does. */
  spanOver(cutMs: number): [startMs: number, endMs: number] | undefined {
    let [start, end] = [cutMs, cutMs];
    for (const { startMs, endMs } of this.#all()) {
      for (const [row, startOf] of startMs.entries()) {
        if (startOf >= cutMs || endMs[row]! <= cutMs) continue;
        start = Math.min(start, startOf);
        end = Math.max(end, endMs[row]!);
      }
    }
    return start < cutMs ? [start, end] : undefined;
  }

  /**
   * Returns the blocks of a device, ascending, once settled: no reading is in two of them. Of a block that was cut
   * and whose later part is not stored yet, the rows behind the cut are left out: they come with that part, at its
   * higher revision.
   */
  blocksOf(device: string): RevisedBlock[] {
    const blocks = new Map<number, RevisedBlock>();
    for (const [metric, { at, value, revision, startMs, endMs }] of this.#devices.get(device) ?? []) {
      for (let row = 0; row < at.length; row++) {
        const start = startMs[row]!;
        let of = blocks.get(start);
        if (of === undefined) {
          of = { revision: 0, block: { startMs: start, endMs: endMs[row]!, columns: [] } };
          blocks.set(start, of);
        }
        if (revision[row]! > of.revision) {
          of.revision = revision[row]!;
          of.block.endMs = endMs[row]!;
        }
        let column = of.block.columns.at(-1);
        if (column?.metric !== metric) {
          column = { metric, at: [], value: [] };
          of.block.columns.push(column);
        }
        column.at.push(at[row]!);
        column.value.push(value[row]!);
      }
    }
    for (const { block } of blocks.values()) dropFrom(block, block.endMs);
    return [...blocks.values()].sort((a, b) => a.block.startMs - b.block.startMs);
  }

  /** Returns the readings of a device by metric, once settled; empty when it has none. */
  readingsOf(device: string): ReadonlyMap<string, Pick<Series, "at" | "value">> {
    return this.#devices.get(device) ?? new Map();
  }

  *#all(): Generator<Series> {
    for (const metrics of this.#devices.values()) yield* metrics.values();
  }
}

/** Takes the readings from `endMs` on out of the block; a column's instants ascend. */
function dropFrom(block: Block, endMs: number): void {
  for (const { at, value } of block.columns) {
    if (at.at(-1)! < endMs) continue;
    at.length = at.findIndex((instant) => instant >= endMs);
    value.length = at.length;
  }
  block.columns = block.columns.filter(({ at }) => at.length > 0);
}

function newestOf(series: Series): Series {
  const { at, revision } = series;
  if (at.every((instant, row) => row === 0 || at[row - 1]! < instant)) return series;
  const order = at.map((_, row) => row).sort((a, b) => at[a]! - at[b]! || revision[a]! - revision[b]!);
  const newest = order.filter((row, i) => i + 1 === order.length || at[order[i + 1]!] !== at[row]);
  return Object.fromEntries(
    COLUMNS.map((name) => [name, newest.map((row) => series[name][row]!)]),
  ) as unknown as Series;
}
