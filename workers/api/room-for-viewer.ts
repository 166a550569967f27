// Somebody who opens a stream → whether the tenant may have one more.
import { countViewers } from "../count-viewers.ts";
import { Problem } from "../problem.ts";
import { tellUse } from "../tenant.ts";
import type { ApiEnv } from "./env.ts";

/** When somebody who found no room may try again. */
const COME_AGAIN_MS = 10_000;

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
    const isRefused = open >= most;
    await tellUse(env.TENANT, tenant, "viewers", { used: isRefused ? open : open + 1, isRefused, most });
    if (!isRefused) return;
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
