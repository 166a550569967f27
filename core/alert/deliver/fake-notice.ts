// Alerts, incidents and notices for tests: a full one, changed where a test says so.
import type { Alert, Incident, IncidentSnapshot } from "../../../schemas/alert.ts";
import type { Channel, Silence } from "../../../schemas/channel.ts";
import type { Notice } from "./message.ts";

export const AT = Date.UTC(2026, 10, 22, 10);

const rule: Alert["rule"] = {
  id: "too-hot",
  version: 3,
  name: "Too hot",
  condition: { type: "threshold", metric: "temperature", above: 90 },
  severity: "critical",
  groupWithinMs: 60_000,
  channels: null,
  escalation: [],
};

export type AlertChange = Partial<Omit<Alert, "rule">> & { rule?: Partial<Alert["rule"]> };

export const alertOf = ({ rule: ownRule, ...change }: AlertChange = {}): Alert => ({
  id: "too-hot.0.1.pump-1",
  revision: 1,
  state: "firing",
  device: "pump-1",
  zone: "north",
  model: "P200",
  gateway: null,
  rule: { ...rule, ...ownRule },
  metric: "temperature",
  firedAt: AT + 1_500,
  reading: { at: AT, receivedAt: AT + 1_000, value: 91.25 },
  flapping: false,
  acknowledgedAt: null,
  acknowledgedBy: null,
  assignee: null,
  resolvedAt: null,
  resolution: null,
  clearedBy: null,
  ...change,
});

export const resolvedOf = (change: AlertChange = {}): Alert =>
  alertOf({
    state: "resolved",
    resolvedAt: AT + 61_500,
    resolution: "cleared",
    clearedBy: { at: AT + 60_000, receivedAt: AT + 61_000, value: 85 },
    ...change,
  });

/** The incident of these members. */
export function snapshotOf(alerts: Alert[] = [alertOf()], change: Partial<Incident> = {}): IncidentSnapshot {
  const active = alerts.filter(({ state }) => state !== "resolved").length;
  return {
    alerts,
    incident: {
      id: "north.7",
      revision: 1,
      state: active === 0 ? "resolved" : "firing",
      zone: "north",
      rule: alerts.at(-1)?.rule ?? rule,
      openedAt: AT + 1_500,
      joinedAt: AT + 1_500,
      acknowledgedAt: null,
      acknowledgedBy: null,
      resolvedAt: active === 0 ? AT + 61_500 : null,
      members: alerts.length,
      active,
      muted: 0,
      escalated: 0,
      ...change,
    },
  };
}

export const noticeOf = (change: Partial<Notice> = {}): Notice => ({
  key: "north.7.fire.1",
  kind: "fire",
  tenant: "acme",
  snapshot: snapshotOf(),
  omitted: 0,
  ...change,
});

export const channelOf = (change: Partial<Channel> = {}): Channel => ({
  id: "ops",
  name: "Ops",
  target: { type: "webhook", url: "https://example.com/hook" },
  route: {},
  perHourMax: 60,
  enabled: true,
  origin: "",
  createdAt: AT,
  updatedAt: AT,
  ...change,
});

export const silenceOf = (change: Partial<Silence> = {}): Silence => ({
  id: "s1",
  matcher: {},
  comment: "work on the pumps",
  startsAt: AT - 3_600_000,
  endsAt: null,
  hours: [],
  createdAt: AT - 3_600_000,
  createdBy: "ann",
  ...change,
});
