// Reports as they come → the events of the alerts they fire and clear.
import type { AlertEvent, AlertReading, Rule } from "../../schemas/alert.ts";
import type { PackedReports } from "../../schemas/message.ts";
import { forEachReport } from "../report/pack.ts";
import { OpenDetectors } from "./condition/anomaly.ts";
import { judge, metricsOf } from "./condition/index.ts";
import type { Sample } from "./condition/verdict.ts";
import { decide, eventsOf } from "./episode.ts";
import { noteReceipt } from "./silence.ts";
import { type AlertsState, memoryOf, type Subject } from "./state.ts";

/** One report as rules see it: when, whether the device takes it, and its values by metric; of none, the first. */
export interface ReportView {
  at: number;
  receivedAt: number;
  isTaken: boolean;
  valueIn(metric: string | undefined): number | undefined;
}

/**
 * Evaluates reports in order, changing `alerts`, and gives the new events, which are in the outbox too. From the same
 * state the same reports give the same events, and what a rule has seen decides nothing again.
 * @param oldestTaken older readings are refused, so they decide nothing; that they came still ends a silence.
 */
export function evaluateReports(
  alerts: AlertsState,
  subject: Subject,
  reports: PackedReports,
  oldestTaken: (receivedAt: number) => number,
): AlertEvent[] {
  if (alerts.rules.length === 0) return [];
  return eventsOf(alerts, () => {
    const open = new OpenDetectors();
    const { names, rows } = reports;
    let place: { shape: readonly number[]; valuesAt: number } = { shape: [], valuesAt: 0 };
    const places = new Map<readonly number[], Map<string, number>>();
    const valueIn = (metric: string | undefined) => {
      if (metric === undefined) return place.shape.length === 0 ? undefined : rows[place.valuesAt];
      let known = places.get(place.shape);
      if (known === undefined) {
        known = new Map(place.shape.map((name, i) => [names[name]!, i]));
        places.set(place.shape, known);
      }
      const i = known.get(metric);
      return i === undefined ? undefined : rows[place.valuesAt + i];
    };
    forEachReport(reports, (_id, at, receivedAt, shape, valuesAt) => {
      place = { shape, valuesAt };
      evaluateReport(
        alerts,
        subject,
        { at, receivedAt, isTaken: at >= oldestTaken(receivedAt), valueIn },
        open,
      );
    });
    open.close();
  });
}

/** Evaluates one report by every rule. */
export function evaluateReport(
  alerts: AlertsState,
  subject: Subject,
  report: ReportView,
  open: OpenDetectors,
): void {
  for (const rule of alerts.rules) {
    if (rule.condition.type === "no_data") noteReceipt(alerts, subject, rule, report);
    else if (report.isTaken) evaluateRule(alerts, subject, rule, report, open);
  }
}

function evaluateRule(
  alerts: AlertsState,
  subject: Subject,
  rule: Rule,
  { at, receivedAt, valueIn }: ReportView,
  open: OpenDetectors,
): void {
  const { condition } = rule;
  if (condition.type === "no_data") return;
  const memory = memoryOf(alerts, rule);
  const t = Math.min(at, receivedAt);
  let isNew = false;
  const samples = metricsOf(condition).map((metric, i): Sample | undefined => {
    const value = valueIn(metric);
    if (value === undefined || t <= memory.seen[i]!) return undefined; // A9
    memory.seen[i] = t;
    isNew = true;
    return { t, receivedAt, value: value + 0 }; // JSON, in which it is kept, writes −0 as 0
  });
  if (!isNew) return;
  const judged = judge(condition, memory.condition, samples, open);
  memory.condition = judged.memory;
  if (judged.value === undefined) return;
  const reading: AlertReading = { at, receivedAt, value: judged.value };
  decide(alerts, subject, rule, judged.verdict, { t: Math.max(...memory.seen), receivedAt }, reading);
}
