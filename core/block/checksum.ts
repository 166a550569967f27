// Bytes → their CRC-32 (IEEE 802.3, the one of gzip and PNG).

const TABLE = new Int32Array(256);
for (let n = 0; n < 256; n++) {
  let c = n;
  for (let bit = 0; bit < 8; bit++) c = c & 1 ? (c >>> 1) ^ 0xedb88320 : c >>> 1;
  TABLE[n] = c;
}

/** CRC-32 of `bytes[0 … endIndex)` as an unsigned 32-bit integer. */
export function crc32(bytes: Uint8Array, endIndex: number): number {
  let crc = -1;
  for (let i = 0; i < endIndex; i++) crc = TABLE[(crc ^ bytes[i]!) & 0xff]! ^ (crc >>> 8);
  return ~crc >>> 0;
}
