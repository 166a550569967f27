// /v1/provisioning-keys, with which devices get their tokens, and /v1/claim, where they do.
import { Hono } from "hono";
import {
  claimBody,
  type ProvisioningKeyEntry,
  type ProvisioningKeyMade,
  provisioningKeySpec,
  provisioningKeysQuery,
} from "../../../schemas/provisioning.ts";
import { wallMs } from "../../clock.ts";
import { sortedId } from "../../sorted-id.ts";
import { type ApiContext, noQuery, requireRole, whoOf } from "../caller.ts";
import { claimDevice, keyIn } from "../claim.ts";
import { drawKey, hashOf, insertKey, listKeys, readKey, revokeKey } from "../provisioning-keys.ts";
import { validateBody, validateQuery } from "../validate.ts";

export const provisioningKeys = new Hono<ApiContext>();
export const claim = new Hono<ApiContext>();

provisioningKeys.get("/", requireRole("admin", provisioningKeysQuery), async (c) =>
  c.json(await listKeys(c.env.CONTROL, c.var.caller.tenant, c.var.query)),
);

/** The key is in this answer and nowhere else: D1 has its hash. */
provisioningKeys.post("/", requireRole("admin"), async (c) => {
  const { name, zone, model, devicePrefix, maxDevices, ttlSeconds, tokenTtlSeconds } = await validateBody(
    provisioningKeySpec,
    c.req.raw,
  );
  const { caller } = c.var;
  const now = wallMs();
  const entry: ProvisioningKeyEntry = {
    id: sortedId(now),
    name: name ?? null,
    zone: zone ?? null,
    model: model ?? null,
    devicePrefix: devicePrefix ?? null,
    maxDevices,
    tokenTtlSeconds,
    createdAt: now,
    createdBy: whoOf(caller),
    expiresAt: now + ttlSeconds * 1000,
    revokedAt: null,
    claimed: 0,
    lastClaimAt: null,
  };
  const provisioningKey = drawKey();
  await insertKey(c.env.CONTROL, caller.tenant, await hashOf(provisioningKey), entry);
  return c.json({ ...entry, provisioningKey } satisfies ProvisioningKeyMade, 201, {
    "cache-control": "no-store",
    location: `/v1/provisioning-keys/${entry.id}`,
  });
});

provisioningKeys.get("/:key", requireRole("admin"), async (c) =>
  c.json(await readKey(c.env.CONTROL, c.var.caller.tenant, c.req.param("key"))),
);

provisioningKeys.delete("/:key", requireRole("admin"), async (c) =>
  c.json(await revokeKey(c.env.CONTROL, c.var.caller.tenant, c.req.param("key"), wallMs())),
);

claim.post("/", async (c) => {
  const key = keyIn(c.req.raw);
  validateQuery(noQuery, c.req.url);
  const now = wallMs();
  const asked = await validateBody(claimBody, c.req.raw);
  const { answer, tenant, who, isNew } = await claimDevice(c.env, c.req.raw, key, asked, now);
  const { device, expiresAt } = answer;
  // For the audit, which notes it as the key's doing.
  c.set("caller", { tenant, role: "device", device, sub: who, issuedAtMs: now, expiresAt });
  return c.json(answer, isNew ? 201 : 200, {
    "cache-control": "no-store",
    location: `/v1/devices/${device}`,
  });
});
