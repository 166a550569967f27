// How much a device sends, and our clock → the alerts of its hot rules (SPEC A75).
import type { AlertEvent } from "../../schemas/alert.ts";
import { calmMsOf, decide, eventsOf } from "./episode.ts";
import { type AlertsState, memoryOf, type Subject } from "./state.ts";

/** How much a device sends: reports a second, and until when that is too much if nothing more comes, by the receipt clock. */
export interface Warmth {
  reportsPerSecond: number;
  coolsAt: number;
}

const hotRules = ({ rules }: AlertsState) => rules.filter(({ condition }) => condition.type === "hot");

/**
 * Judges the hot rules at `nowMs`, by the receipt clock, and returns the new events, which are in the outbox too. A
 * device that cooled since it was judged last counts as cool from that instant on. Without a hot rule it does nothing.
 */
export function evaluateHot(
  alerts: AlertsState,
  subject: Subject,
  { reportsPerSecond, coolsAt }: Warmth,
  nowMs: number,
): AlertEvent[] {
  const reading = { at: nowMs, receivedAt: nowMs, value: Number(reportsPerSecond.toPrecision(3)) };
  return eventsOf(alerts, () => {
    for (const rule of hotRules(alerts)) {
      const judge = (verdict: "breach" | "clear", at: number) =>
        decide(alerts, subject, rule, verdict, { t: at, receivedAt: at }, reading);
      if (nowMs < coolsAt) judge("breach", nowMs);
      else for (const at of [coolsAt, nowMs]) judge("clear", at);
    }
  });
}

/**
 * Returns when the first active alert of a hot rule ends unless something is received, epoch ms by the receipt clock;
 * null when none is active. It is at least a minute after the device was heard last.
 */
export function nextCoolAt(alerts: AlertsState, coolsAt: number): number | null {
  const due = hotRules(alerts).flatMap((rule) => {
    const memory = memoryOf(alerts, rule);
    if (memory.phase.state !== "firing") return [];
    return (memory.phase.calmSince?.receivedAt ?? coolsAt) + calmMsOf(memory, rule);
  });
  return due.length === 0 ? null : Math.min(...due);
}
