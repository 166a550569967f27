// How often something failed → how long to wait before it is tried again.
import { spreadOf } from "../../spread.ts";

/** The wait after the first failure, in ms. */
const FIRST_MS = 1_000;
/** The longest wait, in ms, before it is spread. */
const LONGEST_MS = 15 * 60_000;
/** The longest wait that a receiver may ask for with Retry-After, in ms. */
export const ASKED_MS_MAX = 3_600_000;
/**
 * How long a message is tried until it is given up, in ms: it is then in the list of the dead, for nobody wants
 * yesterday's page.
 */
export const GIVEN_UP_AFTER_MS = 24 * 3_600_000;

/**
 * Returns the wait after the `failures`-th failure, in ms: 1 s, doubling to 15 min, and a quarter more or less by the
 * hash of `name`, so that messages that failed together do not come back together.
 */
export function backoffMs(name: string, failures: number): number {
  const plain = Math.min(LONGEST_MS, FIRST_MS * 2 ** (failures - 1));
  return Math.round(plain * (0.75 + spreadOf(`${name}/${failures}`) / 2));
}
