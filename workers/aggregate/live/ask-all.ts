// Many objects asked the same, some at once, and no longer than a snapshot may wait → an answer of each, or none.
import { askEach } from "../../ask-each.ts";

const ASKED_AT_ONCE = 100;
/** How long a snapshot waits for answers: who is late is named in `missing`. */
const DEADLINE_MS = 3_000;

/**
 * Asks every name, waiting 3 s at most. Returns the answers in the order of `names`; undefined: failed, late, or
 * null.
 */
export async function askAll<A>(
  names: readonly string[],
  ask: (name: string) => Promise<A | null>,
): Promise<(A | undefined)[]> {
  const answers: (A | undefined)[] = new Array(names.length).fill(undefined);
  await askEach(names, { atOnce: ASKED_AT_ONCE, deadlineMs: DEADLINE_MS }, ask, (answer, index) => {
    answers[index] = answer ?? undefined;
  });
  return answers;
}
