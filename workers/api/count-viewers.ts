// How many streams a tenant has open → counted where they are, so that nothing can go stale.
import { askEach } from "../ask-each.ts";
import { Problem } from "../problem.ts";
import type { ApiEnv } from "./env.ts";
import { readZones } from "./registry.ts";

const ASKED = { atOnce: 100, deadlineMs: 2_000 };
/** When somebody who found no room may try again. */
const COME_AGAIN_MS = 10_000;

/**
 * Returns how many streams of the tenant are open, of all zones that have devices, `another` one, and the fleet. One
 * call a zone, 100 at once, within 2 s: an object that does not answer counts as none.
 * @throws Problem `unavailable`: the zones cannot be listed.
 */
export async function countViewers(env: ApiEnv, tenant: string, another?: string): Promise<number> {
  const known = (await readZones(env.CONTROL, tenant)).map(({ zone }) => zone);
  const zones = new Set(another === undefined ? known : [...known, another]);
  let viewers = 0;
  const add = (count: number) => {
    viewers += count;
  };
  await Promise.all([
    askEach([...zones], ASKED, (zone) => env.ZONE.getByName(`${tenant}/${zone}`).viewers(), add),
    askEach([tenant], ASKED, (name) => env.FLEET.getByName(name).viewers(), add),
  ]);
  return viewers;
}

/**
 * Checks that the tenant, which may have `most` (null: any number), may open one stream more, of this zone; without
 * one, of the fleet. Those who open one at the same moment may be more than it may: by as many as they are. What cannot
 * be asked refuses nobody.
 * @throws Problem `quota_viewers`.
 */
export async function roomForViewer(
  env: ApiEnv,
  tenant: string,
  most: number | null,
  zone?: string,
): Promise<void> {
  if (most === null) return;
  try {
    const open = await countViewers(env, tenant, zone);
    if (open < most) return;
    throw new Problem(
      "quota_viewers",
      `the tenant has ${open} streams open and may have ${most}; close one, or raise the limit (PUT /v1/tenant, limits.viewers)`,
      { retryAfterMs: COME_AGAIN_MS },
    );
  } catch (error) {
    if (error instanceof Problem && error.code === "quota_viewers") throw error;
    console.warn("a viewer was let in unasked", { tenant, error: String(error) });
  }
}
