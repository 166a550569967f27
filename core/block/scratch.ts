// Typed arrays that are kept between calls. Encoding and decoding are synchronous, so one of each role suffices;
// a caller may not hold one across a call that uses the same role.

/** Arrays longer than this are not kept: one huge block must not hold memory for the isolate's life. */
const KEPT_LENGTH = 1 << 16;

/** A source of Float64Arrays of at least the length asked; contents are left over from the last use. */
export function float64Scratch(): (length: number) => Float64Array {
  let kept = new Float64Array(1024);
  return (length) => {
    if (length <= kept.length) return kept;
    const grown = new Float64Array(Math.max(length, Math.min(kept.length * 2, KEPT_LENGTH)));
    if (grown.length <= KEPT_LENGTH) kept = grown;
    return grown;
  };
}

/** The same for Int32Array. */
export function int32Scratch(): (length: number) => Int32Array {
  let kept = new Int32Array(1024);
  return (length) => {
    if (length <= kept.length) return kept;
    const grown = new Int32Array(Math.max(length, Math.min(kept.length * 2, KEPT_LENGTH)));
    if (grown.length <= KEPT_LENGTH) kept = grown;
    return grown;
  };
}
