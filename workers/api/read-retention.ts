// What retention has deleted of a tenant, added up over the warm databases.

import { eq } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import type * as z from "zod";
import { retained } from "../../schemas/tables.ts";
import type { retentionAnswer } from "../../schemas/tenant.ts";
import { warmsOf } from "../warm.ts";
import type { ApiEnv } from "./env.ts";
import { fromStorage } from "./storage.ts";

/** Returns what retention has deleted of a tenant so far, in all warm databases. @throws Problem `unavailable`. */
export async function readRetention(env: ApiEnv, tenant: string): Promise<z.infer<typeof retentionAnswer>> {
  const rows = await Promise.all(
    warmsOf(env).map((database) =>
      fromStorage("D1", drizzle(database).select().from(retained).where(eq(retained.tenant, tenant)).get()),
    ),
  );
  const sum = { rawBlocks: 0, rollups: 0, files: 0, bytes: 0, hourlyFromMs: 0 };
  for (const row of rows) {
    if (row == null) continue;
    sum.rawBlocks += row.rawBlocksDeleted;
    sum.rollups += row.rollupsDeleted;
    sum.files += row.filesDeleted;
    sum.bytes += row.bytesDeleted;
    sum.hourlyFromMs = Math.max(sum.hourlyFromMs, row.hourlyFromMs);
  }
  return sum;
}
