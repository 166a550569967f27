// The tenants of a deployment, as its owner sees them.
import * as z from "zod";
import { tenantDeletion } from "./job.ts";
import { tenantName } from "./name.ts";
import { tenantSettingsChange } from "./tenant.ts";

/** `POST /v1/tenants`: `settings` as `PUT /v1/tenant` takes them, but for issuers, which are the tenant's own to name. */
export const newTenant = z.strictObject({
  tenant: tenantName,
  settings: tenantSettingsChange.omit({ rulesVersion: true, issuers: true }).default({}),
});

/**
 * A tenant. `status`: "ending" while it is deleted, and "deleted" until it is made anew. `devices`: how many are
 * registered. Instants are epoch ms.
 */
export const tenantEntry = z.object({
  tenant: tenantName,
  status: z.enum(["active", "ending", "deleted"]),
  devices: z.number().int(),
  createdAt: z.number(),
  deletedAt: z.number().nullable(),
});
export type TenantEntry = z.infer<typeof tenantEntry>;

/** `GET /v1/tenants/:tenant`. `deletion`: the job of the last one; null: there was none. */
export const tenantDetail = tenantEntry.extend({ deletion: tenantDeletion.nullable() });

/** `GET /v1/tenants`: those that are not deleted, by name. */
export const tenantsQuery = z.object({
  after: tenantName.optional(),
  limit: z.coerce.number().int().min(1).max(1_000).default(100),
});
export const tenantList = z.object({ tenants: z.array(tenantEntry), next: z.string().nullable() });
export type TenantList = z.infer<typeof tenantList>;
