// A device's alerts in tests: rules in, readings in, events out.
import type { Alert, AlertEvent, Rule, RuleBody } from "../../schemas/alert.ts";
import { ruleBody } from "../../schemas/alert.ts";
import { ReportPacker } from "../report/pack.ts";
import { evaluateReports } from "./evaluate.ts";
import { setRules } from "./set-rules.ts";
import { type AlertsState, activeAlerts, newAlerts, type Subject } from "./state.ts";

export const START_MS = Date.UTC(2026, 0, 5);
export const SECOND_MS = 1_000;
export const MINUTE_MS = 60_000;
export const HOUR_MS = 60 * MINUTE_MS;

export const SUBJECT: Subject = {
  device: "pump.7",
  zone: "north",
  model: "p1",
  gateway: null,
  generation: 2,
};

/** What a person has to say of a rule. */
export type RuleInput = Partial<Omit<RuleBody, "condition">> & { condition: Record<string, unknown> };

/** A rule without a cooldown unless it has one, its defaults filled in as when it is written. */
export const bodyOf = (input: RuleInput): RuleBody =>
  ruleBody.parse({ name: "a rule", cooldownMs: 0, ...input });

export const ruleOf = (input: RuleInput & { id?: string; version?: number }): Rule => {
  const { id = "r", version = 1, ...body } = input;
  return { ...bodyOf(body), id, version, createdAt: 0, updatedAt: 0, updatedBy: "ann" };
};

export const ABOVE_10 = { type: "threshold", metric: "temp", above: 10, clear: 8 };

/** A report at `at`, received then unless said. */
export interface FakeReport {
  at: number;
  receivedAt?: number;
  metrics: Record<string, number>;
}

export function packReports(reports: readonly FakeReport[]) {
  const packer = new ReportPacker();
  for (const [i, { at, receivedAt = at, metrics }] of reports.entries())
    packer.add(i, at, receivedAt, Object.keys(metrics), Object.values(metrics));
  return packer.finish();
}

export class FakeAlerts {
  alerts: AlertsState = newAlerts();
  subject = SUBJECT;

  constructor(...rules: Parameters<typeof ruleOf>[0][]) {
    this.setRules(1, rules);
  }

  setRules(version: number, rules: Parameters<typeof ruleOf>[0][], nowMs = START_MS): AlertEvent[] {
    return setRules(this.alerts, this.subject, { version, rules: rules.map(ruleOf) }, nowMs);
  }

  /** Evaluates reports; times count from START_MS. */
  reports(...reports: FakeReport[]): AlertEvent[] {
    const shifted = reports.map(({ at, receivedAt = at, metrics }) => ({
      at: START_MS + at,
      receivedAt: START_MS + receivedAt,
      metrics,
    }));
    return evaluateReports(
      this.alerts,
      this.subject,
      packReports(shifted),
      shifted.map(() => true),
    );
  }

  /** One reading of `temp`: the kinds of the events it makes. */
  temp(at: number, value: number, receivedAt = at): string[] {
    return this.reports({ at, receivedAt, metrics: { temp: value } }).map(({ kind }) => kind);
  }

  /** The only active alert. */
  get alert(): Alert | undefined {
    return activeAlerts(this.alerts)[0];
  }

  /** As after a restart. */
  restart(): void {
    this.alerts = JSON.parse(JSON.stringify(this.alerts)) as AlertsState;
  }
}
