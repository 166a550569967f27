// Verdicts → the states of a rule on a device: `ok`, `pending`, `firing`, and `latched` after a resolve by hand.
import { atLeastMs, type Instant, type Verdict } from "./condition/verdict.ts";

/**
 * Where a rule stands on a device. `firing` is so whatever the state of the alert: `firing`, `no_data` or
 * `acknowledged`. PERSISTED.
 */
export type Phase =
  | { state: "ok" }
  /**
   * Breached since `since`, but not long enough; `count` is the readings in a row so far, no more than the rule asks.
   */
  | { state: "pending"; since: Instant; count: number }
  /**
   * An alert is active. `calmSince` is since when a flapping rule is clear, while it is not yet believed; null when
   * it is not clear.
   */
  | { state: "firing"; calmSince: Instant | null }
  /** The alert was resolved by hand, and the condition has not been clear since. */
  | { state: "latched" };

/** The phase of a rule that is neither breached nor latched. */
export const OK: Phase = { state: "ok" };

/** What a breach needs to fire, and clearness to end an alert. */
export interface Limits {
  /** How long the condition has to be breached, in ms. */
  forMs: number;
  /** How many readings in a row have to breach it. */
  count: number;
  /** Until when the rule does not fire, epoch ms by the receipt clock; null when nothing keeps it from firing. */
  quietUntil: number | null;
  /** How long the condition has to be clear, in ms; 0 ends the alert at once. */
  calmMs: number;
}

/** Returns the phase after a verdict: the same object when nothing changes, as with every `unknown`. */
export function transition(phase: Phase, verdict: Verdict, now: Instant, limits: Limits): Phase {
  if (verdict === "unknown") return phase;
  return verdict === "breach" ? breached(phase, now, limits) : cleared(phase, now, limits);
}

function breached(phase: Phase, now: Instant, limits: Limits): Phase {
  switch (phase.state) {
    case "latched": // A15
      return phase;
    case "firing": // A13, A19
      return phase.calmSince === null ? phase : { state: "firing", calmSince: null };
    default: {
      const since = phase.state === "pending" ? phase.since : now;
      const count = Math.min((phase.state === "pending" ? phase.count : 0) + 1, limits.count);
      const lasts = count >= limits.count && atLeastMs(since, now) >= limits.forMs; // A5
      const isQuiet = limits.quietUntil !== null && now.receivedAt < limits.quietUntil; // A18
      return lasts && !isQuiet
        ? { state: "firing", calmSince: null } // A12
        : { state: "pending", since, count }; // A11
    }
  }
}

function cleared(phase: Phase, now: Instant, { calmMs }: Limits): Phase {
  switch (phase.state) {
    case "ok":
      return phase;
    case "pending": // A11
    case "latched": // A15
      return OK;
    case "firing": {
      const calmSince = phase.calmSince ?? now;
      if (atLeastMs(calmSince, now) >= calmMs) return OK; // A14, A19
      return phase.calmSince === null ? { state: "firing", calmSince } : phase;
    }
  }
}
