import { describe, expect, it } from "vitest";
import { claims } from "../../schemas/token.ts";
import { signToken } from "./sign.ts";
import { verifyToken } from "./verify.ts";

const secret = "a secret of the test, long enough for HS256";
const nowMs = Date.UTC(2026, 10, 22);
const subject = { tenant: "acme", role: "device", device: "pump-1", ttlSeconds: 60 } as const;

describe("token", () => {
  it("[I1] a signed token says tenant, role and device, and fits the schema", async () => {
    const token = await signToken(subject, secret, nowMs);
    expect(await verifyToken(token, secret, nowMs)).toEqual({
      tenant: "acme",
      role: "device",
      device: "pump-1",
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
    const caller = { tenant: "acme", role: "operator", sub: "Ada", expiresAt };
    expect(await verifyToken(named, secret, nowMs)).toEqual(caller);
    expect(claims.parse(JSON.parse(atob(named.split(".")[1]!)))).toMatchObject({ sub: "Ada" });
    const unnamed = await signToken({ tenant: "acme", role: "operator", ttlSeconds: 60 }, secret, nowMs);
    expect(await verifyToken(unnamed, secret, nowMs)).toEqual({
      tenant: "acme",
      role: "operator",
      expiresAt,
    });
  });

  it("[I2] an expired token is refused as token_expired at its last second and not before", async () => {
    const token = await signToken(subject, secret, nowMs);
    await expect(verifyToken(token, secret, nowMs + 59_999)).resolves.toMatchObject({ tenant: "acme" });
    await expect(verifyToken(token, secret, nowMs + 60_000)).rejects.toMatchObject({ code: "token_expired" });
  });

  it("[I2] [I3] a token verified before is still judged by its expiry, and by another secret anew", async () => {
    const token = await signToken(subject, secret, nowMs);
    await verifyToken(token, secret, nowMs);
    await expect(verifyToken(token, secret, nowMs + 60_000)).rejects.toMatchObject({ code: "token_expired" });
    await expect(verifyToken(token, `${secret}!`, nowMs)).rejects.toMatchObject({ code: "token_invalid" });
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
    ["a name that is too long", async () => signToken({ ...subject, sub: "a".repeat(201) }, secret, nowMs)],
    ["a tenant with a slash", async () => signToken({ ...subject, tenant: "acme/x" }, secret, nowMs)],
  ])("[I3] a forged token is refused as token_invalid: %s", async (_name, make) => {
    await expect(verifyToken(await make(), secret, nowMs)).rejects.toMatchObject({ code: "token_invalid" });
  });
});

function tampered(token: string): string {
  const [header, payload, signature] = token.split(".") as [string, string, string];
  return [header, btoa(atob(payload).replace("acme", "evil")).replace(/=+$/, ""), signature].join(".");
}
