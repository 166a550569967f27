// The conditions a request sets, and the file as it is → whether to send it (RFC 9110 §13).

/** What a file is known by. */
export interface Validators {
  /** The strong entity tag, in its quotes. */
  etag: string;
  /** When it was last written, epoch ms; HTTP knows whole seconds. */
  modifiedMs: number;
}

/** `failed`: 412; `unchanged`: 304. `isRangeValid`: a `Range` header counts, else the whole file is sent. */
export type Judged = { kind: "failed" } | { kind: "unchanged" } | { kind: "send"; isRangeValid: boolean };

const TAG = /(W\/)?("[^"]*")/g;
const MONTHS = "Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec";
/** The three forms of RFC 9110 §5.6.7. */
const HTTP_DATE = new RegExp(
  `^(\\w{3}, \\d\\d (${MONTHS}) \\d{4} [\\d:]{8} GMT|\\w{6,9}, \\d\\d-(${MONTHS})-\\d\\d [\\d:]{8} GMT|\\w{3} (${MONTHS}) [ \\d]\\d [\\d:]{8} \\d{4})$`,
);

/** Judges a GET or HEAD in the order of RFC 9110 §13.2.2. A header that is not well-formed is ignored. */
export function judge(headers: Headers, file: Validators): Judged {
  const has = (name: string) => headers.has(name);
  const since = (name: string) => instantOf(headers.get(name));
  const modifiedMs = secondOf(file.modifiedMs);
  const isOther = has("if-match")
    ? !isListed(headers.get("if-match")!, file.etag, "strong")
    : modifiedMs > (since("if-unmodified-since") ?? Number.POSITIVE_INFINITY);
  if (isOther) return { kind: "failed" };
  const isUnchanged = has("if-none-match")
    ? isListed(headers.get("if-none-match")!, file.etag, "weak")
    : modifiedMs <= (since("if-modified-since") ?? Number.NEGATIVE_INFINITY);
  if (isUnchanged) return { kind: "unchanged" };
  const ifRange = headers.get("if-range")?.trim();
  const isRangeValid = ifRange === undefined || ifRange === file.etag || instantOf(ifRange) === modifiedMs;
  return { kind: "send", isRangeValid };
}

/** Returns an instant as HTTP writes it, to the second. */
export const httpDate = (atMs: number): string => new Date(atMs).toUTCString();

const secondOf = (atMs: number) => Math.floor(atMs / 1_000) * 1_000;

/** Whether a list of entity tags names this one, or is `*`. A strong comparison takes no weak tag (RFC 9110 §8.8.3.2). */
function isListed(list: string, etag: string, comparison: "strong" | "weak"): boolean {
  if (list.trim() === "*") return true;
  return [...list.matchAll(TAG)].some(([, weak, tag]) => tag === etag && (comparison === "weak" || !weak));
}

/** Epoch ms of an HTTP date; undefined: it is none. */
function instantOf(text: string | null): number | undefined {
  const date = text?.trim() ?? "";
  if (!HTTP_DATE.test(date)) return undefined;
  const atMs = Date.parse(date.endsWith(" GMT") ? date : `${date} GMT`);
  return Number.isNaN(atMs) ? undefined : atMs;
}
