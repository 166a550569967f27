// Readings of one device → block bytes. The format is drawn in docs/block-format.md.
import { type Block, BlockError, type Column } from "./block.ts";
import { ByteWriter } from "./byte-writer.ts";
import { crc32 } from "./checksum.ts";
import { encodeIntegers } from "./encode-integers.ts";
import { encodeValues } from "./encode-values.ts";
import { FORMAT_VERSION, MAGIC, MAX_METRIC_NAME_BYTES, MAX_READINGS_PER_BLOCK } from "./format.ts";
import { float64Scratch } from "./scratch.ts";

const writer = new ByteWriter();
const offsetScratch = float64Scratch();
const textEncoder = new TextEncoder();
const textDecoder = new TextDecoder("utf-8", { fatal: false, ignoreBOM: true });

/**
 * Encodes a block; columns without readings are left out. The input is not kept or changed.
 *
 * @throws BlockError `not_finite` (NaN, ±Infinity), `not_ascending`, `out_of_span` (an instant outside the span or no
 * integer), `corrupt` (arrays of unequal length, a metric twice, over MAX_READINGS_PER_BLOCK readings).
 *
 * @example
 * encodeBlock({ startMs: 0, endMs: 3_600_000, columns: [{ metric: "temperature", at: [0, 10_000], value: [21.5, 21.6] }] })
 */
export function encodeBlock(block: Block): Uint8Array {
  writer.length = 0;
  const { startMs, endMs } = block;
  const durationMs = endMs - startMs;
  if (!Number.isInteger(startMs) || !Number.isInteger(endMs) || !(durationMs >= 0 && durationMs <= 2 ** 53)) {
    throw new BlockError(
      "out_of_span",
      `span [${startMs}, ${endMs}) is none: give integers, end not before start`,
    );
  }
  const columns = block.columns.filter((column) => column.at.length > 0 || column.value.length > 0);
  const { timelines, timelineOf } = shareTimelines(columns);
  for (const byte of MAGIC) writer.byte(byte);
  writer.byte(FORMAT_VERSION);
  writer.float64(startMs);
  writer.varint(durationMs);
  writer.varint(checkColumns(columns));
  writer.varint(timelines.length);
  for (const at of timelines) encodeTimeline(at, startMs, durationMs);
  writer.varint(columns.length);
  for (let i = 0; i < columns.length; i++) {
    encodeName(columns[i]!.metric);
    writer.varint(timelineOf[i]!);
    encodeValues(writer, columns[i]!.value);
  }
  writer.uint32(crc32(writer.bytes, writer.length));
  return writer.finish();
}

/** Checks the shape and returns the number of readings. */
function checkColumns(columns: Column[]): number {
  let readingCount = 0;
  const metrics = new Set<string>();
  for (const { metric, at, value } of columns) {
    if (at.length !== value.length) {
      throw new BlockError(
        "corrupt",
        `metric ${metric} has ${at.length} instants and ${value.length} values`,
      );
    }
    if (metrics.has(metric)) throw new BlockError("corrupt", `metric ${metric} has two columns: merge them`);
    metrics.add(metric);
    readingCount += at.length;
  }
  if (readingCount > MAX_READINGS_PER_BLOCK) {
    throw new BlockError(
      "corrupt",
      `${readingCount} readings exceed the ${MAX_READINGS_PER_BLOCK} of a block: split the span`,
    );
  }
  return readingCount;
}

/** The distinct timelines, and for each column the index of its own: metrics of one report share their instants. */
function shareTimelines(columns: Column[]): { timelines: number[][]; timelineOf: number[] } {
  const timelines: number[][] = [];
  const timelineOf: number[] = [];
  for (const { at } of columns) {
    let index = 0;
    while (index < timelines.length && !sameTimeline(timelines[index]!, at)) index++;
    if (index === timelines.length) timelines.push(at);
    timelineOf.push(index);
  }
  return { timelines, timelineOf };
}

function sameTimeline(a: number[], b: number[]): boolean {
  if (a === b) return true;
  const count = a.length;
  if (count !== b.length || a[count - 1] !== b[count - 1] || a[count >>> 1] !== b[count >>> 1]) return false;
  for (let i = 0; i < count; i++) if (a[i] !== b[i]) return false;
  return true;
}

function encodeTimeline(at: number[], startMs: number, durationMs: number): void {
  const count = at.length;
  const offsets = offsetScratch(count);
  let before = -1;
  for (let i = 0; i < count; i++) {
    const offset = at[i]! - startMs;
    if (!(offset >= 0 && offset < durationMs && Math.floor(offset) === offset)) {
      throw new BlockError(
        "out_of_span",
        `instant ${at[i]} is no integer in [${startMs}, ${startMs + durationMs})`,
      );
    }
    if (offset <= before) {
      throw new BlockError(
        "not_ascending",
        `instant ${at[i]} follows ${before + startMs}: sort and de-duplicate`,
      );
    }
    offsets[i] = offset;
    before = offset;
  }
  writer.varint(count);
  encodeIntegers(writer, offsets, count);
}

/** Appends a length and UTF-8; ASCII, the common case, without TextEncoder. */
function encodeName(metric: string): void {
  const length = metric.length;
  writer.reserve(length + 8);
  const start = writer.length;
  if (length < 128) {
    const bytes = writer.bytes;
    let index = start;
    bytes[index++] = length;
    let union = 0;
    for (let i = 0; i < length; i++) {
      const unit = metric.charCodeAt(i);
      union |= unit;
      bytes[index++] = unit;
    }
    if (union < 128) {
      writer.length = index;
      return;
    }
  }
  const utf8 = textEncoder.encode(metric);
  if (utf8.length > MAX_METRIC_NAME_BYTES || textDecoder.decode(utf8) !== metric) {
    throw new BlockError(
      "corrupt",
      `metric name of ${utf8.length} bytes must be well-formed text of at most ${MAX_METRIC_NAME_BYTES}`,
    );
  }
  writer.varint(utf8.length);
  writer.reserve(utf8.length);
  writer.bytes.set(utf8, writer.length);
  writer.length += utf8.length;
}
