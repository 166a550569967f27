// What an integer stream begins with: form and order, base, stride, center.
import type { ByteWriter } from "./byte-writer.ts";
import { STREAM_CENTER, STREAM_STRIDE } from "./format.ts";

/** `form` is the order and the STREAM_… bits of the body; |base|, |center| < 2^52, stride in [0, 2^53]. */
export function encodeStreamHeader(
  writer: ByteWriter,
  form: number,
  base: number,
  stride: number,
  center: number,
): void {
  writer.byte(form | (stride === 1 ? 0 : STREAM_STRIDE) | (center === 0 ? 0 : STREAM_CENTER));
  writer.signedVarint(base);
  if (stride !== 1) writer.varint(stride);
  if (center !== 0) writer.signedVarint(center);
}
