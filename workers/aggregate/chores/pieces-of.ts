// Things of known size → runs of them that can be read at once.

/** Cuts `things` into runs of at most `bytesMax`, in their order; a larger one is a run by itself. */
export function piecesOf<Thing extends { bytes: number }>(
  things: readonly Thing[],
  bytesMax: number,
): Thing[][] {
  const pieces: Thing[][] = [];
  let room = 0;
  for (const thing of things) {
    if (pieces.length === 0 || thing.bytes > room) {
      pieces.push([]);
      room = bytesMax;
    }
    pieces.at(-1)!.push(thing);
    room -= thing.bytes;
  }
  return pieces;
}
