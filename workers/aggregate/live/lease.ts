// How long who is watched pushes: what zone and fleet share.

/** How long a device, or a zone, pushes without hearing from its watchers again; a push that nobody watches ends it sooner. */
export const LEASE_MS = 10 * 60_000;
/** How often a lease is renewed while somebody watches. */
export const RENEW_EVERY_MS = 5 * 60_000;
