// Bit fields → bytes of a ByteWriter, most significant bit first.
import type { ByteWriter } from "./byte-writer.ts";

/** Appends bit fields to a ByteWriter. */
export class BitWriter {
  private view: DataView;
  private index: number;
  /** Holds `pendingBits` (0…31) bits at its top. */
  private pending = 0;
  private pendingBits = 0;
  private readonly writer: ByteWriter;

  /** Begins at the writer's length; `maxBytes` bounds what will be put. */
  constructor(writer: ByteWriter, maxBytes: number) {
    writer.reserve(maxBytes);
    this.writer = writer;
    this.view = writer.view;
    this.index = writer.length;
  }

  /** Appends the low `width` (0…31) bits of `value`, whose higher bits are zero. */
  put(value: number, width: number): void {
    const free = 32 - this.pendingBits;
    if (width < free) {
      this.pending |= value << (free - width);
      this.pendingBits += width;
      return;
    }
    const over = width - free;
    this.view.setInt32(this.index, this.pending | (value >>> over));
    this.index += 4;
    this.pending = over === 0 ? 0 : value << (32 - over);
    this.pendingBits = over;
  }

  /** Pads to a whole byte and moves the writer on. */
  end(): void {
    for (; this.pendingBits > 0; this.pendingBits -= 8) {
      this.view.setUint8(this.index++, this.pending >>> 24);
      this.pending <<= 8;
    }
    this.writer.length = this.index;
  }
}
