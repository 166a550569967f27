// The active alerts of one device: a mark in its row, a strip on its page.
import type { Alert, Severity } from "../../schemas/alert.ts";
import { conditionInWords, formatReading, measuredBy } from "../alerts/alert-words.ts";
import { SeverityMark, StateMark } from "../alerts/severity.tsx";
import { formatInstant } from "../base/format.ts";
import { incidentLink } from "../base/route.ts";

const SEVERITIES: Severity[] = ["critical", "warning", "info"];

/** The worst of them; a ring when somebody has all of them. */
export function AlertMark({ alerts }: { alerts: readonly Alert[] }) {
  if (alerts.length === 0) return null;
  const worst = SEVERITIES.find((severity) => alerts.some(({ rule }) => rule.severity === severity));
  const isTaken = alerts.every(({ state }) => state === "acknowledged");
  const words = alerts.map(({ rule, state }) => `${rule.name} (${state.replace("_", " ")})`).join(", ");
  return (
    <i
      class={`alert-mark ${worst} ${isTaken ? "taken" : ""}`}
      role="img"
      aria-label={`alert: ${words}`}
      title={words}
      data-testid="alert-mark"
    >
      !
    </i>
  );
}

export function DeviceAlerts({ alerts }: { alerts: readonly Alert[] }) {
  if (alerts.length === 0) return null;
  return (
    <ul class="device-alerts" aria-label="Active alerts" data-testid="device-alerts">
      {alerts.map((alert) => (
        <li key={alert.id} class={`${alert.state} ${alert.rule.severity}`}>
          <SeverityMark severity={alert.rule.severity} />
          <a href={incidentLink(alert.id)}>{alert.rule.name}</a>
          <span>
            {conditionInWords(alert.rule.condition)}
            {alert.reading !== null && ` · ${measuredBy(alert)} was ${formatReading(alert.reading)}`}
          </span>
          <StateMark state={alert.state} />
          <small>
            {alert.acknowledgedBy === null ? "" : `by ${alert.acknowledgedBy}, `}since{" "}
            {formatInstant(alert.firedAt)}
          </small>
        </li>
      ))}
    </ul>
  );
}
