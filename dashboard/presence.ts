// Is a device there? From its socket and the last time it was heard. Pure.

/** connected: it holds a socket. reporting: none, but heard of late (it posts over HTTPS). quiet: neither. */
export type Presence = "connected" | "reporting" | "quiet";

/** Devices that post report every few seconds to every minute; after this long one is called quiet. */
export const REPORTING_WITHIN_MS = 120_000;

export function presenceOf(
  { connected, lastReceivedAt }: { connected: boolean; lastReceivedAt: number | null },
  nowMs: number,
): Presence {
  if (connected) return "connected";
  return lastReceivedAt !== null && nowMs - lastReceivedAt <= REPORTING_WITHIN_MS ? "reporting" : "quiet";
}
