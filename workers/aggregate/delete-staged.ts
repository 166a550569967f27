// Parts of imports that have not come in yet → the same parts without a deleted device.
import type { Rows } from "../../core/archive/layout.ts";
import type { RawColumns } from "../../core/archive/raw-rows.ts";
import { readJob } from "../jobs.ts";
import { openParquet, readRowGroups } from "../parquet.ts";
import { isIn } from "./delete-files.ts";
import type { AggregateEnv } from "./env.ts";
import { encodeParquet } from "./write-archive.ts";

/** Imports made after the device was deleted are its new life. `page` is R2's own cursor; gives the next, null: that was all. */
export async function eraseStaged(
  env: AggregateEnv,
  tenant: string,
  device: string,
  since: number,
  page: string | null,
): Promise<{ next: string | null; staged: number }> {
  const listed = await env.COLD.list({
    prefix: `import/tenant=${tenant}/`,
    include: ["customMetadata"],
    cursor: page ?? undefined,
  });
  let staged = 0;
  for (const { key, size, customMetadata } of listed.objects) {
    if (!key.endsWith(".parquet")) continue;
    const file = await openParquet(env.COLD, key, size);
    if (!(await isIn(file, device))) continue;
    const made = await readJob(env.CONTROL, tenant, key.split("/")[2]!);
    if (made !== undefined && made.createdAt > since) continue;
    const groups: Rows[] = [];
    for (const group of file.metadata.row_groups.keys()) {
      const names = file.metadata.schema.slice(1).map(({ name }) => name);
      groups.push(...(await readRowGroups(file, names, { group })));
    }
    const kept = without(groups, device);
    if (kept.device.length === 0) await env.COLD.delete(key);
    else await env.COLD.put(key, encodeParquet(kept), { customMetadata });
    staged += groups.reduce((sum, rows) => sum + rows.device.length, 0) - kept.device.length;
  }
  return { next: listed.truncated ? listed.cursor : null, staged };
}

function without(groups: readonly Rows[], device: string): RawColumns {
  const columns: Record<string, unknown[]> = {};
  for (const rows of groups) {
    for (const [name, column] of Object.entries(rows)) {
      columns[name] ??= [];
      for (let row = 0; row < rows.device.length; row++)
        if (rows.device[row] !== device) columns[name].push(column[row]);
    }
  }
  const { device: devices, metric, ...numbers } = columns;
  const typed = Object.entries(numbers).map(([name, values]) => [
    name,
    Float64Array.from(values as number[]),
  ]);
  return { device: devices, metric, ...Object.fromEntries(typed) } as RawColumns;
}
