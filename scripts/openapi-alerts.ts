// The paths of the OpenAPI document about rules, alerts, incidents, channels and silences.
import * as z from "zod";
import type { ZodOpenApiPathsObject } from "zod-openapi";
import { alert, channelId, condition, incident, rule, ruleId } from "../schemas/alert.ts";
import {
  type ActionKind,
  actionBodies,
  alertAnswer,
  alertList,
  alertsQuery,
  channelChange,
  channelList,
  channelNew,
  deliveriesAnswer,
  deliveriesQuery,
  incidentActed,
  incidentAnswer,
  incidentList,
  incidentsQuery,
  previewAnswer,
  previewBody,
  ruleChange,
  ruleList,
  ruleNew,
  silenceList,
} from "../schemas/alert-http.ts";
import { channel, delivery, silence, silenceBody } from "../schemas/channel.ts";
import { operation } from "./openapi-operation.ts";

/** Named in the document, so that it has them once. */
const NAMED = {
  Condition: condition,
  Rule: rule,
  Alert: alert,
  Incident: incident,
  Channel: channel,
  Silence: silence,
};
for (const [id, schema] of Object.entries(NAMED)) z.globalRegistry.add(schema, { id });

const tag = "alerts";
const paths = {
  rule: z.object({ rule: ruleId }),
  alert: z.object({ alert: z.string() }),
  incident: z.object({ incident: z.string() }),
  channel: z.object({ channel: channelId }),
  silence: z.object({ silence: z.string() }),
};

const ACTIONS: Record<ActionKind, string> = {
  ack: "Acknowledge",
  assign: "Assign to somebody",
  comment: "Comment on",
  resolve: "Resolve by hand",
};

/** `POST …/{ack,assign,comment,resolve}` of an alert, or of all active members of an incident. */
function actionPaths(of: "alert" | "incident", what: string, answer: z.ZodType): ZodOpenApiPathsObject {
  const actions = Object.entries(ACTIONS) as [ActionKind, string][];
  return Object.fromEntries(
    actions.map(([kind, does]) => [
      `/v1/${of}s/{${of}}/${kind}`,
      {
        post: operation({
          summary: `${does} ${what}`,
          tag,
          parameters: { path: paths[of] },
          body: actionBodies[kind],
          answer,
        }),
      },
    ]),
  );
}

export const alertPaths: ZodOpenApiPathsObject = {
  "/v1/rules": {
    get: operation({ summary: "Rules by id", tag, answer: ruleList }),
    post: operation({ summary: "A new rule", tag, status: "201", body: ruleNew, answer: rule }),
  },
  "/v1/rules/preview": {
    post: operation({
      summary: "When would a rule have fired",
      tag,
      body: previewBody,
      answer: previewAnswer,
    }),
  },
  "/v1/rules/{rule}": {
    get: operation({ summary: "One rule", tag, parameters: { path: paths.rule }, answer: rule }),
    put: operation({
      summary: "The whole rule, a version higher; with a version, only if that is the newest",
      tag,
      parameters: { path: paths.rule },
      body: ruleChange,
      answer: rule,
    }),
    delete: operation({
      summary: "Delete a rule; its alerts end",
      tag,
      parameters: { path: paths.rule },
      answer: rule,
    }),
  },
  "/v1/alerts": {
    get: operation({
      summary: "Alerts, newest first",
      tag,
      parameters: { query: alertsQuery },
      answer: alertList,
    }),
  },
  "/v1/alerts/{alert}": {
    get: operation({
      summary: "One alert and its history",
      tag,
      parameters: { path: paths.alert },
      answer: alertAnswer,
    }),
  },
  ...actionPaths("alert", "an alert", alert),
  "/v1/incidents": {
    get: operation({
      summary: "Incidents, newest first",
      tag,
      parameters: { query: incidentsQuery },
      answer: incidentList,
    }),
  },
  "/v1/incidents/{incident}": {
    get: operation({
      summary: "One incident and all its members",
      tag,
      parameters: { path: paths.incident },
      answer: incidentAnswer,
    }),
  },
  ...actionPaths("incident", "all active members of an incident", incidentActed),
  "/v1/channels": {
    get: operation({ summary: "Channels by id, without their secrets", tag, answer: channelList }),
    post: operation({ summary: "A new channel", tag, status: "201", body: channelNew, answer: channel }),
  },
  "/v1/channels/{channel}": {
    get: operation({ summary: "One channel", tag, parameters: { path: paths.channel }, answer: channel }),
    put: operation({
      summary: "The whole channel; a secret sent as it was shown stays",
      tag,
      parameters: { path: paths.channel },
      body: channelChange,
      answer: channel,
    }),
    delete: operation({
      summary: "Delete a channel that no rule names",
      tag,
      parameters: { path: paths.channel },
      answer: channel,
    }),
  },
  "/v1/channels/{channel}/test": {
    post: operation({
      summary: "Send a test message now",
      tag,
      parameters: { path: paths.channel },
      answer: delivery,
    }),
  },
  "/v1/channels/{channel}/deliveries": {
    get: operation({
      summary: "What a channel was told, newest first",
      tag,
      parameters: { path: paths.channel, query: deliveriesQuery },
      answer: deliveriesAnswer,
    }),
  },
  "/v1/silences": {
    get: operation({ summary: "Silences, newest first", tag, answer: silenceList }),
    post: operation({ summary: "A new silence", tag, status: "201", body: silenceBody, answer: silence }),
  },
  "/v1/silences/{silence}": {
    delete: operation({
      summary: "End a silence now",
      tag,
      parameters: { path: paths.silence },
      answer: silence,
    }),
  },
};
