import { describe, expect, it } from "vitest";
import { defaultSettings } from "../../schemas/tenant.ts";
import { isVoid } from "../device/void-token.ts";
import { isRevoked, revoke } from "./revocation.ts";

const NOW = Date.UTC(2026, 10, 22);
const token = { issuedAtMs: NOW, expiresAt: NOW + 60_000, id: "t1" };

describe("revocation", () => {
  it("[I34] is of what was issued up to its millisecond, and never goes back", () => {
    const revoked = revoke(null, { notBeforeMs: NOW }, NOW, 9)!;
    expect(isRevoked(token, revoked)).toBe(true);
    expect(isRevoked({ ...token, issuedAtMs: NOW + 1 }, revoked)).toBe(false);
    expect(revoke(revoked, { notBeforeMs: NOW - 1 }, NOW, 9)).toEqual(revoked);
    expect(isRevoked(token, null)).toBe(false);
  });

  it("[I46] is of single tokens until they expire, and of so many at most", () => {
    const ids = [
      { id: "t1", expiresAt: NOW + 2 },
      { id: "t2", expiresAt: NOW + 1 },
    ];
    const revoked = revoke(undefined, { ids }, NOW, 2)!;
    expect([isRevoked(token, revoked), isRevoked({ ...token, id: "t3" }, revoked)]).toEqual([true, false]);
    expect(isRevoked({ issuedAtMs: NOW, expiresAt: NOW + 1 }, revoked)).toBe(false);
    expect(revoke(revoked, { ids }, NOW, 2)).toEqual(revoked);
    expect(revoke(revoked, { ids: [{ id: "t3", expiresAt: NOW + 9 }] }, NOW, 2)).toBeUndefined();
    expect(revoke(revoked, { ids: [{ id: "t3", expiresAt: NOW + 9 }] }, NOW + 1, 2)?.ids).toEqual([
      { id: "t1", expiresAt: NOW + 2 },
      { id: "t3", expiresAt: NOW + 9 },
    ]);
  });

  it("[I34] a device's is of its own tokens, a tenant's of gateways' too", () => {
    const revoked = { notBeforeMs: NOW, ids: [] };
    const gateway = { ...token, isGateway: true };
    expect(isVoid({ settings: defaultSettings, revoked }, token)).toBe(true);
    expect(isVoid({ settings: defaultSettings, revoked }, gateway)).toBe(false);
    expect(isVoid({ settings: { ...defaultSettings, tokens: revoked }, revoked: null }, gateway)).toBe(true);
  });
});
