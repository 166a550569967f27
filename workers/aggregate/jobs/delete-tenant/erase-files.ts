// Objects of a tenant in R2 → gone, whatever folder they are in.
import type { DeleteTenantSpec } from "../../../../schemas/job.ts";
import { wallMs } from "../../../clock.ts";
import type { AggregateEnv } from "../../env.ts";

/**
 * Deletes a page of the tenant's objects, at most 1,000, in the first folder of the bucket that has some. Returns how many,
 * and whether none is left. What was put after the deletion was seen to run is left alone: it may be the next life's.
 * @throws when D1 or R2 fail.
 */
export async function eraseFiles(
  env: AggregateEnv,
  { tenant, generation }: DeleteTenantSpec,
): Promise<{ done: boolean; files: number }> {
  const startedAt = wallMs();
  const runs = await env.CONTROL.prepare(SELECT_RUNS).bind(tenant, generation).first();
  if (runs === null) return { done: true, files: 0 };
  const folders = await env.COLD.list({ delimiter: "/" });
  for (const folder of folders.delimitedPrefixes) {
    const { objects, truncated } = await env.COLD.list({ prefix: `${folder}tenant=${tenant}/` });
    const keys = objects.filter(({ uploaded }) => uploaded.getTime() <= startedAt).map(({ key }) => key);
    if (keys.length > 0) await env.COLD.delete(keys);
    if (keys.length > 0 || truncated) return { done: false, files: keys.length };
  }
  return { done: true, files: 0 };
}

const SELECT_RUNS = "SELECT 1 FROM tenant WHERE tenant = ?1 AND generation = ?2 AND status = 'ending'";
