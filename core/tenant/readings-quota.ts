// A tenant's readings a second → shares that isolates lease, so that no request has to ask.

/** What the tenant's object gives out: it fills at the tenant's rate, up to ten seconds of it. */
export interface ReadingsPot {
  readings: number;
  /** Epoch ms by the wall clock. */
  atMs: number;
}

/** What an isolate may still take of a tenant, and when it asks again. */
export interface ReadingsShare {
  /** Readings a second of the tenant; null: as many as it likes. */
  perSecond: number | null;
  /** Below zero: a request was larger than what was left, and the next share pays for it. */
  readings: number;
  /** Until when the tenant has nothing to give, epoch ms by the wall clock; 0: it has, or was not asked. */
  emptyUntilMs: number;
  /** Until when an answer is waited for, epoch ms by the wall clock: only a share that is spent is asked for meanwhile. */
  askedUntilMs: number;
  /** Readings refused since the tenant's object was asked. */
  refused: number;
}

/** The answer to an isolate that asks for a share. */
export interface ReadingsLease {
  readings: number;
  /** 0: there is more. */
  retryAfterMs: number;
}

/** How many seconds of its rate a tenant may use at once after a rest. */
export const REST_SECONDS = 10;
/**
 * A share is what the tenant may send in this time: with it an isolate asks at most four times a second, and n isolates
 * hold at most n quarters of a second that others cannot use.
 */
export const SHARE_SECONDS = 0.25;

/** Returns a pot that is full. */
export const newPot = (perSecond: number, nowMs: number): ReadingsPot => ({
  readings: perSecond * REST_SECONDS,
  atMs: nowMs,
});

/**
 * Gives what is in the pot, at most `wanted`, changing the pot. When it has nothing, says in how many ms it has a
 * share.
 */
export function lease(pot: ReadingsPot, perSecond: number, wanted: number, nowMs: number): ReadingsLease {
  const elapsedMs = Math.max(0, nowMs - pot.atMs);
  const there = Math.min(perSecond * REST_SECONDS, pot.readings + (elapsedMs * perSecond) / 1000);
  const given = Math.min(wanted, Math.max(0, there));
  pot.readings = there - given;
  pot.atMs = Math.max(pot.atMs, nowMs);
  if (given >= 1) return { readings: given, retryAfterMs: 0 };
  pot.readings = there;
  return { readings: 0, retryAfterMs: Math.max(1, Math.ceil(((1 - there) / perSecond) * 1000)) };
}

/** Returns the share of a tenant that nothing is known of: it may send what it likes. */
export const newShare = (): ReadingsShare => ({
  perSecond: null,
  readings: 0,
  emptyUntilMs: 0,
  askedUntilMs: 0,
  refused: 0,
});

/** How many readings an isolate asks for: a share, and what it owes. */
export const wantedOf = ({ perSecond, readings }: ReadingsShare): number =>
  Math.max(1, (perSecond ?? 0) * SHARE_SECONDS) + Math.max(0, -readings);

/** Adds a lease to a share, changing it. */
export function add(share: ReadingsShare, { readings, retryAfterMs }: ReadingsLease, nowMs: number): void {
  share.readings += readings;
  share.emptyUntilMs = retryAfterMs > 0 ? nowMs + retryAfterMs : 0;
  share.askedUntilMs = 0;
}

/**
 * Takes `readings` from a share, changing it, when anything is left: the last request may take more than that, and is
 * paid for by the next share. Returns false when nothing is left.
 */
export function spend(share: ReadingsShare, readings: number): boolean {
  if (share.perSecond === null || readings === 0) return true;
  if (share.readings <= 0) return false;
  share.readings -= readings;
  return true;
}

/**
 * Whether the isolate should ask for more: nothing is left, or less than half a share and nobody asks yet; and the
 * tenant may have some.
 */
export function isLow(share: ReadingsShare, nowMs: number): boolean {
  const { perSecond, readings, emptyUntilMs, askedUntilMs } = share;
  if (perSecond === null || emptyUntilMs > nowMs) return false;
  return readings <= 0 || (readings < (perSecond * SHARE_SECONDS) / 2 && askedUntilMs <= nowMs);
}

/** Takes what a device said of its tenant's rate, changing the share; one that is chosen begins with an empty share. */
export function learn(share: ReadingsShare, perSecond: number | null): void {
  if (share.perSecond === perSecond) return;
  if (share.perSecond === null || perSecond === null) share.readings = 0;
  share.perSecond = perSecond;
  share.emptyUntilMs = 0;
}
