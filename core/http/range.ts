// The Range header of a request, and how long the file is → which bytes to send (RFC 9110 §14).

/** The bytes `[start, end)`; `whole`: all, as if nothing had been asked; `beyond`: no byte of the file is in the range. */
export type ByteRange = { kind: "whole" } | { kind: "part"; start: number; end: number } | { kind: "beyond" };

const WHOLE: ByteRange = { kind: "whole" };
const BYTES = /^bytes=(.*)$/i;
const RANGE = /^(\d*)-(\d*)$/;

/**
 * Returns what a `Range` header asks of a file of `bytes` bytes. Of another unit than bytes, not well-formed
 * (`bytes=5-2`), or of several ranges, it is ignored, as the RFC allows: the whole file is sent.
 */
export function byteRange(header: string | null, bytes: number): ByteRange {
  const [, set] = BYTES.exec(header ?? "") ?? [];
  if (set === undefined) return WHOLE;
  const ranges = set.split(",").flatMap((text) => text.trim() || []);
  const [, first, last] = (ranges.length === 1 && RANGE.exec(ranges[0]!)) || [];
  if (first === undefined || last === undefined || (first === "" && last === "")) return WHOLE;
  if (first === "") return part(bytes - Number(last), bytes, bytes);
  if (last !== "" && Number(last) < Number(first)) return WHOLE;
  return part(Number(first), last === "" ? bytes : Number(last) + 1, bytes);
}

function part(start: number, end: number, bytes: number): ByteRange {
  const from = Math.max(0, start);
  return from < bytes ? { kind: "part", start: from, end: Math.min(end, bytes) } : { kind: "beyond" };
}
