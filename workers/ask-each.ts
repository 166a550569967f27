// One question for many objects → their answers, a bounded number at once, until a deadline.
import { inLanes } from "./lanes.ts";
import { withDeadline } from "./with-deadline.ts";

/**
 * Asks each of `names`, `atOnce` at a time, and hands every answer to `take` as it comes, with its place in `names`.
 * Returns the names that did not answer within `deadlineMs`, in their order; later answers are dropped. Never throws:
 * a failure is logged. Costs one call an object.
 */
export async function askEach<T>(
  names: readonly string[],
  { atOnce, deadlineMs }: { atOnce: number; deadlineMs: number },
  ask: (name: string) => Promise<T>,
  take: (answer: T, index: number) => void,
): Promise<string[]> {
  const missing = new Set(names);
  let isOver = false;
  const askOne = async (name: string, index: number) => {
    try {
      const answer = await ask(name);
      if (isOver) return;
      take(answer, index);
      missing.delete(name);
    } catch (error) {
      console.warn("not answered", { name, error: String(error) });
    }
  };
  const lanes = inLanes(names, atOnce, askOne, () => isOver);
  await withDeadline(deadlineMs, "a device", lanes).catch((error) => console.warn(String(error)));
  isOver = true;
  return [...missing];
}
