// Query parameters of the lists and streams.
import * as z from "zod";
import { SNAPSHOT_PAGE_MAX } from "./limits.ts";
import { deviceName, zoneName } from "./name.ts";
import { instant } from "./query.ts";
import { role } from "./token.ts";

const limit = z.coerce.number().int().min(1).max(1_000).default(100);
const date = z.string().regex(/^\d{4}-\d\d-\d\d$/, { error: "a date is YYYY-MM-DD" });

const flag = z
  .enum(["true", "false"])
  .default("false")
  .transform((text) => text === "true");

/** `DELETE /v1/devices/:device`. `block`: the device's tokens end with it, those it has; its next life begins with a new one. */
export const deleteQuery = z.object({ block: flag });

/**
 * `GET /v1/devices`. `search`: only devices whose id or name has this text in it, A–Z in either case. `newest`: each with the
 * instant of its newest reading, which costs a request to each device. `hot`: only those that send too much, the hottest
 * first, on one page.
 */
export const listQuery = z.object({
  /** Only devices that send too much, the hottest first; not with other parameters. */
  hot: z
    .enum(["true", "false"])
    .default("false")
    .transform((text) => text === "true"),
  zone: zoneName.optional(),
  search: z.string().trim().min(1).max(200).optional(),
  newest: flag,
  after: deviceName.optional(),
  limit,
});
/** `GET /v1/audit`: newest first. `target`: the address that was changed begins with it; `who`: by this one only. */
export const auditQuery = z.object({
  from: instant.optional(),
  to: instant.optional(),
  who: z.string().max(200).optional(),
  target: z.string().max(400).optional(),
  after: z.string().max(64).optional(),
  limit,
});
export type AuditQuery = z.infer<typeof auditQuery>;

/** `from` and `to` are UTC days, both included. */
export const archiveQuery = z.object({
  from: date.optional(),
  to: date.optional(),
  after: z.string().max(1_024).optional(),
  limit,
});

/**
 * One thing a deployment needs. `isNeeded`: without it we are not ready. `waiting`: how much it has yet to do (messages, dirty
 * hours up to a thousand, chores long overdue); `behindMs`: how old the oldest of that is; `isBehind`: that is too much.
 */
export const dependency = z.object({
  isOk: z.boolean(),
  isNeeded: z.boolean(),
  answeredInMs: z.number().int(),
  error: z.string().optional(),
  waiting: z.number().int().optional(),
  behindMs: z.number().int().optional(),
  isBehind: z.boolean().optional(),
});
export type Dependency = z.infer<typeof dependency>;

/**
 * `GET /readyz`: `unready` (503): one that is needed does not answer; `behind`: another does not, or something has too much
 * to do. `checkedAt` is epoch ms: an answer is kept for some seconds.
 */
export const readyAnswer = z.object({
  status: z.enum(["ready", "behind", "unready"]),
  checkedAt: z.number(),
  dependencies: z.record(z.string(), dependency),
});
export type ReadyAnswer = z.infer<typeof readyAnswer>;

const device = deviceName.optional();
/** The number of the last frame that was seen. */
const after = z.coerce.number().nonnegative().optional();

/** `device`: that device only, and whole. `limit` or `after`: a page of the devices by id. */
export const snapshotQuery = z
  .object({
    device,
    after: deviceName.optional(),
    limit: z.coerce.number().int().min(1).max(SNAPSHOT_PAGE_MAX).optional(),
  })
  .refine(
    ({ device, after, limit }) => device === undefined || (after === undefined && limit === undefined),
    {
      error: "one device has no pages: ask with `device`, or with `limit` and `after`",
    },
  );
export const zoneStreamQuery = z.object({ device, after });
export const fleetStreamQuery = z.object({ after });

/**
 * One change. `action`: the method; `target`: the address that was changed. `before` and `after`: what GET answers of it
 * and what the change answered, without secrets; null: nothing, and a text where it was too long to keep whole.
 */
export const auditEntry = z.object({
  id: z.string(),
  at: z.number(),
  who: z.string(),
  role,
  address: z.string().nullable(),
  action: z.string(),
  target: z.string(),
  before: z.unknown(),
  after: z.unknown(),
});
export type AuditEntry = z.infer<typeof auditEntry>;
export const auditAnswer = z.object({ entries: z.array(auditEntry), next: z.string().nullable() });
