// A rule and a device's history → when the rule would have fired and cleared (SPEC A46).
import type { AlertReading, RuleBody } from "../../schemas/alert.ts";
import { OpenDetectors } from "./condition/anomaly.ts";
import { evaluateReport } from "./evaluate.ts";
import { evaluateSilence, nextSilenceAt } from "./silence.ts";
import { newAlerts, type Subject } from "./state.ts";

export interface PreviewEpisode {
  firedAt: number;
  /** The reading that fired it; of a silence the last one before it. */
  reading: AlertReading | null;
  /** null: it still fires at the end. */
  resolvedAt: number | null;
  clearedBy: AlertReading | null;
}

/**
 * Runs the rule over reports in the order of their time, by the evaluation that devices use; each counts as received
 * when it was read. Silences show between reports, and from the last one to `toMs`.
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
      const at = nextSilenceAt(alerts, lastReceivedAt);
      if (at === null || at >= ms) return;
      evaluateSilence(alerts, subject, lastReceivedAt, at);
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
