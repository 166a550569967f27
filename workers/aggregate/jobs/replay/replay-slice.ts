// Raw files of one day → the rows of some devices in memory, reading only the row groups that can hold them.
import type { Rows } from "../../../../core/archive/layout.ts";
import { NewestRows, type Slice } from "../../../../core/job/newest-rows.ts";
import { nextDevices, type SliceLimits, type SliceStart, stretchEnd } from "../../../../core/job/slices.ts";
import { inLanes } from "../../../lanes.ts";
import { type OpenParquet, openParquet, readRowGroups } from "../../../parquet.ts";

const COLUMNS = ["device", "metric", "at", "value", "revision", "block_start", "block_end"];
/** A Worker has six connections, and each row group read may take 8 MB. */
const READ_AT_ONCE = 4;

/** A raw file of the archive, and its length. */
export interface RawFile {
  key: string;
  bytes: number;
}

/** A row group, and what its footer says it can hold. */
interface Group {
  file: OpenParquet;
  number: number;
  rows: number;
  minDevice: string;
  maxDevice: string;
  minMs: number;
  maxMs: number;
}

/** The files of a day, opened: their footers are in memory. */
export class RawDay {
  readonly #groups: readonly Group[];
  readonly fromMs: number;
  readonly toMs: number;

  private constructor(groups: readonly Group[], fromMs: number, toMs: number) {
    this.#groups = groups;
    this.fromMs = fromMs;
    this.toMs = toMs;
  }

  /**
   * Reads the footers of files that may have readings of `[fromMs, toMs)`.
   * @throws when a file is gone or R2 fails.
   */
  static async open(
    bucket: R2Bucket,
    files: readonly RawFile[],
    fromMs: number,
    toMs: number,
  ): Promise<RawDay> {
    const groups: Group[] = [];
    await inLanes(files, READ_AT_ONCE, async ({ key, bytes }) => {
      const file = await openParquet(bucket, key, bytes);
      groups.push(...groupsOf(file).filter(({ minMs, maxMs }) => minMs < toMs && maxMs >= fromMs));
    });
    return new RawDay(groups, fromMs, toMs);
  }

  /**
   * Counts the rows each device has from `place` on, superseded ones included. `among`: only these devices; absent:
   * all.
   */
  async survey({ device: first }: SliceStart, among?: ReadonlySet<string>): Promise<Map<string, number>> {
    const rowsOf = new Map<string, number>();
    const count = (device: string, rows: number) => {
      if (device >= first && (among === undefined || among.has(device)))
        rowsOf.set(device, (rowsOf.get(device) ?? 0) + rows);
    };
    const left = this.#groups.filter(({ maxDevice }) => maxDevice >= first);
    await inLanes(left, READ_AT_ONCE, async ({ file, number, rows, minDevice, maxDevice }) => {
      if (minDevice === maxDevice) return count(minDevice, rows);
      const [column] = await readRowGroups(file, ["device"], { group: number });
      for (const device of column!.device) count(device, 1);
    });
    return rowsOf;
  }

  /** Returns the next slice at or after `place`, of what `survey` counted; undefined: the day is done. */
  plan(rowsOf: ReadonlyMap<string, number>, place: SliceStart, limits: SliceLimits): Slice | undefined {
    const devices = nextDevices(rowsOf, place, limits);
    if (devices === undefined) return undefined;
    const [first] = devices as [string];
    const fromMs = first === place.device ? Math.max(place.fromMs, this.fromMs) : this.fromMs;
    const own = rowsOf.get(first)!;
    const toMs = own > limits.rows ? this.#stretchEnd(first, fromMs, own, limits.rows) : this.toMs;
    return { devices: new Set(devices), fromMs, toMs };
  }

  /** Row groups say how many rows they have, and not how many of them are the device's. */
  #stretchEnd(device: string, fromMs: number, own: number, rows: number): number {
    const groups = this.#groups.filter(
      ({ minDevice, maxDevice }) => minDevice <= device && maxDevice >= device,
    );
    const all = groups.reduce((sum, group) => sum + group.rows, 0);
    return stretchEnd(groups, fromMs, this.toMs, (rows * all) / own);
  }

  /**
   * Reads the rows of a slice, each reading once; where readings are bunched they are more than planned.
   * @throws when R2 fails.
   */
  async read(slice: Slice): Promise<NewestRows> {
    const rows = new NewestRows();
    const devices = [...slice.devices].sort();
    const [first, last] = [devices[0]!, devices.at(-1)!];
    const wanted = this.#groups.filter(
      ({ minDevice, maxDevice, minMs, maxMs }) =>
        minDevice <= last && maxDevice >= first && minMs < slice.toMs && maxMs >= slice.fromMs,
    );
    let settledAt = SETTLE_ROWS;
    await inLanes(wanted, READ_AT_ONCE, async ({ file, number }) => {
      const [group] = await readRowGroups(file, COLUMNS, { group: number });
      rows.add(group as Rows, slice);
      if (rows.count < settledAt) return;
      rows.settle();
      settledAt = rows.count + SETTLE_ROWS;
    });
    rows.settle();
    return rows;
  }
}

/** Superseded rows are thrown away each time so many have been read. */
const SETTLE_ROWS = 250_000;

/**
 * Reads the rows of a slice, its end moved so that no block reaches over it: earlier, or as late as the end of the
 * block that fills it. Returns the rows, and the slice with that end.
 * @throws when R2 fails.
 */
export async function readWholeBlocks(
  day: RawDay,
  slice: Slice,
  rowsMax: number,
): Promise<{ rows: NewestRows; slice: Slice }> {
  let rows = await day.read(slice);
  let { toMs } = slice;
  if (slice.devices.size === 1 && rows.count > 2 * rowsMax) {
    toMs = Math.max(rows.median(), slice.fromMs + 1);
    rows.cut(toMs);
  }
  for (;;) {
    const over = toMs < day.toMs ? rows.spanOver(toMs) : undefined;
    if (over === undefined) return { rows, slice: { ...slice, toMs } };
    const [startMs, endMs] = over;
    if (startMs > slice.fromMs) {
      toMs = startMs;
      rows.cut(toMs);
    } else {
      toMs = endMs;
      rows = await day.read({ ...slice, toMs });
    }
  }
}

/** Returns where the slice after this one begins. */
export function placeAfter({ devices, toMs }: Slice, dayEndMs: number): SliceStart {
  const last = [...devices].sort().at(-1)!;
  // No device's name has a "!", and every name that goes on after this one is greater.
  return toMs < dayEndMs ? { device: last, fromMs: toMs } : { device: `${last}!`, fromMs: 0 };
}

function groupsOf(file: OpenParquet): Group[] {
  return file.metadata.row_groups.map((group, number) => {
    const statistics = (name: string) =>
      group.columns.find(({ meta_data }) => meta_data?.path_in_schema[0] === name)?.meta_data?.statistics;
    const device = statistics("device");
    const at = statistics("at");
    return {
      file,
      number,
      rows: Number(group.num_rows),
      minDevice: (device?.min_value as string | undefined) ?? "",
      maxDevice: (device?.max_value as string | undefined) ?? "~",
      minMs: Number(at?.min_value ?? Number.NEGATIVE_INFINITY),
      maxMs: Number(at?.max_value ?? Number.POSITIVE_INFINITY),
    };
  });
}
