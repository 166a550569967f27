import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { describe, expect, it } from "vitest";
import { claims, issuer } from "../../schemas/token.ts";
import { kidOf } from "./secret.ts";
import { signToken } from "./sign.ts";
import { foreignIssuerOf, issuerVerifier, type TokenError, verifyToken } from "./verify.ts";

const secret = "a secret of the test, long enough for HS256";
const nowMs = Date.UTC(2026, 10, 22);
const subject = { tenant: "acme", role: "device", device: "pump-1", ttlSeconds: 60 } as const;

describe("token", () => {
  it("[I1] a signed token says tenant, role and device, and fits the schema", async () => {
    const token = await signToken(subject, secret, nowMs);
    expect(await verifyToken(token, [secret], nowMs)).toEqual({
      tenant: "acme",
      role: "device",
      device: "pump-1",
      issuedAtMs: nowMs,
      expiresAt: nowMs + 60_000,
    });
    expect(claims.parse(JSON.parse(atob(token.split(".")[1]!)))).toMatchObject({ tenant: "acme" });
  });

  it("[A47] a token may name its bearer", async () => {
    const named = await signToken(
      { tenant: "acme", role: "operator", sub: "Ada", ttlSeconds: 60 },
      secret,
      nowMs,
    );
    const expiresAt = nowMs + 60_000;
    const caller = { tenant: "acme", role: "operator", sub: "Ada", issuedAtMs: nowMs, expiresAt };
    expect(await verifyToken(named, [secret], nowMs)).toEqual(caller);
    expect(claims.parse(JSON.parse(atob(named.split(".")[1]!)))).toMatchObject({ sub: "Ada" });
    const unnamed = await signToken({ tenant: "acme", role: "operator", ttlSeconds: 60 }, secret, nowMs);
    expect(await verifyToken(unnamed, [secret], nowMs)).toEqual({
      tenant: "acme",
      role: "operator",
      issuedAtMs: nowMs,
      expiresAt,
    });
  });

  it("[I70] an owner's token is of no tenant, and only the deployment signs it", async () => {
    const owner = { role: "owner", ttlSeconds: 60 } as const;
    const caller = { tenant: "*", role: "owner", issuedAtMs: nowMs, expiresAt: nowMs + 60_000 };
    expect(await verifyToken(await signToken(owner, secret, nowMs), [secret], nowMs)).toEqual(caller);
    const ofTenant = await signToken({ ...owner, tenant: "acme" }, secret, nowMs);
    const ofNone = await signToken({ role: "admin", ttlSeconds: 60 }, secret, nowMs);
    const ofAll = await signToken({ role: "admin", tenant: "*", ttlSeconds: 60 }, secret, nowMs);
    for (const token of [ofTenant, ofNone, ofAll])
      await expect(verifyToken(token, [secret], nowMs)).rejects.toMatchObject({ code: "token_invalid" });
    const { privateKey, publicKey } = await generateKeyPair("EdDSA", { extractable: true });
    const own = issuer.parse({
      issuer: "https://id.acme.example",
      jwks: { keys: [await exportJWK(publicKey)] },
    });
    for (const claimed of [{}, { tenant: "acme" }, { tenant: "*" }]) {
      const foreign = await new SignJWT({
        ...claimed,
        role: "owner",
        iat: nowMs / 1000,
        exp: nowMs / 1000 + 60,
      })
        .setProtectedHeader({ alg: "EdDSA" })
        .setIssuer(own.issuer)
        .sign(privateKey);
      await expect(issuerVerifier("acme", own).verify(foreign, nowMs)).rejects.toMatchObject({
        code: "token_invalid",
      });
      await expect(verifyToken(foreign, [secret], nowMs)).rejects.toMatchObject({ code: "token_invalid" });
    }
  });

  it("[I2] an expired token is refused as token_expired at its last second and not before", async () => {
    const token = await signToken(subject, secret, nowMs);
    await expect(verifyToken(token, [secret], nowMs + 59_999)).resolves.toMatchObject({ tenant: "acme" });
    await expect(verifyToken(token, [secret], nowMs + 60_000)).rejects.toMatchObject({
      code: "token_expired",
    });
  });

  it("[I2] [I3] a token verified before is still judged by its expiry, and by another secret anew", async () => {
    const token = await signToken(subject, secret, nowMs);
    await verifyToken(token, [secret], nowMs);
    await expect(verifyToken(token, [secret], nowMs + 60_000)).rejects.toMatchObject({
      code: "token_expired",
    });
    await expect(verifyToken(token, [`${secret}!`], nowMs)).rejects.toMatchObject({ code: "token_invalid" });
  });

  it.each([
    ["another secret", async () => signToken(subject, "some other secret of the same length....", nowMs)],
    ["a changed payload", async () => tampered(await signToken(subject, secret, nowMs))],
    [
      "no signature (alg none)",
      async () => `${btoa('{"alg":"none"}')}.${btoa('{"tenant":"acme","role":"admin"}')}.`,
    ],
    ["not a token", async () => "pump-1"],
    [
      "a device role without a device",
      async () => signToken({ ...subject, device: undefined }, secret, nowMs),
    ],
    ["a viewer with a device", async () => signToken({ ...subject, role: "viewer" }, secret, nowMs)],
    ["an empty name", async () => signToken({ ...subject, sub: "" }, secret, nowMs)],
    ["a name of two lines", async () => signToken({ ...subject, sub: "Ada\nBcc" }, secret, nowMs)],
    ["a name that is too long", async () => signToken({ ...subject, sub: "a".repeat(201) }, secret, nowMs)],
    ["a tenant with a slash", async () => signToken({ ...subject, tenant: "acme/x" }, secret, nowMs)],
  ])("[I3] a forged token is refused as token_invalid: %s", async (_name, make) => {
    await expect(verifyToken(await make(), [secret], nowMs)).rejects.toMatchObject({ code: "token_invalid" });
  });
});

