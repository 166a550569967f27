// Reports as they come → the events of the alerts they fire and clear.
import type { AlertEvent, AlertReading, Rule } from "../../schemas/alert.ts";
import type { PackedReports } from "../../schemas/message.ts";
import { forEachReport } from "../report/pack.ts";
import { OpenDetectors } from "./condition/anomaly.ts";
import { judge, metricsOf } from "./condition/index.ts";
import type { Instant, ReportView, Sample } from "./condition/verdict.ts";
import { decide, eventsOf } from "./episode.ts";
import { noteReceipt } from "./no-data.ts";
import { type AlertsState, memoryOf, type Subject } from "./state.ts";
import { together } from "./together.ts";

/**
 * Evaluates reports in order by every rule, changing `alerts`, and returns the new events, which are in the outbox
 * too. From the same state the same reports make the same events, and a reading that a rule has seen decides nothing
 * again.
 * @param taken of each report, whether the device takes it. The values of a refused one decide nothing; its receipt
 * still ends a no-data state.
 */
export function evaluateReports(
  alerts: AlertsState,
  subject: Subject,
  reports: PackedReports,
  taken: readonly boolean[],
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
    forEachReport(reports, (_id, at, receivedAt, shape, valuesAt, nth) => {
      place = { shape, valuesAt };
      evaluateReport(alerts, subject, { at, receivedAt, isTaken: taken[nth]!, valueIn }, open);
    });
    open.close();
  });
}

/**
 * Evaluates one report by every rule, changing `alerts`: new events go to its outbox. `open` holds the detectors at
 * work; the caller closes it when there are no more reports.
 */
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
  if (condition.type === "no_data" || condition.type === "hot") return;
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
  const now: Instant = { t: Math.max(...memory.seen), receivedAt };
  if (hasToLast(rule)) {
    memory.together = together(memory.together, now.t, receivedAt);
    const { creditMs } = memory.together;
    for (const instant of [now, ...samples])
      if (instant !== undefined && creditMs > 0) instant.creditMs = creditMs;
  }
  const judged = judge(condition, memory.condition, samples, open);
  memory.condition = judged.memory;
  if (judged.value === undefined) return;
  const reading: AlertReading = { at, receivedAt, value: judged.value };
  decide(alerts, subject, rule, judged.verdict, now, reading);
}

/** Whether time has to pass until a reading fires the rule. */
const hasToLast = ({ forMs, condition }: Rule) => forMs > 0 || condition.type === "flat_line";
