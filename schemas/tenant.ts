// What a tenant may choose, kept by its control object and copied by each device object once a bucket.
import * as z from "zod";
import { COMMIT_EVERY_MS_MAX } from "./limits.ts";

const DAY_MS = 86_400_000;

/** PERSISTED: in the tenant's object and, copied, in every device object. New fields need a default. */
export const tenantSettings = z.object({
  plan: z.enum(["free", "paid"]).default("paid"),
  commitEveryMs: z.number().int().min(0).max(COMMIT_EVERY_MS_MAX).default(0),
  latenessHorizonMs: z.number().int().min(3_600_000).max(90 * DAY_MS).default(7 * DAY_MS),
  retention: z
    .object({
      rawDays: z.number().int().min(1).default(7),
      hourlyDays: z.number().int().min(1).default(365),
      archiveDays: z.number().int().min(1).nullable().default(null),
    })
    .default({ rawDays: 7, hourlyDays: 365, archiveDays: null }),
});
export type TenantSettings = z.infer<typeof tenantSettings>;
export const tenantSettingsChange = tenantSettings.partial();
