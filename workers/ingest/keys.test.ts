// Which keys a deployment and its tenants take, at the doors: secrets that change, and tenants' own issuers.
import { createExecutionContext, env } from "cloudflare:test";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { afterEach, expect, it, vi } from "vitest";
import { signToken } from "../../core/token/sign.ts";
import { TenantObject } from "../aggregate/tenant/tenant-object.ts";
import { answerOf, ask } from "../api/api-test-support.ts";
import { api } from "../api/worker.ts";
import { problem } from "../test-support.ts";
import { ingestEnv, send } from "./ingest-test-support.ts";

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const OLD = env.TOKEN_SECRET;
const NEXT = "the secret that takes its place, quite as long";
const body = JSON.stringify({ metrics: { a: 1 } });
const bearerOf = async (secret: string) => {
  const subject = { tenant: "rotating", role: "device", device: "d1", ttlSeconds: 60 } as const;
  return { authorization: `Bearer ${await signToken(subject, secret, Date.now())}` };
};

it("[I39] a secret is replaced step by step, Worker by Worker: no token that was given out is refused meanwhile", async () => {
  const given: Record<string, string>[] = [await bearerOf(OLD)];
  const steps = [
    { TOKEN_SECRET: OLD },
    { TOKEN_SECRET: OLD, TOKEN_SECRET_OLD: OLD },
    { TOKEN_SECRET: NEXT, TOKEN_SECRET_OLD: OLD },
  ];
  for (const step of steps) {
    if (step.TOKEN_SECRET === NEXT) given.push(await bearerOf(NEXT));
    for (const headers of given)
      expect((await send({ body, headers, env: { ...ingestEnv, ...step } })).status).toBe(200);
  }
  const over = { ...ingestEnv, TOKEN_SECRET: NEXT };
  await problem(send({ body, headers: given[0]!, env: over }), 401, "token_invalid");
  expect((await send({ body, headers: given[1]!, env: over })).status).toBe(200);
});

it.each([
  ["TOKEN_SECRET", { TOKEN_SECRET: "short" }],
  ["TOKEN_SECRET_OLD", { TOKEN_SECRET_OLD: "x".repeat(31) }],
])("[I40] a %s of less than 32 bytes lets nobody in, and says how to make another", async (name, secrets) => {
  const headers = await bearerOf(OLD);
  const detail = expect.stringMatching(new RegExp(`^${name} has \\d+ bytes and needs 32.*randomBytes`));
  const own = { ...ingestEnv, ...secrets };
  expect(await problem(send({ body, headers, env: own }), 503, "not_configured")).toMatchObject({ detail });
  const request = new Request("https://telltale.test/v1/session", { headers });
  await problem(api.fetch(request, own as never, createExecutionContext()), 503, "not_configured");
  const local = new Request("http://localhost/local/session");
  const asked = { ...own, LOCAL_TENANT: "demo" } as never;
  await problem(api.fetch(local, asked, createExecutionContext()), 503, "not_configured");
});

const ISSUER = "https://id.example";

async function issuerKey(kid = "one") {
  const { publicKey, privateKey } = await generateKeyPair("ES256", { extractable: true });
  const sign = async (claims: object) => {
    const now = Date.now() / 1_000;
    const token = await new SignJWT({ role: "device", device: "d1", ...claims })
      .setProtectedHeader({ alg: "ES256", kid })
      .setIssuer(ISSUER)
      .setIssuedAt(now)
      .setExpirationTime(now + 3_600)
      .sign(privateKey);
    return { authorization: `Bearer ${token}` };
  };
  return { sign, jwk: { ...(await exportJWK(publicKey)), kid } };
}

const setIssuers = (tenant: string, ...keys: object[]) => {
  const issuers = keys.length === 0 ? [] : [{ issuer: ISSUER, jwks: { keys } }];
  return ask(tenant, "admin", "/v1/tenant", { method: "PUT", body: { issuers } });
};

