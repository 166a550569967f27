// A provisioning key, and what is known of a device → whether the device gets its token with it.
import type { ProblemCode } from "../../schemas/codes.ts";
import type { ProvisioningKeyEntry } from "../../schemas/provisioning.ts";

/** What is known of a device that claims. */
export interface ClaimingDevice {
  /** It reports, with whichever token. */
  hasReported: boolean;
  /** It has tokens that are listed and hold. */
  hasToken: boolean;
  /** Tokens of its own were revoked, in this life or a former one. */
  wasRevoked: boolean;
  /** What it claimed with, and the token it got; null: it did not, or was deleted since. */
  claim: { hash: string; token: ClaimedToken | null } | null;
}

/** A token as it is listed; instants are epoch ms. */
export interface ClaimedToken {
  id: string;
  issuedAt: number;
  expiresAt: number;
  issuedBy: string;
  revokedAt: number | null;
}

/** A new token; the one it got, again; or why it gets none. */
export type ClaimVerdict =
  | { verdict: "new" }
  | { verdict: "again"; token: ClaimedToken }
  | { verdict: "refused"; code: ProblemCode; detail: string };

const refused = (code: ProblemCode, detail: string): ClaimVerdict => ({ verdict: "refused", code, detail });
const iso = (ms: number) => new Date(ms).toISOString();

/**
 * Judges a claim. A key gives nobody the token of a device that speaks already: only who knows the secret that the device
 * claimed with gets that same token again, as long as it holds, also when the key is used up by then.
 * @param hash SHA-256 of the secret
 * @param notBeforeMs what the tenant issued up to this instant is void, its keys too
 */
export function judgeClaim(
  key: ProvisioningKeyEntry,
  { hasReported, hasToken, wasRevoked, claim }: ClaimingDevice,
  { device, hash }: { device: string; hash: string },
  notBeforeMs: number,
  nowMs: number,
): ClaimVerdict {
  const { id, devicePrefix, maxDevices, claimed } = key;
  if (key.revokedAt !== null || key.createdAt <= notBeforeMs)
    return refused("token_revoked", `the provisioning key ${id} was revoked; ask for a new one`);
  if (key.expiresAt <= nowMs)
    return refused(
      "token_expired",
      `the provisioning key ${id} expired at ${iso(key.expiresAt)}; ask for a new one`,
    );
  if (devicePrefix !== null && !device.startsWith(devicePrefix))
    return refused(
      "forbidden",
      `the provisioning key ${id} is for devices that begin with ${devicePrefix}; ${device} does not`,
    );
  const taken = (why: string) =>
    refused(
      "already_claimed",
      `${device} ${why}; POST /v1/tokens makes it another token, or DELETE /v1/devices/${device} frees its name`,
    );
  if (claim !== null) {
    if (claim.hash !== hash) return taken("was claimed with another secret");
    const { token } = claim;
    if (
      token === null ||
      token.revokedAt !== null ||
      token.issuedAt <= notBeforeMs ||
      token.expiresAt <= nowMs
    )
      return taken("was claimed, and its token was revoked or has expired");
    return { verdict: "again", token };
  }
  if (wasRevoked) {
    return refused(
      "already_claimed",
      `tokens of ${device} were revoked, so no key gives it another; POST /v1/tokens does`,
    );
  }
  if (hasReported) return taken("reports already");
  if (hasToken) return taken("has a token already");
  if (claimed >= maxDevices)
    return refused(
      "key_used_up",
      `the provisioning key ${id} was for ${maxDevices} devices, which all have claimed; ask for a new one`,
    );
  return { verdict: "new" };
}