describe("keys", () => {
  const next = "the secret that comes after it, as long as that";
  const third = "a third secret, which nobody has set anywhere yet";
  const holds = async (token: string, secrets: string[]) =>
    await verifyToken(token, secrets, nowMs).then(
      () => true,
      (error: TokenError) => error.message,
    );

  it("[I39] two secrets hold at a time, so that one takes the other's place without a token being refused", async () => {
    const old = await signToken(subject, secret, nowMs);
    const renewed = await signToken(subject, next, nowMs);
    // What a Worker may have at each step: a token of either is taken as soon as its key is anywhere.
    expect([await holds(old, [secret, secret]), await holds(old, [next, secret])]).toEqual([true, true]);
    expect(await holds(renewed, [next, secret])).toBe(true);
    expect([await holds(renewed, [next]), await holds(old, [next])]).toEqual([
      true,
      expect.stringMatching(/signed by key "[0-9a-f]{12}", which was replaced/),
    ]);
  });

  it("[I39] a token of before keys had ids is tried with each; an id of another key is no way around its signature", async () => {
    const claims = { tenant: "acme", role: "viewer" };
    const sign = (key: string, header: object) =>
      new SignJWT(claims)
        .setProtectedHeader({ alg: "HS256", ...header })
        .setIssuer("telltale")
        .setIssuedAt(nowMs / 1_000)
        .setExpirationTime(nowMs / 1_000 + 60)
        .sign(new TextEncoder().encode(key));
    for (const key of [secret, next]) expect(await holds(await sign(key, {}), [secret, next])).toBe(true);
    expect(await holds(await sign(third, {}), [secret, next])).toMatch(/not one this deployment signed/);
    const kid = await kidOf(secret);
    expect(await holds(await sign(next, { kid }), [secret, next])).toMatch(/not one this deployment signed/);
  });

  it("[I40] a secret of less than 32 bytes signs nothing; bytes count, not characters", async () => {
    await expect(signToken(subject, "s".repeat(31), nowMs)).rejects.toThrow(/has 31 bytes and needs 32/);
    await expect(signToken(subject, "s".repeat(32), nowMs)).resolves.toBeTypeOf("string");
    await expect(signToken(subject, "ü".repeat(16), nowMs)).resolves.toBeTypeOf("string");
  });

  it.each([
    ["lasts 3,650 days", { exp: nowMs / 1_000 + 3_650 * 86_400 }, true],
    ["lasts longer", { exp: nowMs / 1_000 + 3_650 * 86_400 + 1 }, /lasts 3651 days, and may last 3650/],
    ["says not when it was issued", { iat: undefined }, /lacks "iat"/],
    ["is of a minute ahead", { iat: nowMs / 1_000 + 60 }, true],
    ["is of the future", { iat: nowMs / 1_000 + 61 }, /issued at 2026-.*yet to come/],
    ["is of a future beyond dates", { iat: 1e13, exp: 1e13 + 1 }, /yet to come/],
    ["has a fraction", { iat: nowMs / 1_000 - 0.5 }, true],
    ["has an id that is none", { jti: "" }, /"jti" is no id/],
  ])("[I41] a token that %s", async (_, changed, expected) => {
    const claims = {
      iss: "telltale",
      tenant: "acme",
      role: "viewer",
      iat: nowMs / 1_000,
      exp: nowMs / 1_000 + 60,
      ...changed,
    };
    const token = await new SignJWT(claims as never)
      .setProtectedHeader({ alg: "HS256" })
      .sign(new TextEncoder().encode(secret));
    const held = await holds(token, [secret]);
    if (expected === true) expect(held).toBe(true);
    else expect(held).toMatch(expected as RegExp);
  });
});

