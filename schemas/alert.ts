// Rules, and the alerts and incidents they lead to.
import * as z from "zod";
import { LIMITS_ZONE } from "./limits.ts";
import { deviceName, label, metricName, prose, storedMetricName, zoneName } from "./name.ts";
import { limitName } from "./tenant-limit.ts";

const instantMs = z.number();
const count = z.number().int().nonnegative();
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** `critical` is what pages: no budget holds it back. */
export const severity = z.enum(["info", "warning", "critical"]);
export type Severity = z.infer<typeof severity>;

/** An identifier that people choose or we draw: no dot, for an alert's id is made of it. */
export const RULE_ID_PATTERN = /^[a-z0-9][a-z0-9_-]{0,39}$/;
export const ruleId = z.string().regex(RULE_ID_PATTERN, {
  error: "an id is 1 to 40 lower-case letters, digits, - and _, and begins with a letter or digit",
});
export const channelId = ruleId;

// ---- rules ---------------------------------------------------------------------------------------------------------

const scopeOf = (model: z.ZodString) =>
  z.object({ zone: zoneName, model, device: deviceName }).partial().strict();
/** All that is named has to fit; nothing named: every device of the tenant. */
export const ruleScope = scopeOf(label(128));
export type RuleScope = z.infer<typeof ruleScope>;

/** Breached strictly beyond `above` or `below` (one of them); cleared at `clear` or beyond it, which is the level unless said. */
const level = { above: z.number().optional(), below: z.number().optional(), clear: z.number().optional() };
const spanMs = z
  .number()
  .int()
  .min(1_000)
  .max(7 * DAY_MS);

export const detectorName = z.enum(["seasonal", "zscore"]);
export type DetectorName = z.infer<typeof detectorName>;

/** What a rule looks for. PERSISTED in rules and devices: new fields need a default, none changes meaning. */
const conditionOf = (metricName: typeof storedMetricName) =>
  z.discriminatedUnion("type", [
    z.object({ type: z.literal("threshold"), metric: metricName, ...level }).strict(),
    /** A reading that differs by more than `by` from one of the last `overMs`. */
    z
      .object({
        type: z.literal("rate_of_change"),
        metric: metricName,
        by: z.number(),
        overMs: spanMs,
        direction: z.enum(["up", "down", "both"]).default("both"),
      })
      .strict(),
    /** A value that stays within `tolerance` of where it was, for `afterMs`. */
    z
      .object({
        type: z.literal("flat_line"),
        metric: metricName,
        tolerance: z.number().default(0),
        afterMs: spanMs.min(MINUTE_MS),
      })
      .strict(),
    /** Nothing received of the device, or of the metric, for `afterMs` by our clock. */
    z
      .object({ type: z.literal("no_data"), metric: metricName.optional(), afterMs: spanMs.min(10_000) })
      .strict(),
    /** The device sends more reports than it may in the long run, taken or refused. */
    z.object({ type: z.literal("hot") }).strict(),
    z
      .object({
        type: z.literal("anomaly"),
        metric: metricName,
        detector: detectorName.default("seasonal"),
        level: z.enum(["warning", "critical"]).default("critical"),
      })
      .strict(),
    /** `left operator right` against a level, from readings at most `withinMs` apart. */
    z
      .object({
        type: z.literal("expression"),
        left: metricName,
        operator: z.enum(["+", "-", "*", "/"]),
        right: metricName,
        withinMs: spanMs.default(10 * MINUTE_MS),
        ...level,
      })
      .strict(),
  ]);
/** As people give it. */
export const condition = conditionOf(metricName);
export type Condition = z.infer<typeof condition>;

/** Who is told when nobody has acknowledged after so long; `channels` null: as the rule has it. */
export const escalationStep = z.strictObject({
  afterMs: z
    .number()
    .int()
    .min(10_000)
    .max(7 * DAY_MS),
  channels: z.array(channelId).min(1).max(20).nullable().default(null),
});
export type EscalationStep = z.infer<typeof escalationStep>;

