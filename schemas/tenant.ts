// What a tenant may choose, kept by its control object and copied by each device object hourly.
import * as z from "zod";
import { COMMIT_EVERY_MS_MAX } from "./limits.ts";

const DAY_MS = 86_400_000;

const choices = {
  plan: z.enum(["free", "paid"]),
  /** How long a socket's reports may wait for their commit; 0: each is committed at once. A socket may ask for its own. */
  commitEveryMs: z.number().int().min(0).max(COMMIT_EVERY_MS_MAX),
  /** Older readings are refused as too_old. */
  latenessHorizonMs: z
    .number()
    .int()
    .min(3_600_000)
    .max(90 * DAY_MS),
  /**
   * `rawDays`: readings in the device's object; `hourlyDays`: rollups in D1, at least the lateness horizon and a day, after
   * which their hours come from the archive's hourly files; `archiveDays`: all files, null = for ever.
   */
  retention: z.object({
    rawDays: z.number().int().min(1),
    hourlyDays: z.number().int().min(1),
    archiveDays: z.number().int().min(1).nullable(),
  }),
};

/** PERSISTED: in the tenant's object and, copied, in every device object. New fields need a default. */
export const tenantSettings = z.object({
  plan: choices.plan.default("paid"),
  commitEveryMs: choices.commitEveryMs.default(0),
  latenessHorizonMs: choices.latenessHorizonMs.default(7 * DAY_MS),
  // A year of rollups in D1 would cost about as much as everything else.
  retention: choices.retention.default({ rawDays: 7, hourlyDays: 30, archiveDays: null }),
  /** Rises with each change of a rule: a device that has another asks for the rules. */
  rulesVersion: z.number().int().nonnegative().default(0),
});
export type TenantSettings = z.infer<typeof tenantSettings>;

/** `PUT /v1/tenant`: what is named changes, the rest stays. */
export const tenantSettingsChange = z.object(choices).partial();

/** `GET /v1/tenant/retention`: what was deleted for its age, and how far back the hours of D1 reach. */
export const retentionAnswer = z.object({
  rawBlocks: z.number().int(),
  rollups: z.number().int(),
  files: z.number().int(),
  bytes: z.number().int(),
  hourlyFromMs: z.number(),
});

/** What holds until the tenant says otherwise. */
export const defaultSettings: TenantSettings = tenantSettings.parse({});
