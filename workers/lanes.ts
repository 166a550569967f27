// Many pieces of work → a bounded number of them at once.

/**
 * Calls `work` for each item in order, at most `atOnce` at the same time; resolves when all are done. Once `isOver`
 * returns true, no more are begun.
 * @throws the first error of `work`; what is under way then goes on unheard.
 */
export async function inLanes<T>(
  items: readonly T[],
  atOnce: number,
  work: (item: T, index: number) => Promise<void>,
  isOver: () => boolean = () => false,
): Promise<void> {
  let next = 0;
  const lane = async () => {
    while (next < items.length && !isOver()) {
      const index = next++;
      await work(items[index]!, index);
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, lane));
}
