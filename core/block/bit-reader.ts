// Bytes of a ByteReader → bit fields, most significant bit first.
import { BlockError } from "./block.ts";
import type { ByteReader } from "./byte-reader.ts";

/** Reads bit fields from where a ByteReader stands. */
export class BitReader {
  private readonly reader: ByteReader;
  private readonly view: DataView;
  private readonly endIndex: number;
  /** In bits. */
  position: number;

  constructor(reader: ByteReader) {
    this.reader = reader;
    this.view = reader.view;
    this.endIndex = reader.endIndex;
    this.position = reader.index * 8;
  }

  /** The next 25 bits or more at the top of an int32, without moving; the checksum after the end makes it safe. */
  peek(): number {
    const index = this.position >>> 3;
    if (index >= this.endIndex) throw this.truncated();
    return this.view.getInt32(index) << (this.position & 7);
  }

  /** The next `width` (0…32) bits, unsigned. */
  read(width: number): number {
    if (width === 0) return 0;
    if (width > 25) return this.read(width - 16) * 65536 + this.read(16);
    const value = this.peek() >>> (32 - width);
    this.position += width;
    return value;
  }

  /** Skips the padding and moves the reader on. */
  end(): void {
    if (this.position > this.endIndex * 8) throw this.truncated();
    this.reader.index = (this.position + 7) >>> 3;
  }

  private truncated(): BlockError {
    return new BlockError("truncated", `block ends at byte ${this.endIndex}, inside a mini-block`);
  }
}
