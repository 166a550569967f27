// The live files of a partition → those to merge next.
import { type Layout, rowGroupRows } from "./layout.ts";

/** A live file of a partition; `fromMs` is its first instant. */
export interface CompactableFile {
  key: string;
  fromMs: number;
  rows: number;
  bytes: number;
}

/**
 * The most bytes of a merged file: large enough that a day of a large fleet is few files, small enough for one turn.
 */
export const MERGED_BYTES_MAX = 64 * 1024 * 1024;
/** A file of this many bytes is not merged again. */
export const FULL_BYTES = MERGED_BYTES_MAX / 2;
/** Files merged at once while more are to be expected: each row is then written again some log₈ times. */
const FILES_MIN = 8;
const FILES_MAX = 64;
/**
 * Row groups decoded at once, one of each file. With them a merge takes 80 MB of a Worker's 128: the group in the making,
 * its columns on their way through the codec, the part, and what is garbage meanwhile.
 */
const DECODED_BYTES_MAX = 24 * 1024 * 1024;
/**
 * No file is merged that has more rows than twice all the others together: a merge multiplies its largest file by 1.5 at
 * least, so that a row is written again at most log₁.₅ times, and what is left has fewer than log₃ files.
 */
const LARGEST_RATIO = 2;
/** As long as there may be better company to come, a merge multiplies its largest file by 5. */
const LARGEST_RATIO_UNSETTLED = 1 / 4;
/** Files within this ratio of rows are alike, and the earlier is merged first: a merged file covers a short time. */
const TIER_RATIO = 4;

/**
 * Returns the files to merge next into one, at least two, the smallest first; none when the partition is to stay as
 * it is. `isSettled` says that hardly any file will be added, so that there is nothing to wait for.
 */
export function planCompaction<F extends CompactableFile>(
  layout: Layout,
  files: readonly F[],
  isSettled: boolean,
): F[] {
  const candidates = files.filter(({ bytes }) => bytes < FULL_BYTES).sort(inOrder);
  const chosen: F[] = [];
  let [bytes, decodedBytes] = [0, 0];
  for (const file of candidates) {
    bytes += file.bytes;
    decodedBytes += decodedBytesOf(layout, file);
    const isTooMuch = bytes > MERGED_BYTES_MAX || decodedBytes > DECODED_BYTES_MAX;
    if (isTooMuch || chosen.length === FILES_MAX) break;
    chosen.push(file);
  }
  const alike = withoutTooLarge(chosen, LARGEST_RATIO_UNSETTLED);
  if (alike.length >= FILES_MIN) return alike;
  const isDue = isSettled || chosen.length < candidates.length;
  const any = isDue ? withoutTooLarge(chosen, LARGEST_RATIO) : [];
  return any.length >= 2 ? any : [];
}

const tierOf = ({ rows }: CompactableFile) => Math.floor(Math.log(Math.max(1, rows)) / Math.log(TIER_RATIO));

const inOrder = (a: CompactableFile, b: CompactableFile) =>
  tierOf(a) - tierOf(b) || a.fromMs - b.fromMs || (a.key < b.key ? -1 : 1);

/** What merging holds of a file: one row group. */
const decodedBytesOf = (layout: Layout, { rows, bytes }: CompactableFile) =>
  Math.min(rows, rowGroupRows(layout, rows, bytes)) * layout.rowBytes;

function withoutTooLarge<F extends CompactableFile>(files: readonly F[], ratio: number): F[] {
  const bySize = files.toSorted((a, b) => a.rows - b.rows);
  let others = bySize.reduce((sum, { rows }) => sum + rows, 0);
  while (bySize.length > 0) {
    const largest = bySize.at(-1)!;
    others -= largest.rows;
    if (largest.rows <= ratio * others) break;
    bySize.pop();
  }
  return files.filter((file) => bySize.includes(file));
}
