// A door and a seed → so many bodies judged, and how its time and memory grow with the size of a body.
import fc from "fast-check";
import type { Door } from "./doors.ts";

/** What came of a door. `wrong`: the first bodies that were judged wrongly, and why. */
export interface Fuzzed {
  bodies: number;
  taken: number;
  wrong: { body: string; why: string }[];
}

const WRONG_MAX = 5;
/** Bodies made at once: those of a run are not in memory together. */
const AT_ONCE = 500;

/** Judges `count` bodies of a door; the same seed makes the same bodies. */
export async function fuzz(door: Door, count: number, seed: number): Promise<Fuzzed> {
  const result: Fuzzed = { bodies: 0, taken: 0, wrong: [] };
  for (let page = 0; result.bodies < count; page++) {
    const numRuns = Math.min(AT_ONCE, count - result.bodies);
    for (const body of fc.sample(door.bodies, { numRuns, seed: seed + page })) {
      const { taken, wrong } = await judged(door, body);
      result.bodies += 1;
      if (taken) result.taken += 1;
      if (wrong !== undefined && result.wrong.length < WRONG_MAX) result.wrong.push({ body, why: wrong });
    }
  }
  return result;
}

async function judged(door: Door, body: string) {
  try {
    return await door.judge(body);
  } catch (error) {
    return { taken: false, wrong: `thrown: ${error}` };
  }
}

/** Characters of the smallest body whose time is taken; each next one has twice as many. */
const SMALL = 32_768;
const DOUBLINGS = 4;
/** Less is noise, and counts as this. */
const LEAST_MS = 5;

/**
 * Returns how many times as long a body takes that is sixteen times as large: about 16 when it is linear, and 256 when
 * it is a square.
 */
export async function growthOf(door: Door): Promise<number> {
  const timeOf = async (chars: number) => {
    const body = door.large(chars);
    let least = Number.POSITIVE_INFINITY;
    for (let i = 0; i < 3; i++) {
      const startMs = performance.now();
      await judged(door, body);
      least = Math.min(least, performance.now() - startMs);
    }
    return Math.max(LEAST_MS, least);
  };
  await timeOf(SMALL);
  const small = await timeOf(SMALL);
  return (await timeOf(SMALL * 2 ** DOUBLINGS)) / small;
}
