// How often something failed → how long to wait before it is tried again.
import { spreadOf } from "../../device/seal.ts";

const FIRST_MS = 1_000;
const LONGEST_MS = 15 * 60_000;
/** What a receiver may ask for with Retry-After. */
export const ASKED_MS_MAX = 3_600_000;
/** After this a message is given up: it is in the list of the dead, and nobody wants yesterday's page. */
export const GIVEN_UP_AFTER_MS = 24 * 3_600_000;

/**
 * The wait after the `failures`-th failure: 1 s, doubling to 15 min, and a quarter more or less by the hash of `name`,
 * so that what failed together does not come back together.
 */
export function backoffMs(name: string, failures: number): number {
  const plain = Math.min(LONGEST_MS, FIRST_MS * 2 ** (failures - 1));
  return Math.round(plain * (0.75 + spreadOf(`${name}/${failures}`) / 2));
}
