// Sorted rows of several files → the same rows as one sorted file, of each reading or hour only the highest revision.
import { type Column, type Layout, type Rows, rowGroupEnd } from "./layout.ts";
import { compare } from "./raw-rows.ts";

/** A file's rows, some at a time, sorted by device, metric and time. */
export type RowSource = AsyncIterator<Rows, unknown, undefined>;

/**
 * Merges files of one layout and yields row groups; each is valid until the next is asked for. In memory are the rows
 * each source yielded last, and one group. `groupRows` is called for each group and returns how long it should be, at
 * most what the layout allows.
 */
export async function* mergeRows(
  layout: Layout,
  sources: readonly RowSource[],
  groupRows: () => number,
): AsyncGenerator<Rows> {
  let heads: Head[] = [];
  for (const source of sources) {
    const head = await Head.open(layout, source);
    if (head !== undefined) heads.push(head);
  }
  const group = new GroupBuilder(layout);
  while (heads.length > 0) {
    const least = heads.reduce((a, b) => (compareHeads(b, a) < 0 ? b : a));
    let untilMs = Number.POSITIVE_INFINITY;
    for (const head of heads) {
      if (head !== least && head.isOfSeries(least.device, least.metric))
        untilMs = Math.min(untilMs, head.time);
    }
    const end = least.endOfStretch(untilMs);
    for (let start = least.row; start < end; ) {
      start += group.copyFrom(least.rows, start, end);
      if (group.isFull) yield* group.groups(groupRows);
    }
    least.row = end;
    if (least.isAtEnd && !(await least.more())) heads = heads.filter((head) => head !== least);
  }
  yield* group.groups(groupRows, true);
}

/** Where the merge is in a source. */
class Head {
  row = 0;
  rows: Rows;
  readonly #layout: Layout;
  readonly #source: RowSource;

  private constructor(layout: Layout, source: RowSource, rows: Rows) {
    this.#layout = layout;
    this.#source = source;
    this.rows = rows;
  }

  static async open(layout: Layout, source: RowSource): Promise<Head | undefined> {
    const head = new Head(layout, source, { device: [], metric: [] });
    return (await head.more()) ? head : undefined;
  }

  get device(): string {
    return this.rows.device[this.row]!;
  }

  get metric(): string {
    return this.rows.metric[this.row]!;
  }

  get time(): number {
    return this.rows[this.#layout.time]![this.row] as number;
  }

  get isAtEnd(): boolean {
    return this.row === this.rows.device.length;
  }

  /** Goes on to the rows that the source yields next; false at its end. */
  async more(): Promise<boolean> {
    do {
      const next = await this.#source.next();
      if (next.done) return false;
      this.rows = next.value;
      this.row = 0;
    } while (this.isAtEnd);
    return true;
  }

  isOfSeries(device: string, metric: string): boolean {
    return this.metric === metric && this.device === device;
  }

  /** The end of the rows from here on that are one series, ascending without repetition, and all before `untilMs`. */
  endOfStretch(untilMs: number): number {
    const { device, metric } = this.rows;
    const time = this.rows[this.#layout.time]! as ArrayLike<number>;
    const [ofDevice, ofMetric] = [this.device, this.metric];
    let end = this.row + 1;
    while (
      end < device.length &&
      time[end]! < untilMs &&
      time[end]! > time[end - 1]! &&
      metric[end] === ofMetric &&
      device[end] === ofDevice
    )
      end++;
    return end;
  }
}

const compareHeads = (a: Head, b: Head) =>
  compare(a.device, b.device) || compare(a.metric, b.metric) || a.time - b.time;

/** Rows in the order they come, cut into row groups; a row that repeats the last one's key replaces it or is left out. */
class GroupBuilder {
  readonly #layout: Layout;
  readonly #columns: Rows;
  readonly #capacity: number;
  #length = 0;

  constructor(layout: Layout) {
    this.#layout = layout;
    this.#capacity = layout.groupRowsMax + 1;
    const columns = layout.columns.map(({ name, type, isNullable }): [string, Column] => [
      name,
      type === "STRING" || isNullable ? new Array(this.#capacity) : new Float64Array(this.#capacity),
    ]);
    this.#columns = Object.fromEntries(columns) as Rows;
  }

  /** No further row can be taken before groups are. */
  get isFull(): boolean {
    return this.#length === this.#capacity;
  }

  /** Takes rows of one series, ascending without repetition, as far as there is room; says how many it saw to. */
  copyFrom(rows: Rows, start: number, end: number): number {
    if (this.#repeats(rows, start)) {
      const isNewer =
        (rows.revision![start] as number) > (this.#columns.revision![this.#length - 1] as number);
      if (isNewer) this.#copy(rows, start, start + 1, this.#length - 1);
      return 1;
    }
    const count = Math.min(end - start, this.#capacity - this.#length);
    this.#copy(rows, start, start + count, this.#length);
    this.#length += count;
    return count;
  }

  /** The groups that are complete whatever comes: what is left may still be replaced or go on. `isEnd`: nothing comes. */
  *groups(groupRows: () => number, isEnd = false): Generator<Rows> {
    let start = 0;
    while (this.#length - start > (isEnd ? 0 : groupRows())) {
      const end = rowGroupEnd(this.#columns, start, this.#length, groupRows());
      yield part(this.#columns, start, end);
      start = end;
    }
    for (const column of Object.values(this.#columns)) column.copyWithin(0, start, this.#length);
    this.#length -= start;
  }

  #repeats(rows: Rows, row: number): boolean {
    const last = this.#length - 1;
    const own = this.#columns;
    const { time } = this.#layout;
    return (
      last >= 0 &&
      own[time]![last] === rows[time]![row] &&
      own.metric[last] === rows.metric[row] &&
      own.device[last] === rows.device[row]
    );
  }

  #copy(rows: Rows, start: number, end: number, to: number): void {
    for (const [name, column] of Object.entries(this.#columns)) {
      const from = rows[name]!;
      for (let row = start, at = to; row < end; row++, at++) column[at] = from[row]!;
    }
  }
}

/** A range of rows: of numbers the same memory, which is written over when the next is asked for. */
const part = (rows: Rows, start: number, end: number): Rows =>
  Object.fromEntries(
    Object.entries(rows).map(([name, column]) => [
      name,
      column instanceof Float64Array ? column.subarray(start, end) : column.slice(start, end),
    ]),
  ) as Rows;
