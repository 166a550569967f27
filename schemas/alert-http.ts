// What is asked of rules, alerts, incidents, channels and silences over HTTP, and what is answered.
import * as z from "zod";
import {
  alert,
  alertAction,
  alertEventKind,
  alertState,
  incident,
  incidentSnapshot,
  incidentState,
  rule,
  ruleBody,
  ruleId,
  severity,
} from "./alert.ts";
import { channel, channelBody, delivery, silence } from "./channel.ts";
import { deviceName, zoneName } from "./name.ts";
import { bodyInstant, instant } from "./query.ts";

const instantMs = z.number().int();
const limit = z.coerce.number().int().min(1).max(1_000).default(100);

// ---- rules ---------------------------------------------------------------------------------------------------------

/** `POST /v1/rules`: with the id it shall have, or one is drawn. */
export const ruleNew = ruleBody.extend({ id: ruleId.optional() });

/**
 * `PUT /v1/rules/:rule`: the whole rule, as GET returns it or without what only we write. `version`: the one that is
 * changed.
 */
export const ruleChange = ruleBody.extend(
  rule.pick({ id: true, version: true, createdAt: true, updatedAt: true, updatedBy: true }).partial().shape,
);

export const ruleList = z.object({ rules: z.array(rule) });

/** Most devices a rule is tried on at once. */
export const PREVIEWED_MAX = 10;

/** `POST /v1/rules/preview`: a rule as it was or would be written; epoch ms or ISO 8601, half-open. `device` absent: those the rule concerns, the first ten. */
export const previewBody = z
  .object({
    rule: ruleChange,
    device: deviceName.optional(),
    from: bodyInstant,
    to: bodyInstant,
  })
  .strict()
  .refine(({ from, to }) => from < to, { error: '"from" is before "to"' });
export type PreviewBody = z.infer<typeof previewBody>;

const previewReading = z.object({ at: instantMs, receivedAt: instantMs, value: z.number() }).nullable();

/**
 * When the rule would have fired, by the readings' own time. `partial`: it concerns more devices. `readings`: how many it was
 * tried on, 50,000 at most; `leftOut`: the times of devices that it was not tried on for that.
 */
export const previewAnswer = z.object({
  devices: z.array(
    z.object({
      device: deviceName,
      episodes: z.array(
        z.object({
          firedAt: z.number(),
          reading: previewReading,
          resolvedAt: z.number().nullable(),
          clearedBy: previewReading,
        }),
      ),
    }),
  ),
  readings: z.number().int(),
  partial: z.boolean(),
  leftOut: z.array(z.object({ device: deviceName, fromMs: instantMs, toMs: instantMs })).default([]),
});
export type PreviewAnswer = z.infer<typeof previewAnswer>;

// ---- alerts --------------------------------------------------------------------------------------------------------

const after = z
  .string()
  .max(400)
  .regex(/^\d{1,16}~./, { error: '"after" is the "next" of the page before' });

/** `GET /v1/alerts`, newest first. `active`: all but the resolved. `from` and `to`: when it fired, half-open. */
export const alertsQuery = z.object({
  state: alertState.or(z.literal("active")).optional(),
  device: deviceName.optional(),
  zone: zoneName.optional(),
  rule: ruleId.optional(),
  severity: severity.optional(),
  incident: z.string().max(200).optional(),
  from: instant.optional(),
  to: instant.optional(),
  after: after.optional(),
  limit,
});
export type AlertsQuery = z.infer<typeof alertsQuery>;

/** An alert as it is listed: with the incident it belongs to. */
export const listedAlert = alert.extend({ incident: z.string() });
export type ListedAlert = z.infer<typeof listedAlert>;
export const alertList = z.object({ alerts: z.array(listedAlert), next: z.string().nullable() });

/** What happened to it; `by` null: the rule. */
export const alertHistory = z.array(
  z.object({
    revision: z.number().int(),
    kind: alertEventKind,
    at: z.number(),
    by: z.string().nullable(),
    text: z.string().nullable(),
  }),
);

/** `incident` null, and the history short: it fired just now, and is on its way. */
export const alertAnswer = z.object({ alert, incident: z.string().nullable(), history: alertHistory });
export type AlertDetail = z.infer<typeof alertAnswer>;

const [ack, assign, comment, resolve] = alertAction.options;
/** The bodies of `POST /v1/alerts/:alert/{ack,assign,comment,resolve}`, and of the same of an incident. */
export const actionBodies = {
  ack: ack.omit({ kind: true }).strict(),
  assign: assign.omit({ kind: true }).strict(),
  comment: comment.omit({ kind: true }).strict(),
  resolve: resolve.omit({ kind: true }).strict(),
};
export type ActionKind = keyof typeof actionBodies;

// ---- incidents -----------------------------------------------------------------------------------------------------

/** The member an incident is shown by: one that is active, if one of its first is. `deviceName` null: it has none. */
export const leadAlert = alert
  .pick({ device: true, state: true, metric: true, reading: true, clearedBy: true, firedAt: true })
  .extend({ deviceName: z.string().nullable() });
export type LeadAlert = z.infer<typeof leadAlert>;

/** An incident as it is listed; `lead` null: no alert of it is known, for its device was deleted. */
export const listedIncident = incident.extend({ lead: leadAlert.nullable() });
export type ListedIncident = z.infer<typeof listedIncident>;

/** `GET /v1/incidents/:incident`: every member, and what people call the devices that have a name, of the first thousand. */
export const incidentAnswer = incidentSnapshot.extend({ names: z.record(deviceName, z.string()) });
export type IncidentAnswer = z.infer<typeof incidentAnswer>;

/** `GET /v1/incidents`, newest first. */
export const incidentsQuery = z.object({
  state: incidentState.or(z.literal("active")).optional(),
  zone: zoneName.optional(),
  from: instant.optional(),
  to: instant.optional(),
  after: after.optional(),
  limit,
});
export type IncidentsQuery = z.infer<typeof incidentsQuery>;
export const incidentList = z.object({ incidents: z.array(listedIncident), next: z.string().nullable() });

/** What became of an action on all active members: `refused` had ended meanwhile; those in `missing` did not answer. */
export const incidentActed = z.object({
  done: z.number().int(),
  refused: z.number().int(),
  missing: z.array(z.string()),
});

// ---- channels and silences -----------------------------------------------------------------------------------------

/** Stands for a secret that is stored: sent back, it stays. */
export const SECRET_MASK = "•••";

/** `POST /v1/channels`: with the id it shall have, or one is drawn. */
export const channelNew = channelBody.extend({ id: channel.shape.id.optional() });

/** `PUT /v1/channels/:channel`: the whole channel, as GET returns it or without what only we write. */
export const channelChange = channelBody.extend({
  ...channel.pick({ id: true, createdAt: true, updatedAt: true }).partial().shape,
  origin: channel.shape.origin.unwrap().optional(), // without its default: absent, it is not said
});
export const channelList = z.object({ channels: z.array(channel) });

/** `GET /v1/channels/:channel/deliveries`. */
export const deliveriesQuery = z.object({ limit });
/** `rule`: the name of the rule it was about; null: of a test, or of an incident that nobody keeps any more. */
export const listedDelivery = delivery.extend({ rule: z.string().nullable() });
export type ListedDelivery = z.infer<typeof listedDelivery>;
export const deliveriesAnswer = z.object({
  deliveries: z.array(listedDelivery),
  counts: z.record(z.string(), z.number().int()),
});
export type DeliveriesAnswer = z.infer<typeof deliveriesAnswer>;

export const silenceList = z.object({ silences: z.array(silence) });
