// Many objects asked the same, some at once, and no longer than a snapshot may wait → an answer of each, or none.

const ASKED_AT_ONCE = 100;
/** How long a snapshot waits for answers: who is late is named in `missing`. */
const DEADLINE_MS = 3_000;

/** Answers in the order of `names`; undefined: it failed, is late, or had none. */
export async function askAll<A>(
  names: readonly string[],
  ask: (name: string) => Promise<A | null>,
): Promise<(A | undefined)[]> {
  const answers: (A | undefined)[] = new Array(names.length).fill(undefined);
  let next = 0;
  const lane = async () => {
    for (let index = next++; index < names.length; index = next++) {
      answers[index] = (await ask(names[index]!).catch(() => null)) ?? undefined;
    }
  };
  const lanes = Promise.all(Array.from({ length: Math.min(ASKED_AT_ONCE, names.length) }, lane));
  let timer: ReturnType<typeof setTimeout> | undefined;
  const deadline = new Promise((resolve) => {
    timer = setTimeout(resolve, DEADLINE_MS);
  });
  await Promise.race([lanes, deadline]);
  clearTimeout(timer);
  return answers;
}
