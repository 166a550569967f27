// Reports → one compact form that crosses an RPC, waits in a socket's attachment and is applied by the device object.
import type { PackedReports } from "../../schemas/message.ts";

const HEAD = 4;
const INITIAL_VALUES = 32;

/** Collects reports of one device. `finish` returns the packed form, and may be called again after more `add`s. */
export class ReportPacker {
  readonly names: string[];
  readonly shapes: number[][];
  #rows: Float64Array;
  #length: number;
  #nameIndex = new Map<string, number>();
  #shapeIndex = new Map<string, number>();
  #lastShape = -1;
  #excess: number[];
  #reports = 0;

  /** @param from reports already packed, to go on with (taken over, not copied). */
  constructor(from?: PackedReports) {
    this.names = from?.names ?? [];
    this.shapes = from?.shapes ?? [];
    this.#rows = from?.rows ?? new Float64Array(INITIAL_VALUES);
    this.#length = from?.rows.length ?? 0;
    this.#excess = from?.excess ?? [];
    if (from !== undefined) {
      forEachReport(from, (_id, _at, _receivedAt, shape) => {
        this.readingCount += shape.length;
        this.#reports += 1;
      });
    }
    for (const [index, name] of this.names.entries()) this.#nameIndex.set(name, index);
    for (const [index, shape] of this.shapes.entries()) this.#shapeIndex.set(shape.join(), index);
  }

  /** How many bytes the reports take, names aside. */
  get byteLength(): number {
    return (this.#length + this.#excess.length) * 8;
  }

  /** How many readings were added. */
  readingCount = 0;

  /**
   * Adds one report; `names` and `values` are parallel and not empty. `isExcess`: it came beyond the device's rate and is
   * thinned.
   */
  add(
    id: number,
    at: number,
    receivedAt: number,
    names: readonly string[],
    values: readonly number[],
    isExcess = false,
  ): void {
    if (isExcess) this.#excess.push(this.#reports);
    this.#reports += 1;
    const shape = this.#shapeOf(names);
    const needed = this.#length + HEAD + values.length;
    if (needed > this.#rows.length) {
      const grown = new Float64Array(Math.max(needed, this.#rows.length * 2));
      grown.set(this.#rows.subarray(0, this.#length));
      this.#rows = grown;
    }
    const rows = this.#rows;
    let offset = this.#length;
    rows[offset++] = id;
    rows[offset++] = at;
    rows[offset++] = receivedAt;
    rows[offset++] = shape;
    for (let i = 0; i < values.length; i++) rows[offset++] = values[i]!;
    this.#length = offset;
    this.readingCount += values.length;
  }

  finish(): PackedReports {
    const packed = { names: this.names, shapes: this.shapes, rows: this.#rows.slice(0, this.#length) };
    return this.#excess.length === 0 ? packed : { ...packed, excess: [...this.#excess] };
  }

  #shapeOf(names: readonly string[]): number {
    const last = this.shapes[this.#lastShape];
    if (last !== undefined && last.length === names.length) {
      let i = 0;
      while (i < names.length && this.names[last[i]!] === names[i]) i++;
      if (i === names.length) return this.#lastShape;
    }
    const indexes = names.map((name) => {
      const known = this.#nameIndex.get(name);
      if (known !== undefined) return known;
      this.#nameIndex.set(name, this.names.length);
      return this.names.push(name) - 1;
    });
    const key = indexes.join();
    let shape = this.#shapeIndex.get(key);
    if (shape === undefined) {
      shape = this.shapes.push(indexes) - 1;
      this.#shapeIndex.set(key, shape);
    }
    this.#lastShape = shape;
    return shape;
  }
}

/**
 * Calls `visit` once for each report, in order; `valuesAt` is where its values start in `packed.rows`, `nth` counts
 * from 0.
 */
export function forEachReport(
  packed: PackedReports,
  visit: (
    id: number,
    at: number,
    receivedAt: number,
    shape: readonly number[],
    valuesAt: number,
    nth: number,
  ) => void,
): void {
  const { rows, shapes } = packed;
  for (let offset = 0, nth = 0; offset < rows.length; nth++) {
    const shape = shapes[rows[offset + 3]!]!;
    const valuesAt = offset + HEAD;
    visit(rows[offset]!, rows[offset + 1]!, rows[offset + 2]!, shape, valuesAt, nth);
    offset = valuesAt + shape.length;
  }
}

/** Returns the number of reports. Linear in them. */
export function countReports(packed: PackedReports): number {
  let count = 0;
  forEachReport(packed, () => {
    count += 1;
  });
  return count;
}

/**
 * Returns the first `count` reports, and of the others the id of the first and how many readings they have. There
 * must be more than `count`.
 */
export function splitReports(
  packed: PackedReports,
  count: number,
): { head: PackedReports; tail: { firstId: number; readings: number } } {
  let end = 0;
  const tail = { firstId: 0, readings: 0 };
  forEachReport(packed, (id, _at, _receivedAt, shape, valuesAt, nth) => {
    if (nth < count) return;
    if (nth === count) {
      end = valuesAt - HEAD;
      tail.firstId = id;
    }
    tail.readings += shape.length;
  });
  return { head: { ...packed, rows: packed.rows.slice(0, end) }, tail };
}
