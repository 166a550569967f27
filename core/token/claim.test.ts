import { expect, it } from "vitest";
import type { ProvisioningKeyEntry } from "../../schemas/provisioning.ts";
import { type ClaimedToken, type ClaimingDevice, judgeClaim } from "./claim.ts";

const NOW = 1_000_000;
const KEY: ProvisioningKeyEntry = {
  id: "k1",
  name: null,
  zone: null,
  model: null,
  devicePrefix: "pump-",
  maxDevices: 2,
  tokenTtlSeconds: 3_600,
  createdAt: 1_000,
  createdBy: "Ada",
  expiresAt: NOW + 1,
  revokedAt: null,
  claimed: 1,
  lastClaimAt: null,
};
const NOBODY: ClaimingDevice = { hasReported: false, hasToken: false, wasRevoked: false, claim: null };
const TOKEN: ClaimedToken = {
  id: "t1",
  issuedAt: 2_000,
  expiresAt: NOW + 1,
  issuedBy: "provisioning-keys/k1",
  revokedAt: null,
};
const claimed = (hash = "h", token: Partial<ClaimedToken> | null = {}): ClaimingDevice => ({
  ...NOBODY,
  hasReported: true,
  hasToken: true,
  claim: { hash, token: token && { ...TOKEN, ...token } },
});

const judge = (
  key: Partial<ProvisioningKeyEntry>,
  known: Partial<ClaimingDevice>,
  { notBeforeMs = 0, device = "pump-1" } = {},
) => {
  const judged = judgeClaim(
    { ...KEY, ...key },
    { ...NOBODY, ...known },
    { device, hash: "h" },
    notBeforeMs,
    NOW,
  );
  return judged.verdict === "refused" ? judged.code : judged.verdict;
};

it("[I52] a key is for so many devices of its names, until it expires or is revoked", () => {
  expect(judge({}, {})).toBe("new");
  expect(judge({ devicePrefix: null }, {}, { device: "fan-1" })).toBe("new");
  expect(judge({ revokedAt: 5 }, {})).toBe("token_revoked");
  expect(judge({}, {}, { notBeforeMs: KEY.createdAt })).toBe("token_revoked");
  expect(judge({}, {}, { notBeforeMs: KEY.createdAt - 1 })).toBe("new");
  expect(judge({ expiresAt: NOW }, {})).toBe("token_expired");
  expect(judge({}, {}, { device: "fan-1" })).toBe("forbidden");
  expect(judge({ claimed: 2 }, {})).toBe("key_used_up");
});

it("[I53] only who knows the secret gets the token again, as long as key and token hold", () => {
  expect(judge({}, claimed())).toBe("again");
  expect(judge({ claimed: 2 }, claimed())).toBe("again");
  expect(judge({}, claimed("other"))).toBe("already_claimed");
  expect(judge({}, claimed("h", { revokedAt: 5 }))).toBe("already_claimed");
  expect(judge({}, claimed("h", { expiresAt: NOW }))).toBe("already_claimed");
  expect(judge({ createdAt: 3_000 }, claimed(), { notBeforeMs: TOKEN.issuedAt })).toBe("already_claimed");
  expect(judge({}, claimed("h", null))).toBe("already_claimed");
  expect(judge({ expiresAt: NOW }, claimed())).toBe("token_expired");
});

it("[I54] a device that reports, has a token or had one revoked is not claimed", () => {
  expect(judge({}, { hasReported: true })).toBe("already_claimed");
  expect(judge({}, { hasToken: true })).toBe("already_claimed");
  expect(judge({}, { wasRevoked: true })).toBe("already_claimed");
});
