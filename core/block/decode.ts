// Block bytes → readings of one device. The format is drawn in docs/block-format.md.
import { type Block, BlockError, type Column } from "./block.ts";
import { ByteReader } from "./byte-reader.ts";
import { crc32 } from "./checksum.ts";
import { decodeIntegers } from "./decode-integers.ts";
import { decodeValues, toArray } from "./decode-values.ts";
import {
  CHECKSUM_BYTES,
  FIXED_HEADER_BYTES,
  FORMAT_VERSION,
  MAGIC,
  MAX_METRIC_NAME_BYTES,
  MAX_READINGS_PER_BLOCK,
} from "./format.ts";
import { float64Scratch } from "./scratch.ts";

/** A block's span, epoch ms, and how many readings it has. */
export interface BlockHeader {
  startMs: number;
  endMs: number;
  readingCount: number;
}

const offsetScratch = float64Scratch();
const textDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Reads the span and the number of readings; neither decodes columns nor verifies the checksum.
 * @throws BlockError `bad_magic`, `unknown_version`, `truncated`, `corrupt`.
 */
export function readBlockHeader(bytes: Uint8Array): BlockHeader {
  return readHeader(openBlock(bytes));
}

/**
 * Decodes a block; every column owns its arrays. Time and memory are bounded by MAX_READINGS_PER_BLOCK, whatever the
 * bytes are.
 * @throws BlockError `bad_magic`, `unknown_version`, `truncated`, `corrupt` for bytes that `encodeBlock` did not write.
 *
 * @example
 * decodeBlock(encodeBlock(block)) // equals block, zero-reading columns left out
 */
export function decodeBlock(bytes: Uint8Array): Block {
  const reader = openBlock(bytes);
  const { startMs, endMs, readingCount } = readHeader(reader);
  if (crc32(bytes, reader.endIndex) !== reader.view.getUint32(reader.endIndex)) {
    throw new BlockError("corrupt", `checksum of a block of ${bytes.length} bytes does not match`);
  }
  const timelines = decodeTimelines(reader, startMs, endMs, readingCount);
  const columns = decodeColumns(reader, timelines, readingCount);
  if (reader.index !== reader.endIndex) {
    throw new BlockError("corrupt", `${reader.endIndex - reader.index} bytes follow the last column`);
  }
  return { startMs, endMs, columns };
}

function openBlock(bytes: Uint8Array): ByteReader {
  for (let i = 0; i < MAGIC.length; i++) {
    if (i < bytes.length && bytes[i] !== MAGIC[i]) {
      throw new BlockError("bad_magic", `byte ${i} is ${bytes[i]}: these bytes are no block`);
    }
  }
  if (bytes.length > MAGIC.length && bytes[MAGIC.length] !== FORMAT_VERSION) {
    throw new BlockError(
      "unknown_version",
      `block version ${bytes[MAGIC.length]}, known is ${FORMAT_VERSION}`,
    );
  }
  if (bytes.length < FIXED_HEADER_BYTES + CHECKSUM_BYTES) {
    throw new BlockError("truncated", `a block has at least 16 bytes, these are ${bytes.length}`);
  }
  const reader = new ByteReader(bytes, bytes.length - CHECKSUM_BYTES);
  reader.skip(MAGIC.length + 1);
  return reader;
}

function readHeader(reader: ByteReader): BlockHeader {
  const startMs = reader.float64();
  const endMs = startMs + reader.varint();
  const readingCount = reader.varint();
  if (!Number.isInteger(startMs)) throw new BlockError("corrupt", `block starts at ${startMs}, no instant`);
  if (readingCount > MAX_READINGS_PER_BLOCK) {
    throw new BlockError("corrupt", `block claims ${readingCount} readings, over ${MAX_READINGS_PER_BLOCK}`);
  }
  return { startMs, endMs, readingCount };
}

function decodeTimelines(
  reader: ByteReader,
  startMs: number,
  endMs: number,
  readingCount: number,
): Float64Array[] {
  const timelineCount = reader.varint();
  const timelines: Float64Array[] = [];
  // Each timeline is some column's, so together they cannot hold more instants than there are readings.
  let left = readingCount;
  for (let n = 0; n < timelineCount; n++) {
    const count = reader.varint();
    if (count === 0 || count > left) {
      throw new BlockError("corrupt", `timeline ${n} has ${count} instants, ${left} are possible`);
    }
    left -= count;
    timelines.push(decodeTimeline(reader, startMs, endMs, count));
  }
  return timelines;
}

function decodeTimeline(reader: ByteReader, startMs: number, endMs: number, count: number): Float64Array {
  const offsets = offsetScratch(count);
  decodeIntegers(reader, offsets, count);
  const instants = new Float64Array(count);
  let before = startMs - 1;
  for (let i = 0; i < count; i++) {
    const at = startMs + offsets[i]!;
    if (!(at > before)) throw new BlockError("corrupt", `instant ${at} does not follow ${before}`);
    instants[i] = at;
    before = at;
  }
  if (before >= endMs)
    throw new BlockError("corrupt", `instant ${before} is not before the block's end ${endMs}`);
  return instants;
}

function decodeColumns(reader: ByteReader, timelines: Float64Array[], readingCount: number): Column[] {
  const columnCount = reader.varint();
  const columns: Column[] = [];
  const metrics = new Set<string>();
  let left = readingCount;
  for (let n = 0; n < columnCount; n++) {
    const metric = decodeName(reader);
    const timeline = timelines[reader.varint()];
    if (timeline === undefined || timeline.length > left || metrics.has(metric)) {
      throw new BlockError("corrupt", `column ${n} has no timeline of its size, or repeats a metric`);
    }
    left -= timeline.length;
    metrics.add(metric);
    columns.push({
      metric,
      at: toArray(timeline, timeline.length),
      value: decodeValues(reader, timeline.length),
    });
  }
  if (left !== 0) throw new BlockError("corrupt", `${left} of ${readingCount} readings are in no column`);
  return columns;
}

function decodeName(reader: ByteReader): string {
  const length = reader.varint();
  if (length > MAX_METRIC_NAME_BYTES) throw new BlockError("corrupt", `metric name of ${length} bytes`);
  const start = reader.skip(length);
  let union = 0;
  let name = "";
  for (let i = start; i < start + length; i++) {
    const byte = reader.bytes[i]!;
    union |= byte;
    name += String.fromCharCode(byte);
  }
  if (union < 128) return name;
  try {
    return textDecoder.decode(reader.bytes.subarray(start, start + length));
  } catch {
    throw new BlockError("corrupt", "metric name is not UTF-8");
  }
}
