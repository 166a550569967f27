// A value against a level, with a clear level of its own (SPEC A4).
import type { Verdict } from "./verdict.ts";

/** One of `above` and `below`; see `checkRule`. */
export interface Level {
  above?: number | undefined;
  below?: number | undefined;
  clear?: number | undefined;
}

export function threshold({ above, below, clear }: Level, value: number): Verdict {
  if (above !== undefined) {
    if (value > above) return "breach";
    return value <= (clear ?? above) ? "clear" : "unknown";
  }
  if (below === undefined) return "unknown";
  if (value < below) return "breach";
  return value >= (clear ?? below) ? "clear" : "unknown";
}
