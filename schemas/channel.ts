// Where people are told, when they want to be, and when not.
import * as z from "zod";
import { channelId, ruleId, severity } from "./alert.ts";
import { deviceName, label, prose, timeZone, zoneName } from "./name.ts";
import { bodyInstant } from "./query.ts";

const instantMs = z.number();
const url = z.url({ protocol: /^https?$/ }).max(2_000);
const secret = z.string().min(1).max(500);
/** A secret that goes in a header, or what is shown in its place. */
const token = secret.regex(/^([\x21-\x7e]+|•••)$/, {
  error: "goes in a header: printable ASCII without spaces and line ends; look for what was pasted with it",
});

/** `HH:MM`, 24 hours. */
const timeOfDay = z
  .string()
  .regex(/^([01]\d|2[0-3]):[0-5]\d$/, { error: "a time of day is HH:MM, 00:00 to 23:59" });
const weekday = z.enum(["mon", "tue", "wed", "thu", "fri", "sat", "sun"]);
/** Hours of the week, half-open; `to` at or before `from` is on the next day. `days` are those it begins on. */
export const weeklyHours = z.strictObject({
  days: z.array(weekday).min(1).default(["mon", "tue", "wed", "thu", "fri", "sat", "sun"]),
  from: timeOfDay,
  to: timeOfDay,
  timeZone: timeZone.default("UTC"),
});
export type WeeklyHours = z.infer<typeof weeklyHours>;

// ---- channels ------------------------------------------------------------------------------------------------------

/** What it takes, unless a rule names it; what is not named does not matter. */
export const route = z
  .object({
    severities: z.array(severity).min(1),
    zones: z.array(zoneName).min(1).max(100),
    /** Outside of them it is told nothing new; a resolve comes always. */
    hours: z.array(weeklyHours).min(1).max(20),
  })
  .partial()
  .strict();
export type Route = z.infer<typeof route>;

/** How a receiver is spoken to. Secrets are stored, and never shown again. */
export const target = z.discriminatedUnion("type", [
  /** `secret` signs, see docs/webhooks.md. */
  z.object({ type: z.literal("webhook"), url, secret: secret.optional() }).strict(),
  z.object({ type: z.literal("slack"), url }).strict(),
  z
    .object({
      type: z.literal("pagerduty"),
      routingKey: secret,
      url: url.default("https://events.pagerduty.com/v2/enqueue"),
    })
    .strict(),
  z
    .object({
      type: z.literal("opsgenie"),
      apiKey: token,
      url: url.default("https://api.opsgenie.com/v2/alerts"),
    })
    .strict(),
  z.object({ type: z.literal("teams"), url }).strict(),
  /** A provider's HTTP interface, see docs/webhooks.md. */
  z
    .object({
      type: z.literal("email"),
      url,
      token: token.optional(),
      from: z.email(),
      to: z.array(z.email()).min(1).max(50),
    })
    .strict(),
  /** Alertmanager's base address: alerts are posted to its /api/v2/alerts. */
  z.object({ type: z.literal("alertmanager"), url, token: token.optional() }).strict(),
]);
export type Target = z.infer<typeof target>;

/** `POST /v1/channels`, `PUT /v1/channels/:channel`. */
export const channelBody = z
  .object({
    name: label(100),
    target,
    route: route.default({}),
    /** Most messages an hour that are not critical; null: no limit. */
    perHourMax: z.number().int().min(1).max(10_000).nullable().default(60),
    enabled: z.boolean().default(true),
  })
  .strict();
export type ChannelBody = z.infer<typeof channelBody>;

/** PERSISTED: in D1 and in the channel's object; new fields need a default. A name given earlier may have any character. */
export const channel = channelBody.extend({
  name: z.string(),
  id: channelId,
  /** Where the API was reached when the channel was last written: links lead there unless the deployment says where to. */
  origin: z.string().default(""),
  createdAt: instantMs,
  updatedAt: instantMs,
});
export type Channel = z.infer<typeof channel>;

/**
 * `held`: over its budget, told nobody. `refused`: the receiver refuses it for good, and it goes by another channel.
 * `dead`: given up.
 */
export const deliveryState = z.enum(["waiting", "sent", "held", "dropped", "refused", "dead"]);
export type DeliveryState = z.infer<typeof deliveryState>;

/** One message to one channel. */
export const delivery = z.object({
  key: z.string(),
  incident: z.string(),
  kind: z.enum(["fire", "update", "escalate", "resolve", "test"]),
  severity,
  state: deliveryState,
  attempts: z.number().int().nonnegative(),
  createdAt: instantMs,
  /** The next attempt, while it waits. */
  dueAt: instantMs.nullable(),
  finishedAt: instantMs.nullable(),
  /** What the receiver, or the network, said last. */
  error: z.string().nullable(),
});
export type Delivery = z.infer<typeof delivery>;

// ---- silences ------------------------------------------------------------------------------------------------------

const matcherOf = (model: z.ZodString) =>
  z.object({ zone: zoneName, device: deviceName, model, rule: ruleId, severity }).partial().strict();
/** All that is named has to fit. */
export const matcher = matcherOf(label(128));
export type Matcher = z.infer<typeof matcher>;

const silenceFields = {
  matcher: matcher.default({}),
  comment: prose(2_000),
  /** Epoch ms. */
  startsAt: instantMs.int().nonnegative(),
  /** Epoch ms; null: until it is ended by hand. */
  endsAt: instantMs.int().nonnegative().nullable(),
  /** Only in these hours of the week: recurring maintenance. Empty: all the time. */
  hours: z.array(weeklyHours).max(20).default([]),
};

/** `POST /v1/silences`: epoch ms or ISO 8601. `startsAt` absent: now. */
export const silenceBody = z
  .object({ ...silenceFields, startsAt: bodyInstant.optional(), endsAt: bodyInstant.nullable() })
  .strict()
  .refine(({ startsAt = 0, endsAt }) => endsAt === null || startsAt < endsAt, {
    error: '"startsAt" is before "endsAt"',
  });
export type SilenceBody = z.infer<typeof silenceBody>;

/** PERSISTED: in D1. What was written earlier may have any character. */
export const silence = z.object({
  ...silenceFields,
  matcher: matcherOf(z.string()).default({}),
  comment: z.string(),
  id: z.string(),
  createdAt: instantMs,
  createdBy: z.string(),
});
export type Silence = z.infer<typeof silence>;