describe("a tenant's own issuer", () => {
  const algorithms = ["ES256", "EdDSA"] as const;
  const made = async (alg: string) => {
    const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
    return { alg, privateKey, jwk: await exportJWK(publicKey) };
  };
  const sign = (key: Awaited<ReturnType<typeof made>>, changed: object = {}, header: object = {}) =>
    new SignJWT({
      iss: "https://id.acme.example",
      tenant: "acme",
      role: "device",
      device: "pump-1",
      ...changed,
    })
      .setProtectedHeader({ alg: key.alg, ...header })
      .setIssuedAt(nowMs / 1_000)
      .setExpirationTime(nowMs / 1_000 + 60)
      .sign(key.privateKey);
  const verifierOf = (...keys: object[]) =>
    issuerVerifier("acme", issuer.parse({ issuer: "https://id.acme.example", jwks: { keys } }));

  it.each(algorithms)("[I42] signs tokens of the tenant's devices with %s", async (alg) => {
    const [key, other] = [await made(alg), await made(alg)];
    const token = await sign(key, { aud: "telltale" });
    expect(foreignIssuerOf(token)).toEqual({ issuer: "https://id.acme.example", tenant: "acme" });
    const expected = { tenant: "acme", role: "device", device: "pump-1" };
    expect(await verifierOf(key.jwk).verify(token, nowMs)).toMatchObject(expected);
    expect(await verifierOf(other.jwk, key.jwk).verify(token, nowMs)).toMatchObject(expected);
    const named = await sign(key, {}, { kid: "k" });
    const keys = [
      { ...other.jwk, kid: "j" },
      { ...key.jwk, kid: "k" },
    ];
    expect(await verifierOf(...keys).verify(named, nowMs)).toMatchObject(expected);
    await expect(verifierOf(other.jwk).verify(token, nowMs)).rejects.toMatchObject({ code: "token_invalid" });
    const verifier = verifierOf(key.jwk);
    await verifier.verify(token, nowMs);
    await expect(verifier.verify(token, nowMs + 60_000)).rejects.toMatchObject({ code: "token_expired" });
  });

  it.each([
    ["a person", { role: "admin", device: undefined }, /tokens for devices/],
    ["a gateway", { role: "gateway", device: undefined }, /tokens for devices/],
    ["another tenant's device", { tenant: "rival" }, /speaks for acme only/],
    ["no device", { device: undefined }, /names one device/],
    ["another service", { aud: "https://elsewhere.example" }, /"aud" is for others/],
    ["another issuer", { iss: "https://id.rival.example" }, /not one the issuer/],
    ["the deployment", { iss: "telltale" }, /not one the issuer/],
  ])("[I42] signs none for %s", async (_, changed, says) => {
    const key = await made("ES256");
    const token = sign(key, changed);
    await expect(verifierOf(key.jwk).verify(await token, nowMs)).rejects.toThrow(says);
  });

  it("[I42] a public key is no secret: a token signed with it as one is none", async () => {
    const { jwk } = await made("ES256");
    const token = await new SignJWT({
      iss: "https://id.acme.example",
      tenant: "acme",
      role: "device",
      device: "d",
    })
      .setProtectedHeader({ alg: "HS256" })
      .setIssuedAt(nowMs / 1_000)
      .setExpirationTime(nowMs / 1_000 + 60)
      .sign(new TextEncoder().encode(JSON.stringify(jwk)));
    await expect(verifierOf(jwk).verify(token, nowMs)).rejects.toMatchObject({ code: "token_invalid" });
  });
});

function tampered(token: string): string {
  const [header, payload, signature] = token.split(".") as [string, string, string];
  return [header, btoa(atob(payload).replace("acme", "evil")).replace(/=+$/, ""), signature].join(".");
}