/** `POST /v1/rules`, `PUT /v1/rules/:rule`: the whole rule. */
export const ruleBody = z
  .object({
    name: label(100),
    scope: ruleScope.default({}),
    condition,
    /** How long, and for how many readings in a row, the breach has to last. */
    forMs: z
      .number()
      .int()
      .min(0)
      .max(7 * DAY_MS)
      .default(0),
    count: z.number().int().min(1).max(1_000).default(1),
    severity: severity.default("warning"),
    cooldownMs: z
      .number()
      .int()
      .min(0)
      .max(7 * DAY_MS)
      .default(5 * MINUTE_MS),
    /** Alerts of a zone each within this of the one before are one incident; 0: each is its own. */
    groupWithinMs: z.number().int().min(0).max(HOUR_MS).default(MINUTE_MS),
    /** null: the channels whose route takes it. */
    channels: z.array(channelId).min(1).max(20).nullable().default(null),
    escalation: z.array(escalationStep).max(5).default([]),
    enabled: z.boolean().default(true),
  })
  .strict();
export type RuleBody = z.infer<typeof ruleBody>;

/** PERSISTED: in D1, in devices, zones and alerts. Names that were given earlier may have any character. */
export const rule = ruleBody.extend({
  name: z.string(),
  scope: scopeOf(z.string()).default({}),
  condition: conditionOf(storedMetricName),
  id: ruleId,
  version: z.number().int().positive(),
  createdAt: instantMs,
  updatedAt: instantMs,
  updatedBy: z.string(),
});
export type Rule = z.infer<typeof rule>;

const zoneOfAlert = zoneName.or(z.literal(LIMITS_ZONE));

// ---- alerts --------------------------------------------------------------------------------------------------------

export const alertState = z.enum(["firing", "no_data", "acknowledged", "resolved"]);
export type AlertState = z.infer<typeof alertState>;

/** Why an alert ended. */
export const resolution = z.enum([
  "cleared",
  "by_hand",
  "rule_removed",
  "rule_disabled",
  "out_of_scope",
  "deleted",
]);
export type Resolution = z.infer<typeof resolution>;

/** A reading as an alert shows it: by the device's clock, by ours, and what it was; of an expression its result. */
export const alertReading = z.object({ at: instantMs, receivedAt: instantMs, value: z.number() });
export type AlertReading = z.infer<typeof alertReading>;

/**
 * One episode of a rule on a device. PERSISTED: in devices, zones, D1 and on the queue; new fields need a default.
 * `id` is `<rule>.<generation>.<episode>.<device>`: it says whose alert it is.
 */
export const alert = z.object({
  id: z.string(),
  /** Rises by one with each event. */
  revision: z.number().int().positive(),
  state: alertState,
  device: deviceName,
  /** Where the device was when it fired; the incident is that zone's. */
  zone: zoneOfAlert,
  model: z.string().nullable(),
  /** The device's gateway, where the registry names one. */
  gateway: deviceName.nullable(),
  rule: rule.pick({
    id: true,
    version: true,
    name: true,
    condition: true,
    severity: true,
    groupWithinMs: true,
    channels: true,
    escalation: true,
  }),
  /** What it is about; null: the whole device. */
  metric: storedMetricName.nullable(),
  /** By our clock. */
  firedAt: instantMs,
  /**
   * The reading that fired it; of a no-data alert the last one received, null when none is known; of a hot one its
   * reports a second.
   */
  reading: alertReading.nullable(),
  flapping: z.boolean(),
  acknowledgedAt: instantMs.nullable(),
  acknowledgedBy: z.string().nullable(),
  assignee: z.string().nullable(),
  resolvedAt: instantMs.nullable(),
  resolution: resolution.nullable(),
  /** The reading that cleared it. */
  clearedBy: alertReading.nullable(),
  /**
   * Of a warning about a limit of the tenant, which is told and not listed: what it uses, and may; null: it has no limit
   * any more. `device` is the tenant then. Absent: it is about a device.
   */
  limit: z.object({ name: limitName, used: z.number(), most: z.number().nullable() }).optional(),
});
export type Alert = z.infer<typeof alert>;

export const alertEventKind = z.enum(["fired", "acknowledged", "assigned", "commented", "resolved"]);
export type AlertEventKind = z.infer<typeof alertEventKind>;

/** What happened to an alert, and the alert after it: `alert.revision` numbers it. PERSISTED like the alert. */
export const alertEvent = z.object({
  kind: alertEventKind,
  /** By our clock. */
  at: instantMs,
  /** Who did it; null: the rule. */
  by: z.string().nullable(),
  text: z.string().nullable(),
  alert,
});
export type AlertEvent = z.infer<typeof alertEvent>;

