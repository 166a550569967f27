// What a tenant may choose, kept by its control object and copied by each device object hourly.
import * as z from "zod";
import { accessRules } from "./access.ts";
import { LIMIT_CODES } from "./codes.ts";
import {
  BURST_MAX,
  COMMIT_EVERY_MS_MAX,
  DEVICES_MAX,
  MODELS_LIMITED_MAX,
  READINGS_PER_SECOND_MAX,
  REPORTS_PER_SECOND_MAX,
  REPORTS_PER_SECOND_MIN,
  VIEWERS_MAX,
} from "./limits.ts";
import { label } from "./name.ts";
import { limitName, limitState } from "./tenant-limit.ts";
import { issuers, revocation } from "./token.ts";

const DAY_MS = 86_400_000;
/** Two hundred and seventy years: what is kept longer is kept for ever, which is said with null where that is possible. */
const DAYS_MAX = 100_000;

const choices = {
  /** Decides nothing yet: it is for the limits of a tenant. */
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
    rawDays: z.number().int().min(1).max(DAYS_MAX),
    hourlyDays: z.number().int().min(1).max(DAYS_MAX),
    archiveDays: z.number().int().min(1).max(DAYS_MAX).nullable(),
  }),
};

const reportsPerSecond = z.number().min(REPORTS_PER_SECOND_MIN).max(REPORTS_PER_SECOND_MAX).nullable();
const burst = z.number().int().min(1).max(BURST_MAX);

/**
 * PERSISTED: in the registry, in a device's state row, and in the tenant's object by model: what a device or each of a
 * model may send, so many reports a second after so many at once; null: no limit.
 */
export const ownRate = z.strictObject({ reportsPerSecond, burst });
export type OwnRate = z.infer<typeof ownRate>;

/** zod leaves `__proto__` out of a record unseen; here it is refused. */
const refuseProto = (models: unknown, ctx: z.RefinementCtx) => {
  if (typeof models === "object" && models !== null && Object.hasOwn(models, "__proto__")) {
    ctx.addIssue({
      code: "custom",
      message: "a model with limits cannot be called __proto__",
      path: ["__proto__"],
    });
  }
  return models;
};

/** What becomes of reports beyond a device's rate: they are refused, or of each minute the least and greatest are kept. */
const excess = z.enum(["refuse", "sample"]);

/** What a device may send, so many reports a second after so many at once, and what a tenant may; null: no limit. */
const limits = {
  reportsPerSecondPerDevice: reportsPerSecond,
  burstPerDevice: burst,
  /** By the model's name: what each device of it may send instead; a change replaces all of them. */
  models: z.preprocess(
    refuseProto,
    z.record(label(200), ownRate).refine((models) => Object.keys(models).length <= MODELS_LIMITED_MAX, {
      error: `at most ${MODELS_LIMITED_MAX} models have limits of their own`,
    }),
  ),
  /** Readings a second of all devices together; null: as many as they like. */
  readingsPerSecond: z.number().min(1).max(READINGS_PER_SECOND_MAX).nullable(),
  /** Devices that may report or be registered; null: as many as there are. */
  devices: z.number().int().min(0).max(DEVICES_MAX).nullable(),
  /** Bytes of files in R2; null: as many as there are. */
  storageBytes: z.number().int().min(0).max(Number.MAX_SAFE_INTEGER).nullable(),
  /** Streams that are open at once, of all zones and the fleet together; null: as many as there are. */
  viewers: z.number().int().min(0).max(VIEWERS_MAX).nullable(),
};

