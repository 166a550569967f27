// Reports → one compact form that crosses an RPC, waits in a socket's attachment and is applied by the device object.
import type { PackedReports } from "../../schemas/message.ts";

const HEAD = 4;
const INITIAL_VALUES = 32;

/** Collects reports of one device; `finish` gives the packed form and may be called again after more `add`s. */
export class ReportPacker {
  readonly names: string[];
  readonly shapes: number[][];
  #rows: Float64Array;
  #length: number;
  #nameIndex = new Map<string, number>();
  #shapeIndex = new Map<string, number>();
  #lastShape = -1;

  /** @param from reports already packed, to go on with (taken over, not copied). */
  constructor(from?: PackedReports) {
    this.names = from?.names ?? [];
    this.shapes = from?.shapes ?? [];
    this.#rows = from?.rows ?? new Float64Array(INITIAL_VALUES);
    this.#length = from?.rows.length ?? 0;
    if (from !== undefined) {
      forEachReport(from, (_id, _at, _receivedAt, shape) => {
        this.readingCount += shape.length;
      });
    }
    for (const [index, name] of this.names.entries()) this.#nameIndex.set(name, index);
    for (const [index, shape] of this.shapes.entries()) this.#shapeIndex.set(shape.join(), index);
  }

  /** How many bytes the reports take, names aside. */
  get byteLength(): number {
    return this.#length * 8;
  }

  /** How many readings were added. */
  readingCount = 0;

  get isEmpty(): boolean {
    return this.#length === 0;
  }

  /** Adds one report; `names` and `values` are parallel and not empty. */
  add(id: number, at: number, receivedAt: number, names: readonly string[], values: readonly number[]): void {
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
    return { names: this.names, shapes: this.shapes, rows: this.#rows.slice(0, this.#length) };
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

/** Calls `visit` once per report, in order; `valuesAt` is where its values start in `packed.rows`. */
export function forEachReport(
  packed: PackedReports,
  visit: (id: number, at: number, receivedAt: number, shape: readonly number[], valuesAt: number) => void,
): void {
  const { rows, shapes } = packed;
  for (let offset = 0; offset < rows.length; ) {
    const shape = shapes[rows[offset + 3]!]!;
    const valuesAt = offset + HEAD;
    visit(rows[offset]!, rows[offset + 1]!, rows[offset + 2]!, shape, valuesAt);
    offset = valuesAt + shape.length;
  }
}
