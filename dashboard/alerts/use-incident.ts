// An incident's id, or an alert's → the incident with its members and what people did, read again whenever something happens.
import { useContext } from "preact/hooks";
import type { Alert, Incident } from "../../schemas/alert.ts";
import type { AlertDetail, IncidentAnswer } from "../../schemas/alert-http.ts";
import { type Api, ApiError } from "../base/api.ts";
import { FeedContext, useApi } from "../base/context.ts";
import { type Loaded, useAnswer } from "../base/use-answer.ts";
import { useSignals } from "../live/use-signals.ts";
import { representativesOf } from "./alert-timeline.ts";

export interface IncidentView extends IncidentAnswer {
  /** Where actions go: the incident's address, or that of an alert whose incident is not known yet. */
  path: string;
  /** The alert that the address named; null: it named the incident. */
  asked: string | null;
  histories: Map<string, AlertDetail["history"]>;
}

/** Makes good what no stream told; the fleet's stream tells the rest. */
const REREAD_EVERY_MS = 15_000;

/** An answer of so many alerts is large, and while they fire it would be asked for again and again. */
const LARGE_COUNT = 50;
const LARGE_EVERY_MS = 4_000;

export function useIncident(id: string): Loaded<IncidentView> {
  const api = useApi();
  const loaded = useAnswer(id, (signal) => loadIncident(api, id, signal), REREAD_EVERY_MS);
  const isLarge = (loaded.answer?.alerts.length ?? 0) > LARGE_COUNT;
  useSignals(useContext(FeedContext), loaded.reload, isLarge ? LARGE_EVERY_MS : undefined);
  return loaded;
}

async function loadIncident(api: Api, id: string, signal: AbortSignal): Promise<IncidentView> {
  const found = await findIncident(api, id, signal);
  const ids = representativesOf(found.alerts, found.asked, Date.now());
  const histories = new Map<string, AlertDetail["history"]>();
  await Promise.all(
    ids.map(async (alert) => {
      const detail = await alertOf(api, alert, signal).catch(() => null);
      if (detail !== null) histories.set(alert, detail.history);
    }),
  );
  return { ...found, histories };
}

/** `<rule>.<generation>.<episode>.<device>`; an incident is `<zone>.<number>`, and a zone may be named like that. */
const LIKE_AN_ALERT = /^[a-z0-9][a-z0-9_-]*\.\d+\.\d+\../;

/** Asks for what the id looks like, and then for the other. */
async function findIncident(api: Api, id: string, signal: AbortSignal): Promise<Found> {
  const ways = [() => byIncident(api, id, null, signal), () => byAlert(api, id, signal)];
  if (LIKE_AN_ALERT.test(id)) ways.reverse();
  try {
    return await ways[0]!();
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return await ways[1]!();
    throw error;
  }
}

type Found = Omit<IncidentView, "histories">;

async function byIncident(api: Api, id: string, asked: string | null, signal: AbortSignal): Promise<Found> {
  const path = `/v1/incidents/${encodeURIComponent(id)}`;
  return { ...(await api.get<IncidentAnswer>(path, signal)), path, asked };
}

async function byAlert(api: Api, id: string, signal: AbortSignal): Promise<Found> {
  const { alert, incident } = await alertOf(api, id, signal);
  if (incident !== null) return await byIncident(api, incident, id, signal);
  return { incident: aloneIn(alert), alerts: [alert], names: {}, path: alertPath(id), asked: id };
}

const alertPath = (id: string) => `/v1/alerts/${encodeURIComponent(id)}`;
const alertOf = (api: Api, id: string, signal: AbortSignal) => api.get<AlertDetail>(alertPath(id), signal);

/** An alert that fired just now, shown as the incident it is about to be. */
function aloneIn(alert: Alert): Incident {
  const { id, revision, state, zone, rule, firedAt, acknowledgedAt, acknowledgedBy, resolvedAt } = alert;
  return {
    id,
    revision,
    state: state === "no_data" ? "firing" : state,
    zone,
    rule,
    openedAt: firedAt,
    joinedAt: firedAt,
    acknowledgedAt,
    acknowledgedBy,
    resolvedAt,
    members: 1,
    active: resolvedAt === null ? 1 : 0,
    muted: 0,
    escalated: 0,
  };
}
