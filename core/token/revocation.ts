// What was revoked → whether a token is void.
import type { Revocation, RevokeOrder, TokenLife } from "../../schemas/token.ts";

/** Whether a token is among those that were revoked; null and absent: none were. */
export function isRevoked({ issuedAtMs, id }: TokenLife, revoked: Revocation | null | undefined): boolean {
  if (revoked === null || revoked === undefined) return false;
  return issuedAtMs <= revoked.notBeforeMs || (id !== undefined && revoked.ids.some((one) => one.id === id));
}

/**
 * Returns what is revoked after an order; an instant never goes back, and ids that have expired at `nowMs` are dropped.
 * Undefined: there would be more than `idsMax` ids, and nothing changes.
 */
export function revoke(
  before: Revocation | null | undefined,
  { notBeforeMs = 0, ids = [] }: RevokeOrder,
  nowMs: number,
  idsMax: number,
): Revocation | undefined {
  const known = new Map((before?.ids ?? []).map(({ id, expiresAt }) => [id, expiresAt]));
  for (const { id, expiresAt } of ids) known.set(id, expiresAt);
  const kept = [...known].filter(([, expiresAt]) => expiresAt > nowMs);
  if (kept.length > idsMax) return undefined;
  return {
    notBeforeMs: Math.max(before?.notBeforeMs ?? 0, notBeforeMs),
    ids: kept.map(([id, expiresAt]) => ({ id, expiresAt })),
  };
}
