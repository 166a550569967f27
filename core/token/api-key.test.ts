import { expect, it } from "vitest";
import { API_KEY_BYTES, apiKeyOf, hashOfApiKey, isApiKey, tenantOfApiKey } from "./api-key.ts";

it("[I56] a key says that it is one and of which tenant, and has room for 256 random bits", () => {
  for (const tenant of ["acme", "a_b.c:d-e", "x".repeat(128), "tt_x"]) {
    const key = apiKeyOf(tenant, new Uint8Array(API_KEY_BYTES).fill(0xa1));
    expect(key).toMatch(/^tt_.+_[0-9a-f]{64}$/);
    expect([isApiKey(key), tenantOfApiKey(key)]).toEqual([true, tenant]);
  }
});

it.each([
  "tt_",
  "tt_acme",
  `tt_acme_${"a".repeat(63)}`,
  `tt_acme_${"A".repeat(64)}`,
  `tt_a/b_${"a".repeat(64)}`,
])("[I60] %s is no whole key", (key) =>
  expect([isApiKey(key), tenantOfApiKey(key)]).toEqual([true, undefined]),
);

it("[I56] what is kept of a key is its SHA-256", async () => {
  // The vector of FIPS 180-2 for "abc".
  expect(await hashOfApiKey("abc")).toBe("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
});
