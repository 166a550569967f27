// Verdicts → the states of a rule on a device: `ok`, `pending`, `firing`, and silent after a resolve by hand.
import { atLeastMs, type Instant, type Verdict } from "./condition/verdict.ts";

/** PERSISTED. `firing` holds whatever the alert's own state is: `firing`, `no_data` or `acknowledged`. */
export type Phase =
  | { state: "ok" }
  /** Breached since; `count` readings in a row so far, no more than the rule asks. */
  | { state: "pending"; since: Instant; count: number }
  /** `calmSince`: clear since, while a flapping rule is not yet believed. */
  | { state: "firing"; calmSince: Instant | null }
  /** Resolved by hand, and not clear since. */
  | { state: "latched" };

export const OK: Phase = { state: "ok" };

/** What a breach, and a flapping rule's calm, have to fulfil. */
export interface Limits {
  forMs: number;
  count: number;
  /** The cooldown's end, by our clock; null: there is none. */
  quietUntil: number | null;
  /** How long it has to be clear. */
  calmMs: number;
}

/** The same phase, also by identity, when nothing changes. */
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