it("[I42] a tenant's own issuer signs for its devices, at the doors of ingest, until it is taken away", async () => {
  const { sign, jwk } = await issuerKey();
  expect(await answerOf(setIssuers("own", jwk))).toMatchObject({ issuers: [{ issuer: ISSUER }] });
  expect(await answerOf(ask("own", "viewer", "/v1/tenant"))).toMatchObject({
    issuers: [{ jwks: { keys: [jwk] } }],
  });
  const asks = vi.spyOn(TenantObject.prototype, "issuers");
  const headers = await sign({ tenant: "own" });
  for (let i = 0; i < 3; i++) expect((await send({ body, headers })).status).toBe(200);
  expect(asks).toHaveBeenCalledTimes(1);
  const foreign = JSON.stringify({ device: "d2", metrics: { a: 1 } });
  await problem(send({ body: foreign, headers }), 403, "device_mismatch");
  const refused = async (claims: object, says: RegExp) => {
    const answer = await problem(send({ body, headers: await sign(claims) }), 401, "token_invalid");
    expect(answer.detail).toMatch(says);
  };
  await refused({ tenant: "own-rival" }, /tenant own-rival does not name/);
  await refused({ tenant: "own", role: "gateway", device: undefined }, /tokens for devices/);
  await refused({ tenant: "own/x" }, /signed/);
  const admin = await sign({ tenant: "own", role: "admin", device: undefined });
  await problem(ask("own", "admin", "/v1/devices", { headers: admin }), 401, "token_invalid");
  await problem(ask("own", "admin", "/v1/devices", { headers }), 403, "forbidden");
  await answerOf(ask("own", "admin", "/v1/devices/d1/revoke", { method: "POST" }));
  await problem(send({ body, headers }), 401, "token_revoked");
  const later = await sign({ tenant: "own", device: "d3" });
  expect((await answerOf<object>(setIssuers("own"))) as { issuers?: unknown }).not.toHaveProperty("issuers");
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 61_000 });
  await problem(send({ body, headers: later }), 401, "token_invalid");
});

it("[I43] the keys of an issuer that is away: those known stand for a minute, others can be asked for again", async () => {
  vi.spyOn(console, "error").mockImplementation(() => undefined);
  const { sign, jwk } = await issuerKey();
  await answerOf(setIssuers("absent", jwk));
  const headers = await sign({ tenant: "absent" });
  const away = vi.spyOn(TenantObject.prototype, "issuers").mockImplementation(() => {
    throw new Error("away");
  });
  await problem(send({ body, headers }), 503, "unavailable");
  away.mockRestore();
  expect((await send({ body, headers })).status).toBe(200);
});

it("[I42] keys are checked when they are given: public, on their curve, few, and not the deployment's name", async () => {
  const { jwk } = await issuerKey();
  const put = (issuers: unknown) =>
    ask("checked", "admin", "/v1/tenant", { method: "PUT", body: { issuers } });
  const keys = (...all: object[]) => [{ issuer: ISSUER, jwks: { keys: all } }];
  const bad: [issuers: unknown, code: string, says: RegExp][] = [
    [keys({ ...jwk, d: jwk.x }), "unknown_setting", /"d"/],
    [keys({ ...jwk, x: jwk.y, y: jwk.x }), "invalid_body", /key 0 of https:\/\/id\.example is no public key/],
    [keys({ kty: "oct", k: "secret" }), "invalid_body", /kty/],
    [keys({ ...jwk, crv: "P-384" }), "invalid_body", /crv/],
    [keys({ ...jwk, x: "AA" }), "invalid_body", /43 characters, not "AA"/],
    [keys(), "invalid_body", /keys/],
    [keys(...Array.from({ length: 11 }, () => jwk)), "invalid_body", /keys/],
    [[{ issuer: "telltale", jwks: { keys: [jwk] } }], "invalid_body", /deployment itself/],
    [[...keys(jwk), ...keys(jwk)], "invalid_body", /once/],
    [Array.from({ length: 6 }, (_, i) => ({ issuer: `i${i}`, jwks: { keys: [jwk] } })), "invalid_body", /5/],
  ];
  for (const [issuers, code, says] of bad)
    expect((await problem(put(issuers), 400, code)).detail).toMatch(says);
  expect(await answerOf(ask("checked", "viewer", "/v1/tenant"))).not.toHaveProperty("issuers");
});
