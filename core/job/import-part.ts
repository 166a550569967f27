// Readings of many devices ↔ one part of an import: a block for each device, UTC day and revision, behind an index.
import { dateOf } from "../archive/key.ts";
import type { Block, Column } from "../block/block.ts";
import { encodeBlock } from "../block/encode.ts";
import { DAY_MS } from "../time.ts";
import type { CheckedLine } from "./check-import.ts";

/** Where a block lies in a part, and what it holds; `minMs` and `maxMs` are its first and last instant, epoch ms. */
export interface PartEntry {
  device: string;
  date: string;
  offset: number;
  bytes: number;
  readings: number;
  minMs: number;
  maxMs: number;
  /** Of the readings in it; absent: above every revision. */
  revision?: number;
}

interface Revised {
  revision?: number | undefined;
}

/**
 * Compares what may have a revision by which value of a reading counts: that of the higher revision; those without one are above all.
 * Equal ones keep their order, in which the later counts.
 */
export const compareRevisions = (a: Revised, b: Revised): number =>
  (a.revision ?? REVISION_NONE) - (b.revision ?? REVISION_NONE);

const REVISION_NONE = 2 ** 32;

/** PERSISTED in R2 until the import is done, as JSON at the head of a part; new fields need a default. */
interface Head {
  version: 1;
  entries: PartEntry[];
}

const HEAD_LENGTH_BYTES = 4;

/** What a block of a part is of, and its readings by metric and instant. */
interface Gathered {
  device: string;
  date: string;
  revision: number | undefined;
  metrics: Map<string, Map<number, number>>;
}

/** Gathers the readings of a part. Of a (device, metric, at) that comes twice at a revision the later value counts. */
export class PartBuilder {
  readonly #blocks = new Map<string, Gathered>();

  /** Adds readings of a device at one instant; `names` and `values` are parallel. */
  add({ device, at, revision, names, values }: CheckedLine): void {
    const date = dateOf(at);
    const id = `${device}/${date}/${revision ?? ""}`;
    let block = this.#blocks.get(id);
    if (block === undefined) {
      block = { device, date, revision, metrics: new Map() };
      this.#blocks.set(id, block);
    }
    for (const [i, name] of names.entries()) {
      const column = block.metrics.get(name) ?? new Map<number, number>();
      block.metrics.set(name, column.set(at, values[i]!));
    }
  }

  /** Returns the bytes of the part: length of the head (u32 LE), head (JSON), blocks. */
  finish(): Uint8Array<ArrayBuffer> {
    return joined([...this.#blocks].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, block]) => blockOf(block)));
  }
}

type PlacedBlock = Omit<PartEntry, "offset" | "bytes"> & { block: Uint8Array };

function blockOf({ device, date, revision, metrics }: Gathered): PlacedBlock {
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
  const entry = { device, date, readings, minMs, maxMs, ...(revision === undefined ? {} : { revision }) };
  return { ...entry, block: encodeBlock(block) };
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

/**
 * Returns the index of a part, and where its head ends; offsets of entries count from the beginning of the part.
 * Undefined when `bytes` end before the head does.
 */
export function readPartHead(bytes: Uint8Array): { entries: PartEntry[]; headEnd: number } | undefined {
  if (bytes.length < HEAD_LENGTH_BYTES) return undefined;
  const headEnd = HEAD_LENGTH_BYTES + new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  if (bytes.length < headEnd) return undefined;
  const { entries } = JSON.parse(
    new TextDecoder().decode(bytes.subarray(HEAD_LENGTH_BYTES, headEnd)),
  ) as Head;
  return { entries: entries.map((entry) => ({ ...entry, offset: headEnd + entry.offset })), headEnd };
}

/** Returns the part without a device's readings. */
export function partWithout(part: Uint8Array, device: string): Uint8Array<ArrayBuffer> {
  const kept = readPartHead(part)!.entries.filter((entry) => entry.device !== device);
  return joined(
    kept.map(({ offset, bytes, ...entry }) => ({ ...entry, block: part.subarray(offset, offset + bytes) })),
  );
}
