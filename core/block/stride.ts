// Offsets → their greatest common divisor, divided out: clocks tick in seconds, counts come in hundreds.

/** Divides `offsets[0 … count)` in place and returns the stride; 0 when all offsets are 0. */
export function divideByStride(offsets: Int32Array, count: number): number {
  let stride = 0;
  for (let i = 1; i < count && stride !== 1; i++) {
    let rest = Math.abs(offsets[i]!);
    // On a regular clock the stride found so far divides at once.
    while (stride !== 0) {
      const next = (rest % stride) | 0;
      if (next === 0) break;
      rest = stride;
      stride = next;
    }
    if (stride === 0) stride = rest;
  }
  if (stride > 1) for (let i = 1; i < count; i++) offsets[i] = offsets[i]! / stride;
  return stride;
}

/** The same for offsets below 2^50; products instead of %, which is a library call on doubles. */
export function divideByFarStride(offsets: Float64Array, count: number): number {
  let stride = 0;
  for (let i = 1; i < count && stride !== 1; i++) {
    let rest = Math.abs(offsets[i]!);
    while (stride !== 0) {
      let next = rest - Math.floor(rest / stride) * stride;
      // The division may round up to the integer above.
      if (next < 0) next += stride;
      if (next === 0) break;
      rest = stride;
      stride = next;
    }
    if (stride === 0) stride = rest;
  }
  if (stride > 1) for (let i = 1; i < count; i++) offsets[i] = offsets[i]! / stride;
  return stride;
}
