// A settled server and what the receiver took, against the episodes planned: every alert once, every firing told under one key.
import type { Alert } from "../../schemas/alert.ts";
import type { ListedAlert } from "../../schemas/alert-http.ts";
import type { AlertClient } from "../flow/alert-client.ts";
import type { Webhook } from "../flow/webhook-receiver.ts";
import { type AlertRound, CHANNELS, type Episode } from "./plan-alert-round.ts";

export interface AlertDifference {
  /** Alerts, and alerts to be told at a channel. */
  fired: number;
  firings: number;
  delivered: number;
  /** Messages that were sent, the repeated ones too. */
  messages: number;
  /** Firings that no message told of, and alerts or events that D1 lacks. */
  lost: number;
  /** Firings told under two keys, and events that D1 has twice. */
  twice: number;
  /** Alerts that no reading justifies. */
  unjustified: number;
  /** Incidents told of whose end was not, or not once, or before. */
  unresolved: number;
  examples: string[];
}

const EXAMPLES_MAX = 12;

class Found implements AlertDifference {
  fired = 0;
  firings = 0;
  delivered = 0;
  messages = 0;
  lost = 0;
  twice = 0;
  unjustified = 0;
  unresolved = 0;
  readonly examples: string[] = [];

  note(kind: "lost" | "twice" | "unjustified" | "unresolved", what: string): void {
    this[kind] += 1;
    if (this.examples.length < EXAMPLES_MAX) this.examples.push(`${kind}: ${what}`);
  }
}

/** @param acknowledged alerts whose acknowledgement was answered. */
export async function compareAlerts(
  client: AlertClient,
  { episodes }: AlertRound,
  acknowledged: ReadonlySet<string>,
  sent: (channel: string) => Webhook[],
  taken: (channel: string) => Webhook[],
): Promise<AlertDifference> {
  const found = new Found();
  const { alerts } = await client.alerts("limit=1000");
  const known = matchEpisodes(alerts, episodes, found);
  for (const alert of known) await compareHistory(client, alert, acknowledged.has(alert.id), found);
  for (const incident of await client.incidents()) {
    const members = alerts.filter((alert) => alert.incident === incident.id).length;
    if (incident.state !== "resolved" || incident.members !== members)
      found.note("lost", `incident ${JSON.stringify(incident)} of ${members} alerts`);
  }
  for (const [channel, zones] of Object.entries(CHANNELS)) {
    const concerned = known.filter(({ zone }) => zones?.includes(zone) ?? true);
    compareChannel(channel, concerned, sent(channel), taken(channel), found);
    const { counts } = await client.deliveries(channel);
    for (const state of ["waiting", "held", "refused", "dead"])
      if ((counts[state] ?? 0) > 0) found.note("lost", `${counts[state]} messages ${state} at ${channel}`);
  }
  return found;
}

/** The alerts that belong to an episode each; notes those that do not, and those that have not ended as it did. */
function matchEpisodes(
  alerts: readonly ListedAlert[],
  episodes: readonly Episode[],
  found: Found,
): ListedAlert[] {
  const known = episodes.flatMap((episode) => {
    const { device, rule, fired, cleared } = episode;
    const near = alerts.filter((alert) => alert.device === device && alert.rule.id === rule);
    const own = near.filter((alert) => isReading(alert.reading, fired));
    const isWhole = own.some(
      ({ resolution, clearedBy }) => resolution === "cleared" && isReading(clearedBy, cleared),
    );
    if (own.length > 1) found.note("twice", JSON.stringify(own.map(shortOf)));
    if (!isWhole)
      found.note("lost", `${JSON.stringify(episode)}; there are ${JSON.stringify(near.map(shortOf))}`);
    return own;
  });
  found.fired = known.length;
  for (const alert of alerts.filter((own) => !known.includes(own)))
    found.note("unjustified", JSON.stringify(shortOf(alert)));
  return known;
}

const isReading = (reading: Alert["reading"], { at, value }: Episode["fired"]) =>
  reading?.at === at && reading.value === value;

const shortOf = ({ id, state, incident, reading, clearedBy }: ListedAlert) => ({
  ...{ id, state, incident },
  reading: reading && [reading.at, reading.value],
  clearedBy: clearedBy && [clearedBy.at, clearedBy.value],
});

async function compareHistory(
  client: AlertClient,
  alert: ListedAlert,
  isAcknowledged: boolean,
  found: Found,
) {
  const { history } = await client.alert(alert.id);
  const said = `${alert.id}: ${JSON.stringify(history.map(({ revision, kind }) => [revision, kind]))}`;
  const times = (kind: string) => history.filter((event) => event.kind === kind).length;
  if (times("fired") > 1 || times("resolved") > 1 || times("acknowledged") > 1) found.note("twice", said);
  const isWhole =
    times("fired") === 1 &&
    times("resolved") === 1 &&
    (!isAcknowledged || times("acknowledged") === 1) &&
    history.every(({ revision }, i) => revision === i + 1) &&
    history.length === alert.revision;
  if (!isWhole) found.note("lost", said);
}

function compareChannel(
  channel: string,
  alerts: readonly ListedAlert[],
  sent: readonly Webhook[],
  taken: readonly Webhook[],
  found: Found,
): void {
  found.firings += alerts.length;
  found.messages += sent.length;
  for (const alert of alerts) {
    const own = taken.filter(({ body }) => body.alerts.some(({ id }) => id === alert.id));
    const isTold = own.some(({ body }) => body.incident.id === alert.incident);
    if (isTold) found.delivered += 1;
    else found.note("lost", `${alert.id} at ${channel}`);
    const incidents = new Set(own.map(({ body }) => body.incident.id));
    if (incidents.size > 1) found.note("twice", `${alert.id} at ${channel} in ${[...incidents]}`);
  }
  const ids = new Set(alerts.map(({ id }) => id));
  for (const { key, body } of sent)
    for (const { id } of body.alerts)
      if (!ids.has(id)) found.note("unjustified", `${id} in ${key} at ${channel}`);
  for (const incident of new Set(alerts.map((alert) => alert.incident))) {
    const own = taken.filter(({ body }) => body.incident.id === incident);
    const keysOf = (kind: string) => [
      ...new Set(own.filter((webhook) => webhook.kind === kind).map(({ key }) => key)),
    ];
    const said = `${incident} at ${channel}: ${own.map(({ key }) => key).join(", ")}`;
    if (keysOf("fire").length === 0) found.note("lost", `the fire of ${said}`);
    if (keysOf("fire").length > 1) found.note("twice", said);
    const kinds = own.map(({ kind }) => kind);
    const isInOrder = kinds.lastIndexOf("fire") < kinds.indexOf("resolve");
    if (keysOf("resolve").length !== 1 || !isInOrder) found.note("unresolved", said);
  }
}
