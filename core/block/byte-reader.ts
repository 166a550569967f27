// Bytes → the fields a ByteWriter wrote, each checked against the end.
import { BlockError } from "./block.ts";

/**
 * Reads fields from bytes, moving on. Each method throws BlockError `truncated` when the bytes end before the field.
 */
export class ByteReader {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** Fields end before this index; at least CHECKSUM_BYTES more bytes are readable after it in a whole block. */
  readonly endIndex: number;
  index = 0;

  constructor(bytes: Uint8Array, endIndex: number) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.endIndex = endIndex;
  }

  /** Moves on by `byteCount` and returns the index of the first of them. */
  skip(byteCount: number): number {
    const start = this.index;
    if (byteCount > this.endIndex - start) {
      throw new BlockError(
        "truncated",
        `block ends at byte ${this.endIndex}, ${byteCount} bytes are missing at ${start}`,
      );
    }
    this.index = start + byteCount;
    return start;
  }

  byte(): number {
    return this.bytes[this.skip(1)]!;
  }

  float64(): number {
    return this.view.getFloat64(this.skip(8));
  }

  varint(): number {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 8; i++) {
      const byte = this.byte();
      value += (byte & 127) * scale;
      if (byte < 128) {
        if (value > 2 ** 53) break;
        return value;
      }
      scale *= 128;
    }
    throw new BlockError("corrupt", `varint before byte ${this.index} exceeds 2^53`);
  }

  signedVarint(): number {
    const value = this.varint();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }
}
