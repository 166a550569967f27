// Many objects asked the same, some at once, and no longer than a snapshot may wait → their answers, and who gave none.
import { askEach } from "../../ask-each.ts";

const ASKED_AT_ONCE = 100;
/** How long a snapshot waits for answers: who is late is named in `missing`. */
const DEADLINE_MS = 3_000;

/**
 * Asks every name, waiting 3 s at most, and hands each answer to `take` as it comes, with its place in `names`. Returns
 * who failed, is late, or answered null, in the order of `names`.
 */
export async function askAll<A>(
  names: readonly string[],
  ask: (name: string) => Promise<A | null>,
  take: (answer: A, index: number) => void,
): Promise<string[]> {
  const answered = new Set<number>();
  await askEach(names, { atOnce: ASKED_AT_ONCE, deadlineMs: DEADLINE_MS }, ask, (answer, index) => {
    if (answer === null) return;
    answered.add(index);
    take(answer, index);
  });
  return names.filter((_, index) => !answered.has(index));
}
