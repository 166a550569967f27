// /v1/tokens: who may speak for the tenant.

import { Hono } from "hono";
import { signToken } from "../../../core/token/sign.ts";
import { BODY_BYTES_MAX } from "../../../schemas/limits.ts";
import {
  revokeBody,
  type TokenEntry,
  type TokensMade,
  tokenSpec,
  tokensBody,
  tokensQuery,
} from "../../../schemas/token.ts";
import { secretsOf } from "../../authenticate.ts";
import { wallMs } from "../../clock.ts";
import { sortedId } from "../../sorted-id.ts";
import { type ApiContext, requireRole, whoOf } from "../caller.ts";
import { readJson } from "../read-json.ts";
import { revokeAll, revokeIds } from "../revoke.ts";
import { insertTokens, listTokens } from "../token-list.ts";
import { validate } from "../validate.ts";

export const tokens = new Hono<ApiContext>();

/** Of a thousand tokens. */
const MANY = { mostBytes: BODY_BYTES_MAX, remedy: "make them in several requests" };

tokens.get("/", requireRole("admin", tokensQuery), async (c) =>
  c.json(await listTokens(c.env.CONTROL, c.var.caller.tenant, c.var.query)),
);

/** The token is in this answer and nowhere else: neither D1 nor the log has it. */
tokens.post("/", requireRole("admin"), async (c) => {
  const body = await readJson(c.req.raw, undefined, MANY);
  const isMany = typeof body === "object" && body !== null && "tokens" in body;
  const specs = isMany
    ? validate(tokensBody, body, "invalid_body").tokens
    : [validate(tokenSpec, body, "invalid_body")];
  const { tenant } = c.var.caller;
  const [secret] = secretsOf(c.env);
  const now = wallMs();
  const batch = sortedId(now);
  const made = specs.map(({ role, device, name, days }, index) => {
    const ttlSeconds = Math.round(days * 86_400);
    const id = `${batch}-${String(index).padStart(3, "0")}`;
    const expiresAt = (Math.floor(now / 1000) + ttlSeconds) * 1000;
    const entry: TokenEntry = {
      id,
      role,
      device: device ?? null,
      name: name ?? null,
      issuedAt: now,
      issuedBy: whoOf(c.var.caller),
      expiresAt,
      revokedAt: null,
    };
    return { entry, subject: { tenant, role, ...(device && { device }), sub: name, id, ttlSeconds } };
  });
  await insertTokens(
    c.env.CONTROL,
    tenant,
    made.map(({ entry }) => entry),
    now,
  );
  const answer: TokensMade = {
    tokens: await Promise.all(
      made.map(async ({ entry, subject }) => ({ ...entry, token: await signToken(subject, secret, now) })),
    ),
  };
  return c.json(answer, 201, { "cache-control": "no-store" });
});

tokens.post("/revoke", requireRole("admin"), async (c) => {
  const { id, ids = id === undefined ? undefined : [id] } = validate(
    revokeBody,
    await readJson(c.req.raw, {}),
    "invalid_body",
  );
  const { caller } = c.var;
  return c.json(
    ids === undefined
      ? await revokeAll(c.env, c.executionCtx, caller)
      : await revokeIds(c.env, c.executionCtx, caller, [...new Set(ids)]),
  );
});