const comment = prose(2_000);

/** `POST /v1/alerts/:alert/{ack,assign,comment,resolve}`, and the same of an incident. */
export const alertAction = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("ack"), text: comment.optional() }),
  z.object({ kind: z.literal("assign"), to: label(200), text: comment.optional() }),
  z.object({ kind: z.literal("comment"), text: comment }),
  z.object({ kind: z.literal("resolve"), text: comment.optional() }),
]);
export type AlertAction = z.infer<typeof alertAction>;

// ---- incidents -----------------------------------------------------------------------------------------------------

export const incidentState = z.enum(["firing", "acknowledged", "resolved"]);

/** Why people are told: it fired; more joined; nobody acknowledged; it is over. */
export const noticeKind = z.enum(["fire", "update", "escalate", "resolve"]);
export type NoticeKind = z.infer<typeof noticeKind>;

/**
 * A message about an incident that a channel's receiver refused for good. `error`: the status, and what the receiver said.
 * `instead`: the channels that have the message all the same; null: that is not decided yet.
 */
export const refusal = z.object({
  /** The message's idempotency key. */
  key: z.string(),
  kind: noticeKind,
  channel: channelId,
  /** By our clock. */
  at: instantMs,
  error: z.string(),
  instead: z.array(channelId).nullable(),
});
export type Refusal = z.infer<typeof refusal>;

/** PERSISTED: in zones, D1 and on the queue; new fields need a default. `id` is `<zone>.<number>`, unlike any other of the tenant. */
export const incident = z.object({
  id: z.string(),
  revision: z.number().int().positive(),
  state: incidentState,
  zone: zoneOfAlert,
  /** The rule as its newest member has it. */
  rule: alert.shape.rule,
  openedAt: instantMs,
  /** When the newest member joined. */
  joinedAt: instantMs,
  acknowledgedAt: instantMs.nullable(),
  acknowledgedBy: z.string().nullable(),
  resolvedAt: instantMs.nullable(),
  /** How many members there are; of them active; and of those muted by their gateway. */
  members: count,
  active: count,
  muted: count,
  /** Steps of the escalation taken. */
  escalated: count,
  /** The newest messages that a receiver refused for good, oldest first; absent: none. */
  refusals: z.array(refusal).optional(),
});
export type Incident = z.infer<typeof incident>;

/**
 * An incident with every member as it is now, oldest first. `nameless`: as many more were members whose device was deleted
 * since, and nothing else is known of them; absent: none. `muted`: the ids of the members that the zone does not tell of,
 * for their gateway has no data either; absent: none, or (of an incident read from D1) not known.
 */
export const incidentSnapshot = z.object({
  incident,
  alerts: z.array(alert),
  nameless: count.optional(),
  muted: z.array(z.string()).optional(),
});
export type IncidentSnapshot = z.infer<typeof incidentSnapshot>;

/** PERSISTED: on the queue `telltale-notices`. What is told is asked of the zone when it is told. */
export const noticeMessage = z.object({
  version: z.literal(1),
  type: z.literal("notice"),
  tenant: z.string(),
  zone: zoneOfAlert,
  /** `<incident>.<kind>.<n>`: the idempotency key of the message at each channel. */
  key: z.string(),
  incident: z.string(),
  kind: noticeKind,
  /** Of an escalation step; null: the rule's channels. */
  channels: z.array(channelId).nullable(),
  /** The channel that could not deliver it, for its receiver refused it; absent: it comes from the zone, to all channels. */
  refusedBy: refusal.pick({ channel: true, at: true, error: true }).optional(),
});
export type NoticeMessage = z.infer<typeof noticeMessage>;

/** PERSISTED: on the queue `telltale-notices`: what happened, for D1. At most 60 events. */
export const eventsMessage = z.object({
  version: z.literal(1),
  type: z.literal("events"),
  tenant: z.string(),
  zone: zoneName,
  /** Confirms the message to the zone. */
  key: z.string(),
  /** Each with the incident its alert belongs to. */
  events: z.array(alertEvent.extend({ incident: z.string() })),
  incidents: z.array(incident),
});
export type EventsMessage = z.infer<typeof eventsMessage>;

export const queuedNotice = z.discriminatedUnion("type", [noticeMessage, eventsMessage]);
export type QueuedNotice = z.infer<typeof queuedNotice>;
