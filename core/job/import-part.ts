// Readings of many devices ↔ one part of an import: a block for each device and UTC day, behind an index.
import { dateOf } from "../archive/key.ts";
import type { Block, Column } from "../block/block.ts";
import { encodeBlock } from "../block/encode.ts";

const DAY_MS = 86_400_000;

/** Where a block lies in the bytes, and what it holds; `minMs` and `maxMs` are its first and last instant. */
export interface PartEntry {
  device: string;
  date: string;
  offset: number;
  bytes: number;
  readings: number;
  minMs: number;
  maxMs: number;
}

/** PERSISTED in R2 until the import is done, as JSON at the head of a part; new fields need a default. */
interface Head {
  version: 1;
  entries: PartEntry[];
}

const HEAD_LENGTH_BYTES = 4;

/** Gathers the readings of a part; of a (device, metric, at) that comes twice the later counts. */
export class PartBuilder {
  readonly #days = new Map<string, Map<string, Map<number, number>>>();

  add(device: string, at: number, names: readonly string[], values: readonly number[]): void {
    const id = `${device}/${dateOf(at)}`;
    let metrics = this.#days.get(id);
    if (metrics === undefined) {
      metrics = new Map();
      this.#days.set(id, metrics);
    }
    for (const [i, name] of names.entries()) {
      const column = metrics.get(name) ?? new Map<number, number>();
      metrics.set(name, column.set(at, values[i]!));
    }
  }

  /** The bytes: length of the head (u32 LE), head (JSON), blocks. */
  finish(): Uint8Array<ArrayBuffer> {
    return joined(
      [...this.#days].sort(([a], [b]) => (a < b ? -1 : 1)).map(([id, metrics]) => blockOf(id, metrics)),
    );
  }
}

type PlacedBlock = Omit<PartEntry, "offset" | "bytes"> & { block: Uint8Array };

function blockOf(id: string, metrics: ReadonlyMap<string, ReadonlyMap<number, number>>): PlacedBlock {
  const [device, date] = id.split("/") as [string, string];
  const startMs = Date.parse(date);
  const columns: Column[] = [...metrics].map(([metric, points]) => {
    const at = [...points.keys()].sort((a, b) => a - b);
    return { metric, at, value: at.map((instant) => points.get(instant)!) };
  });
  const block: Block = { startMs, endMs: startMs + DAY_MS, columns };
  let readings = 0;
  let minMs = block.endMs;
  let maxMs = startMs;
  for (const { at } of columns) {
    readings += at.length;
    minMs = Math.min(minMs, at[0]!);
    maxMs = Math.max(maxMs, at.at(-1)!);
  }
  return { device, date, readings, minMs, maxMs, block: encodeBlock(block) };
}

function joined(blocks: readonly PlacedBlock[]): Uint8Array<ArrayBuffer> {
  let offset = 0;
  const entries = blocks.map(({ block, ...entry }): PartEntry => {
    const placed = { ...entry, offset, bytes: block.length };
    offset += block.length;
    return placed;
  });
  const head = new TextEncoder().encode(JSON.stringify({ version: 1, entries } satisfies Head));
  const part = new Uint8Array(HEAD_LENGTH_BYTES + head.length + offset);
  new DataView(part.buffer).setUint32(0, head.length, true);
  part.set(head, HEAD_LENGTH_BYTES);
  const bodyAt = HEAD_LENGTH_BYTES + head.length;
  for (const [i, { block }] of blocks.entries()) part.set(block, bodyAt + entries[i]!.offset);
  return part;
}

/** The index of a part; entries' offsets count from the beginning of the part. Undefined: `bytes` end before the head does. */
export function readPartHead(bytes: Uint8Array): { entries: PartEntry[]; headEnd: number } | undefined {
  if (bytes.length < HEAD_LENGTH_BYTES) return undefined;
  const headEnd = HEAD_LENGTH_BYTES + new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  if (bytes.length < headEnd) return undefined;
  const { entries } = JSON.parse(
    new TextDecoder().decode(bytes.subarray(HEAD_LENGTH_BYTES, headEnd)),
  ) as Head;
  return { entries: entries.map((entry) => ({ ...entry, offset: headEnd + entry.offset })), headEnd };
}

/** The same part without a device. */
export function partWithout(part: Uint8Array, device: string): Uint8Array<ArrayBuffer> {
  const kept = readPartHead(part)!.entries.filter((entry) => entry.device !== device);
  return joined(
    kept.map(({ offset, bytes, ...entry }) => ({ ...entry, block: part.subarray(offset, offset + bytes) })),
  );
}
