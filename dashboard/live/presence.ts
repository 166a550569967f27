// Is a device there? Judged by its own rhythm: from when it was heard last, how often it reports, and whether it holds a socket. Pure.
import { formatInstant } from "../base/format.ts";

/** What a device says of itself, in its row or answer. `reportEveryMs` null or absent: its rhythm is not known yet. */
export interface Heard {
  connected: boolean;
  lastReceivedAt: number | null;
  reportEveryMs?: number | null | undefined;
}

/** connected: it holds a socket, but is quiet. quiet: neither. */
export type Presence = "reporting" | "connected" | "quiet";

/** A report may be lost and the next one late: only the third that stays away is a silence. */
const GAPS_MISSED_MAX = 3;
/** A device that reports every second is not called quiet for a hiccup of the network. */
const QUIET_AFTER_MS_MIN = 30_000;
/** Reports an hour apart are common: so long one who reported once may be about to again. */
const FIRST_GAP_MS = 3_600_000;

/** Until when a device heard at `lastReceivedAt` counts as reporting. */
function quietFromMs(lastReceivedAt: number, reportEveryMs: number | null | undefined): number {
  if (reportEveryMs === null || reportEveryMs === undefined) return lastReceivedAt + FIRST_GAP_MS;
  return lastReceivedAt + Math.max(QUIET_AFTER_MS_MIN, GAPS_MISSED_MAX * reportEveryMs);
}

export function presenceOf({ connected, lastReceivedAt, reportEveryMs }: Heard, nowMs: number): Presence {
  if (lastReceivedAt !== null && nowMs <= quietFromMs(lastReceivedAt, reportEveryMs)) return "reporting";
  return connected ? "connected" : "quiet";
}

/** `reporting`, `quiet since 22 Nov 14:05:09`, `connected, quiet since …`, `no report received`. */
export function presenceInWords(heard: Heard, nowMs: number): string {
  const presence = presenceOf(heard, nowMs);
  if (presence === "reporting") return "reporting";
  const silence =
    heard.lastReceivedAt === null
      ? "no report received"
      : `quiet since ${formatInstant(heard.lastReceivedAt, nowMs)}`;
  return presence === "connected" ? `connected, ${silence}` : silence;
}
