// What a person does to an alert → the alert after it.
import type { AlertAction } from "../../schemas/alert.ts";
import { NAME_PATTERN } from "../../schemas/limits.ts";
import type { AlertAnswer } from "../../schemas/message.ts";
import { end, noteEvent } from "./episode.ts";
import { type AlertsState, memoryOf, type RuleMemory } from "./state.ts";

const ALERT_ID = /^[a-z0-9][a-z0-9_-]{0,39}\.\d{1,15}\.(\d{1,15})\.(.+)$/;

/** Returns the device that an alert is about, read from the alert's id; undefined when the text is no such id. */
export function deviceOfAlert(alertId: string): string | undefined {
  const device = ALERT_ID.exec(alertId)?.[2];
  return device !== undefined && NAME_PATTERN.test(device) ? device : undefined;
}

/**
 * Does to the device's active alert what a person asks, and returns the alert after it, or why it is refused:
 * `resolved` when its episode is over, `unknown` when there was none. What is so already (acknowledged by the same
 * person, assigned to the same one) makes no second event, because the request may have been sent twice. `nowMs` is
 * of the receipt clock.
 */
export function act(
  alerts: AlertsState,
  alertId: string,
  action: AlertAction,
  by: string,
  nowMs: number,
): AlertAnswer {
  const memory = alerts.rules
    .map((rule) => memoryOf(alerts, rule))
    .find(({ alert }) => alert?.id === alertId);
  if (memory === undefined) return { refused: hasBeen(alerts, alertId) ? "resolved" : "unknown" };
  return { alert: perform(alerts, memory, action, by, nowMs) };
}

function perform(alerts: AlertsState, memory: RuleMemory, action: AlertAction, by: string, nowMs: number) {
  const alert = memory.alert!;
  const text = action.text ?? null;
  const event = { at: nowMs, by, text };
  switch (action.kind) {
    case "ack": {
      if (alert.acknowledgedBy === by) return alert;
      const first = { state: "acknowledged", acknowledgedAt: nowMs, acknowledgedBy: by } as const;
      const change = alert.state === "acknowledged" ? {} : first;
      return noteEvent(alerts, memory, { kind: "acknowledged", ...event }, change);
    }
    case "assign":
      if (alert.assignee === action.to && text === null) return alert;
      return noteEvent(alerts, memory, { kind: "assigned", ...event }, { assignee: action.to });
    case "comment":
      return noteEvent(alerts, memory, { kind: "commented", ...event });
    case "resolve":
      return end(alerts, memory, "by_hand", nowMs, { by, text });
  }
}

/** Whether the device had the episode that an alert's id names: episodes are numbered through. */
function hasBeen({ episodes }: AlertsState, alertId: string): boolean {
  const episode = Number(ALERT_ID.exec(alertId)?.[1] ?? 0);
  return episode >= 1 && episode <= episodes;
}