/** PERSISTED: in the tenant's object and, copied, in every device object. New fields need a default. */
export const tenantSettings = z.object({
  plan: choices.plan.default("paid"),
  commitEveryMs: choices.commitEveryMs.default(0),
  latenessHorizonMs: choices.latenessHorizonMs.default(7 * DAY_MS),
  // A year of rollups in D1 would cost about as much as everything else.
  retention: choices.retention.default({ rawDays: 7, hourlyDays: 30, archiveDays: null }),
  // A device that sent a reading a second and was away for a day is taken at once; a mad one costs at most 10 rows a second.
  limits: z
    .object({
      reportsPerSecondPerDevice: limits.reportsPerSecondPerDevice.default(10),
      burstPerDevice: limits.burstPerDevice.default(100_000),
      models: z.record(z.string(), ownRate).default({}),
      readingsPerSecond: limits.readingsPerSecond.default(null),
      devices: limits.devices.default(null),
      storageBytes: limits.storageBytes.default(null),
      viewers: limits.viewers.default(null),
    })
    .prefault({}),
  excess: excess.default("refuse"),
  /** Rises with each change of a rule: a device that has another asks for the rules. */
  rulesVersion: z.number().int().nonnegative().default(0),
  /** Rises with each change of a setting: a device that has a newer copy keeps it. */
  settingsVersion: z.number().int().nonnegative().default(0),
  /** Whether the tenant has more files than it may: its devices take nothing. */
  isStorageFull: z.boolean().default(false),
  /** The tenant's life: lives of devices below it were deleted with the tenant. */
  generation: z.number().int().nonnegative().default(0),
  /** Whether the tenant is being deleted: every token is void. */
  isEnding: z.boolean().default(false),
  /** Which tokens are void, of any role by their time, and gateways' by their ids; absent: none ever was. */
  tokens: revocation.optional(),
});
export type TenantSettings = z.infer<typeof tenantSettings>;

/** `GET /v1/tenant`. `issuers`, `access`: absent, there are none; the latter is shown to admins. */
export const tenantAnswer = tenantSettings
  .omit({ settingsVersion: true, isStorageFull: true, tokens: true, generation: true, isEnding: true })
  .extend({ issuers: issuers.optional(), access: accessRules.optional() });

/** `PUT /v1/tenant`: what is named changes, of `limits` too, the rest stays; `rulesVersion` as GET returns it, or not at all. */
export const tenantSettingsChange = z
  .strictObject({
    ...choices,
    retention: choices.retention.strict(),
    limits: z.strictObject(limits).partial(),
    issuers,
    access: accessRules,
    excess,
    rulesVersion: z.number().int().nonnegative(),
  })
  .partial();

/** What `PUT /v1/tenant` changes. */
export type SettingsChange = Omit<z.infer<typeof tenantSettingsChange>, "rulesVersion">;

/**
 * `GET /v1/tenant/quota`: what the tenant may, what it has, and what was refused or thinned since `sinceMs`, counted in
 * readings. A device says it of itself once a minute; the counts begin anew when the tenant's object moves.
 */
export const quotaAnswer = z.object({
  limits: tenantSettings.shape.limits,
  use: z.object({
    devices: z.number().int(),
    /** Bytes of files in R2. */
    storageBytes: z.number().int(),
    /** Streams that are open now; of an object that does not answer none is counted. */
    viewers: z.number().int(),
    /** Devices that send too much now. */
    hotDevices: z.number().int(),
    /** Readings a second that were leased within the last whole minute; 0 where the tenant has no limit of them. */
    readingsPerSecond: z.number(),
  }),
  /** How near the tenant is to each of its limits; without a limit it is `ok`. */
  states: z.record(limitName, limitState),
  refused: z.partialRecord(z.enum(LIMIT_CODES), z.number().int()),
  /** The hundred devices most was refused of. */
  refusedByDevice: z.record(z.string(), z.number().int()),
  /** Readings that came beyond their device's rate and were thinned: taken, and kept or counted. */
  thinned: z.number().int(),
  /** The hundred devices of which most were thinned. */
  thinnedByDevice: z.record(z.string(), z.number().int()),
  sinceMs: z.number(),
});
export type QuotaAnswer = z.infer<typeof quotaAnswer>;

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
