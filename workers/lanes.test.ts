import { expect, it } from "vitest";
import { inLanes } from "./lanes.ts";

/** Works on numbers, one tick each; notes how many were under way at once. */
function watched() {
  const seen = { done: [] as number[], most: 0, underWay: 0 };
  const work = async (item: number) => {
    seen.most = Math.max(seen.most, ++seen.underWay);
    await Promise.resolve();
    seen.underWay -= 1;
    seen.done.push(item);
  };
  return { seen, work };
}

it.each([
  [10, 3, 3],
  [2, 5, 2],
  [0, 4, 0],
])(
  "[Q15] %d pieces of work, %d at once: each is done once, no more than that under way",
  async (count, atOnce, most) => {
    const { seen, work } = watched();
    const items = Array.from({ length: count }, (_, i) => i);
    await inLanes(items, atOnce, work);
    expect(seen).toEqual({ done: items, most, underWay: 0 });
  },
);

it("[Q15] what has not begun when it is over never does", async () => {
  const { seen, work } = watched();
  await inLanes([1, 2, 3, 4, 5], 1, work, () => seen.done.length >= 2);
  expect(seen.done).toEqual([1, 2]);
});

it("[Q15] the first error is the outcome", async () => {
  const failing = async (item: number) => {
    if (item === 2) throw new Error("no 2");
  };
  await expect(inLanes([1, 2, 3], 1, failing)).rejects.toThrow("no 2");
});
