// What this isolate may still take of each tenant: asked of the tenant's object now and then, and never for a tenant
// without a limit.
import {
  add,
  isLow,
  learn,
  newShare,
  type ReadingsShare,
  spend,
  wantedOf,
} from "../core/tenant/readings-quota.ts";
import { wallMs } from "./clock.ts";
import { leaseReadings } from "./tenant.ts";
import { withDeadline } from "./with-deadline.ts";

/** Shares remembered, emptied when full: an isolate keeps some 300 KB of them at most. */
const TENANTS_MAX = 1_000;
/** A tenant whose object is away is given a share, so that its devices are not refused for our fault. */
const LEASE_ANSWERS_MS = 2_000;

/** By tenant; an isolate has one, whichever Worker or objects run in it. */
const shares = new Map<string, ReadingsShare>();

function shareOf(tenant: string): ReadingsShare {
  let share = shares.get(tenant);
  if (share === undefined) {
    if (shares.size >= TENANTS_MAX) shares.clear();
    share = newShare();
    shares.set(tenant, share);
  }
  return share;
}

/**
 * Notes the readings a second that the tenant may send, as one of its devices said; null: as many as it likes. Until
 * the first device answered an isolate takes what comes.
 */
export const learnQuota = (tenant: string, perSecond: number | null): void =>
  learn(shareOf(tenant), perSecond);

/**
 * Takes readings from what the isolate may take of the tenant. Returns 0, or in how many ms to try again: then nothing
 * is taken. Never waits.
 */
export function spendReadings(tenant: string, readings: number): number {
  const share = shareOf(tenant);
  if (spend(share, readings)) return 0;
  share.refused += readings;
  return Math.max(share.emptyUntilMs - wallMs(), RETRY_MS_MIN);
}

/** How soon a device tries again that was refused while the tenant's object is being asked. */
const RETRY_MS_MIN = 100;

/**
 * Asks the tenant's object for a share when little is left; else does nothing. While shares last that is a call a
 * quarter of a second and isolate. Never fails: when the object is away the isolate takes a share by itself.
 */
export async function refillReadings(namespace: DurableObjectNamespace, tenant: string): Promise<void> {
  const share = shareOf(tenant);
  if (!isLow(share, wallMs())) return;
  const wanted = wantedOf(share);
  const { refused } = share;
  share.refused = 0;
  share.askedUntilMs = wallMs() + LEASE_ANSWERS_MS;
  try {
    const call = leaseReadings(namespace, tenant, wanted, refused);
    add(share, await withDeadline(LEASE_ANSWERS_MS, "the tenant", call), wallMs());
  } catch (error) {
    console.warn("a share of a tenant's readings was not leased", { tenant, error: String(error) });
    add(share, { readings: wanted, retryAfterMs: 0 }, wallMs());
  }
}
