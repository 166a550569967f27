// A value against a level, with a clear level of its own (SPEC A4).
import type { Verdict } from "./verdict.ts";

/**
 * A level that is breached beyond `above`, or beneath `below`; a rule has one of them (`checkRule`). It is clear
 * again at `clear`, or at the level itself when absent.
 */
export interface Level {
  above?: number | undefined;
  below?: number | undefined;
  clear?: number | undefined;
}

/** Returns what a level says of a value: `unknown` between the level and its clear level. */
export function threshold({ above, below, clear }: Level, value: number): Verdict {
  if (above !== undefined) {
    if (value > above) return "breach";
    return value <= (clear ?? above) ? "clear" : "unknown";
  }
  if (below === undefined) return "unknown";
  if (value < below) return "breach";
  return value >= (clear ?? below) ? "clear" : "unknown";
}
