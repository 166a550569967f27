// A rule and a device's history → when the rule would have fired and cleared (SPEC A46).
import type { AlertReading, RuleBody } from "../../schemas/alert.ts";
import { OpenDetectors } from "./condition/anomaly.ts";
import { evaluateReport } from "./evaluate.ts";
import { evaluateNoData, nextNoDataAt } from "./no-data.ts";
import { newAlerts, type Subject } from "./state.ts";

/** An episode that a rule would have had; instants are epoch ms. */
export interface PreviewEpisode {
  firedAt: number;
  /** The reading that fired it; of a no-data rule the last one received before. Null when there was none. */
  reading: AlertReading | null;
  /** When the rule cleared; null when it still fires at the end. */
  resolvedAt: number | null;
  /** The reading that cleared it; null when it still fires. */
  clearedBy: AlertReading | null;
}

/**
 * Returns the episodes that a rule would have had over reports, ascending by `at`, by the evaluation that devices
 * use. Each report counts as received at its `at`. No-data rules are judged between reports, and from the last one to
 * `toMs`.
 */
export function preview(
  rule: RuleBody,
  subject: Subject,
  reports: Iterable<{ at: number; metrics: Record<string, number> }>,
  toMs: number,
): PreviewEpisode[] {
  const alerts = newAlerts();
  alerts.rules = [{ ...rule, id: "preview", version: 1, createdAt: 0, updatedAt: 0, updatedBy: "" }];
  const open = new OpenDetectors();
  const episodes = new Map<string, PreviewEpisode>();
  const note = () => {
    for (const { alert } of alerts.outbox.splice(0)) {
      const { id, firedAt, reading, resolvedAt, clearedBy } = alert;
      episodes.set(id, { firedAt, reading, resolvedAt, clearedBy });
    }
  };
  let lastReceivedAt: number | null = null;
  const beSilentUntil = (ms: number) => {
    for (;;) {
      const at = nextNoDataAt(alerts, lastReceivedAt);
      if (at === null || at >= ms) return;
      evaluateNoData(alerts, subject, lastReceivedAt, at);
      note();
    }
  };
  for (const { at, metrics } of reports) {
    beSilentUntil(at);
    const valueIn = (metric: string | undefined) => {
      if (metric === undefined) return Object.values(metrics)[0];
      return Object.hasOwn(metrics, metric) ? metrics[metric] : undefined;
    };
    evaluateReport(alerts, subject, { at, receivedAt: at, isTaken: true, valueIn }, open);
    note();
    lastReceivedAt = Math.max(lastReceivedAt ?? at, at);
  }
  beSilentUntil(toMs);
  return [...episodes.values()];
}
