// Where people are told: each channel, what it takes, and what became of the last messages; a test of each.
import { useState } from "preact/hooks";
import type { DeliveriesAnswer, ListedDelivery } from "../../schemas/alert-http.ts";
import type { Channel, Route as ChannelRoute, Delivery, WeeklyHours } from "../../schemas/channel.ts";
import { LIMITS_ZONE } from "../../schemas/limits.ts";
import type { ChannelList } from "../base/answers.ts";
import { asApiError } from "../base/api.ts";
import { useApi } from "../base/context.ts";
import { formatCount, formatInstant } from "../base/format.ts";
import { incidentLink, rulesLink } from "../base/route.ts";
import { useAnswer } from "../base/use-answer.ts";
import { Failure } from "../notices.tsx";
import { Shell } from "../shell.tsx";
import { STATE_WORDS, stateInWords, toldInWords } from "./delivery-words.ts";

const REREAD_EVERY_MS = 30_000;
const DELIVERIES_EVERY_MS = 10_000;
const SHOWN_COUNT = 8;

export function ChannelsPage() {
  const api = useApi();
  const { answer, error, reload } = useAnswer(
    "channels",
    (signal) => api.get<ChannelList>("/v1/channels", signal),
    REREAD_EVERY_MS,
  );
  return (
    <Shell crumbs={[{ label: "Rules", href: rulesLink() }, { label: "Channels" }]}>
      <div class="page" data-testid="channels">
        <div class="page-head">
          <h1>Channels</h1>
          <p class="summary">
            Where people are told of alerts. An admin makes and changes them with the API.
          </p>
        </div>
        {error && <Failure error={error} onRetry={reload} />}
        {answer?.channels.length === 0 && <NoChannel />}
        {answer?.channels.map((channel) => (
          <ChannelCard key={channel.id} channel={channel} />
        ))}
      </div>
    </Shell>
  );
}

function NoChannel() {
  return (
    <div class="empty" data-testid="no-channel">
      <p>There is no channel yet: alerts show on these pages, and nobody is told. With an admin's token:</p>
      <pre class="example">{`curl ${location.origin}/v1/channels \\
  -H "Authorization: Bearer $TOKEN" \\
  -H "Content-Type: application/json" \\
  -d '{"name": "Night shift", "target": {"type": "slack", "url": "https://hooks.slack.com/services/…"}}'`}</pre>
      <p>
        Others: <code>webhook</code>, <code>pagerduty</code>, <code>opsgenie</code>, <code>teams</code>,{" "}
        <code>email</code>, <code>alertmanager</code>; <a href="/openapi.json">the API's description</a> has
        what each needs.
      </p>
    </div>
  );
}

function ChannelCard({ channel }: { channel: Channel }) {
  const api = useApi();
  const { id, name, target, route, perHourMax, enabled } = channel;
  const [said, setSaid] = useState<{ isBad: boolean; text: string } | null>(null);
  const path = `/v1/channels/${id}`;
  const { answer, error, reload } = useAnswer(
    `${path}/deliveries`,
    (signal) => api.get<DeliveriesAnswer>(`${path}/deliveries?limit=${SHOWN_COUNT}`, signal),
    DELIVERIES_EVERY_MS,
  );
  const test = async () => {
    try {
      const { state, error } = await api.send<Delivery>("POST", `${path}/test`);
      const became = state === "sent" ? "The test arrived" : `The test was ${STATE_WORDS[state]}`;
      setSaid({ isBad: state !== "sent", text: `${became}${error === null ? "" : `: ${error}`}.` });
    } catch (thrown) {
      setSaid({ isBad: true, text: asApiError(thrown).message });
    }
    reload();
  };
  return (
    <section class="channel" data-testid="channel" data-channel={id}>
      <div class="section-head">
        <h2>
          {name} <small>{target.type}</small>
          {!enabled && <small> · switched off</small>}
        </h2>
        <button type="button" class="button small" onClick={() => void test()}>
          Send a test
        </button>
      </div>
      <p class="hint">
        {routeInWords(route)}
        {perHourMax === null ? "" : ` · at most ${formatCount(perHourMax)} an hour that are not critical`}
        {answer && countsInWords(answer.counts)}
      </p>
      {said && (
        <p class={said.isBad ? "notice bad" : "said"} role="status">
          {said.text}
        </p>
      )}
      {error && <Failure error={error} onRetry={reload} />}
      <ul class="deliveries">
        {answer?.deliveries.map((delivery) => (
          <DeliveryRow key={delivery.key} delivery={delivery} />
        ))}
        {answer?.deliveries.length === 0 && (
          <li class="none">Nothing was sent to it yet. A test shows whether it arrives.</li>
        )}
      </ul>
    </section>
  );
}

function DeliveryRow({ delivery }: { delivery: ListedDelivery }) {
  const { state, incident, kind, attempts, dueAt, error, createdAt } = delivery;
  const hasPage = kind !== "test" && !incident.startsWith(`${LIMITS_ZONE}.`);
  return (
    <li class={state} data-testid="delivery">
      <time>{formatInstant(createdAt)}</time>
      <b>{STATE_WORDS[state]}</b>
      <span>
        {hasPage ? <a href={incidentLink(incident)}>{toldInWords(delivery)}</a> : toldInWords(delivery)}
        {attempts > 1 && ` · ${formatCount(attempts)} attempts`}
        {dueAt !== null && attempts > 0 && ` · next try ${formatInstant(dueAt)}`}
        {error !== null && <small>{error}</small>}
      </span>
    </li>
  );
}

function routeInWords({ severities, zones, hours }: ChannelRoute): string {
  const what = severities === undefined ? "all alerts" : `${severities.join(" and ")} alerts`;
  const where = zones === undefined ? "" : ` in ${zones.join(", ")}`;
  const when = hours === undefined ? "" : `, ${hours.map(hoursInWords).join(", ")}`;
  return `takes ${what}${where}${when}`;
}

const hoursInWords = ({ days, from, to, timeZone }: WeeklyHours) =>
  `${days.length === 7 ? "" : `${days.join(" ")} `}${from}–${to} ${timeZone}`;

function countsInWords(counts: DeliveriesAnswer["counts"]): string {
  const told = Object.entries(counts).filter(([, count]) => count > 0);
  return told.map(([state, count]) => ` · ${formatCount(count)} ${stateInWords(state)}`).join("");
}
