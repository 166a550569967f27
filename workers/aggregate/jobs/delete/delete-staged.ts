// Parts of imports that have not come in yet → the same parts without a deleted device.
import { partWithout } from "../../../../core/job/import-part.ts";
import { isPart, readEntries } from "../../../import-parts.ts";
import { readJob } from "../../../jobs.ts";
import type { AggregateEnv } from "../../env.ts";

/**
 * Takes a device's readings out of one page of the tenant's staged parts, of imports made at `since` or before: later
 * ones are of its next life. `page` is R2's own cursor, null for the first. Returns the next, null after the last,
 * and how many readings went (`staged`).
 * @throws when D1 or R2 fail.
 */
export async function eraseStaged(
  env: AggregateEnv,
  tenant: string,
  device: string,
  since: number,
  page: string | null,
): Promise<{ next: string | null; staged: number }> {
  const listed = await env.COLD.list({ prefix: `import/tenant=${tenant}/`, cursor: page ?? undefined });
  let staged = 0;
  for (const { key } of listed.objects) {
    if (!isPart(key)) continue;
    const entries = (await readEntries(env.COLD, key)).filter((entry) => entry.device === device);
    if (entries.length === 0) continue;
    const made = await readJob(env.CONTROL, tenant, key.split("/")[2]!);
    if (made !== undefined && made.createdAt > since) continue;
    const part = await (await env.COLD.get(key))!.arrayBuffer();
    await env.COLD.put(key, partWithout(new Uint8Array(part), device));
    staged += entries.reduce((sum, { readings }) => sum + readings, 0);
  }
  return { next: listed.truncated ? listed.cursor : null, staged };
}
