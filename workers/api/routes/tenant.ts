// /v1/tenant: what the tenant may choose, kept by its control object.
import { Hono } from "hono";
import { importJWK, type JWK } from "jose";
import type { Caller } from "../../../core/token/verify.ts";
import { activityQuery } from "../../../schemas/query.ts";
import { type TenantSettings, tenantAnswer, tenantSettingsChange } from "../../../schemas/tenant.ts";
import type { Issuer } from "../../../schemas/token.ts";
import { nowMs, wallMs } from "../../clock.ts";
import { Problem } from "../../problem.ts";
import { noteSettings } from "../../push-rules.ts";
import { readStoredBytes } from "../../read-stored-bytes.ts";
import {
  changeSettings,
  readAccess,
  readIssuers,
  readRevoked,
  readSettings,
  tellStored,
} from "../../tenant.ts";
import { type ApiContext, requireRole } from "../caller.ts";
import type { ApiEnv } from "../env.ts";
import { keptAsRead } from "../kept-as-read.ts";
import { readActivity } from "../read-activity.ts";
import { readQuota } from "../read-quota.ts";
import { readRetention } from "../read-retention.ts";
import { endStreams } from "../revoke.ts";
import { tellDevices } from "../rules.ts";
import { fromStorage } from "../storage.ts";
import { settingCode, validateBody } from "../validate.ts";

export const tenant = new Hono<ApiContext>();

tenant.get("/", requireRole("viewer"), async (c) =>
  c.json(await answerOf(c.env, c.var.caller, await readSettings(c.env.TENANT, c.var.caller.tenant))),
);

tenant.get("/quota", requireRole("viewer"), async (c) => c.json(await readQuota(c.env, c.var.caller.tenant)));

tenant.get("/activity", requireRole("viewer", activityQuery), async (c) => {
  const { caller, query } = c.var;
  return c.json(await readActivity(c.env, caller.tenant, query, nowMs(c.env, c.req.raw)));
});

/** The settings as they are shown, with the tenant's issuers where there are any, and to admins whom of Access it knows. */
async function answerOf(env: ApiEnv, { tenant, role }: Caller, settings: TenantSettings) {
  const issuers = await readIssuers(env.TENANT, tenant);
  const access = role === "admin" ? (await readAccess(env.TENANT, tenant)).rules : [];
  return tenantAnswer.parse({
    ...settings,
    ...(issuers.length === 0 ? {} : { issuers }),
    ...(access.length === 0 ? {} : { access }),
  });
}

/** @throws Problem `invalid_body` for a key that is none: a point beside its curve. */
async function checkKeys(issuers: readonly Issuer[]): Promise<void> {
  for (const { issuer, jwks } of issuers) {
    for (const [index, key] of jwks.keys.entries()) {
      await importJWK(key as JWK, key.kty === "EC" ? "ES256" : "EdDSA").catch((error: Error) => {
        throw new Problem(
          "invalid_body",
          `issuers: key ${index} of ${issuer} is no public key: ${error.message}`,
        );
      });
    }
  }
}

tenant.get("/retention", requireRole("viewer"), async (c) =>
  c.json(await readRetention(c.env, c.var.caller.tenant)),
);

tenant.put("/", requireRole("admin"), async (c) => {
  const { rulesVersion, ...change } = await validateBody(tenantSettingsChange, c.req.raw, settingCode);
  if (rulesVersion !== undefined) {
    const stored = await readSettings(c.env.TENANT, c.var.caller.tenant);
    keptAsRead({ rulesVersion }, stored, ["rulesVersion"]);
  }
  await checkKeys(change.issuers ?? []);
  const { tenant } = c.var.caller;
  const settings = await changeSettings(c.env.TENANT, tenant, change);
  if (change.access !== undefined) await endStreams(c.env, tenant, await readRevoked(c.env.TENANT, tenant));
  if (change.limits?.storageBytes !== undefined) {
    const bytes = await fromStorage("D1", readStoredBytes(c.env, tenant));
    await tellStored(c.env.TENANT, tenant, bytes);
  }
  const push = await fromStorage("D1", noteSettings(c.env.CONTROL, tenant, settings, wallMs()));
  await tellDevices(c.env, c.executionCtx, push);
  return c.json(await answerOf(c.env, c.var.caller, settings));
});
