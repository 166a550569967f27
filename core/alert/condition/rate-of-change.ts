// A value against those of the last while (SPEC A6).
import type { Condition } from "../../../schemas/alert.ts";
import { difference } from "./rounding.ts";
import { atLeastMs, atMostMs, type Sample, type Verdict } from "./verdict.ts";

/**
 * The time looked back over is kept in so many parts, one of them begun: 16 readings, however often the device
 * reports.
 */
const PARTS = 8;

/**
 * PERSISTED: the lowest and the highest reading of each part of the time looked back over, oldest part first. A
 * reading between these two is no further from any value. Of the oldest part a reading may go a part too early, so
 * that none is compared that is too old.
 */
export interface RateMemory {
  type: "rate_of_change";
  parts: { part: number; low: Sample; high: Sample }[];
}

type RateCondition = Extract<Condition, { type: "rate_of_change" }>;

/**
 * Returns what a rate of change says of a reading, and the memory with that reading. A breach needs an earlier
 * reading that both clocks call recent; to clear, none may be recent by either. So a clock that jumps brings no old
 * value near, and puts no near one out of sight. The first reading is `unknown`.
 */
export function rateOfChange(
  { by, overMs, direction }: RateCondition,
  memory: RateMemory | undefined,
  sample: Sample,
): { verdict: Verdict; memory: RateMemory } {
  const parts = memory?.parts.slice() ?? [];
  let verdict: Verdict = parts.length === 0 ? "unknown" : "clear";
  for (const { low, high } of parts) {
    const differing = [
      ...(direction !== "down" && difference(sample.value, low.value) > by ? [low] : []),
      ...(direction !== "up" && difference(high.value, sample.value) > by ? [high] : []),
    ];
    for (const earlier of differing) {
      if (atMostMs(earlier, sample) <= overMs) verdict = "breach";
      else if (verdict === "clear" && atLeastMs(earlier, sample) <= overMs) verdict = "unknown";
    }
  }
  const part = Math.floor((sample.t * (PARTS - 1)) / overMs);
  const newest = parts.at(-1);
  if (newest?.part === part) {
    parts[parts.length - 1] = {
      part,
      low: sample.value <= newest.low.value ? sample : newest.low,
      high: sample.value >= newest.high.value ? sample : newest.high,
    };
  } else {
    parts.push({ part, low: sample, high: sample });
    if (parts.length > PARTS) parts.shift();
  }
  return { verdict, memory: { type: "rate_of_change", parts } };
}
