// /v1/api-keys: machines that speak for the tenant.
import { Hono } from "hono";
import { API_KEY_BYTES, apiKeyOf, hashOfApiKey } from "../../../core/token/api-key.ts";
import {
  type ApiKeyList,
  type ApiKeyMade,
  type ApiKeyRevoked,
  apiKeyBody,
} from "../../../schemas/api-key.ts";
import { API_KEYS_PER_TENANT_MAX, VOID_KEPT_MS } from "../../../schemas/limits.ts";
import { wallMs } from "../../clock.ts";
import { Problem } from "../../problem.ts";
import { sortedId } from "../../sorted-id.ts";
import { addApiKey, dropApiKey, readApiKeys } from "../../tenant.ts";
import { type ApiContext, requireRole, whoOf } from "../caller.ts";
import { revokeTenant } from "../revoke.ts";
import { validateBody } from "../validate.ts";

export const apiKeys = new Hono<ApiContext>();

apiKeys.get("/", requireRole("admin"), async (c) => {
  const now = wallMs();
  const all = await readApiKeys(c.env.TENANT, c.var.caller.tenant);
  const held = all.filter(({ expiresAt }) => expiresAt > now);
  return c.json({ apiKeys: held.map(({ hash: _, ...entry }) => entry) } satisfies ApiKeyList);
});

/** The key is in this answer and nowhere else. Costs a row. */
apiKeys.post("/", requireRole("admin"), async (c) => {
  const { name, role, days } = await validateBody(apiKeyBody, c.req.raw);
  const { tenant } = c.var.caller;
  const now = wallMs();
  const entry = {
    id: sortedId(now),
    name,
    role,
    madeAt: now,
    madeBy: whoOf(c.var.caller),
    expiresAt: now + Math.round(days * 86_400_000),
    lastUsedAt: null,
  };
  const apiKey = apiKeyOf(tenant, crypto.getRandomValues(new Uint8Array(API_KEY_BYTES)));
  if (!(await addApiKey(c.env.TENANT, tenant, { ...entry, hash: await hashOfApiKey(apiKey) }))) {
    throw new Problem(
      "conflict",
      `the tenant has ${API_KEYS_PER_TENANT_MAX} API keys; DELETE /v1/api-keys/:key one that is not used`,
    );
  }
  return c.json({ ...entry, apiKey } satisfies ApiKeyMade, 201, { "cache-control": "no-store" });
});

/** Void first and gone then, so that who hears of a failure may ask the same again. Costs what revoking a token does. */
apiKeys.delete("/:key", requireRole("admin"), async (c) => {
  const { tenant, id: own } = c.var.caller;
  const id = c.req.param("key");
  const found = (await readApiKeys(c.env.TENANT, tenant)).find((key) => key.id === id);
  if (found === undefined) {
    throw new Problem(
      "api_key_not_found",
      `there is no API key ${id.slice(0, 100)}; GET /v1/api-keys lists them`,
    );
  }
  const { name, role, expiresAt } = found;
  const ids = [{ id, expiresAt: Math.min(expiresAt, wallMs() + VOID_KEPT_MS) }];
  const order = role === "gateway" ? { ids } : { people: ids };
  const told = await revokeTenant(c.env, c.executionCtx, tenant, order);
  await dropApiKey(c.env.TENANT, tenant, id);
  return c.json({ id, name, told, own: id === own } satisfies ApiKeyRevoked);
});
