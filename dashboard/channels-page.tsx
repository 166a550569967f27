// Where people are told: each channel, what it takes, and what became of the last messages; a test of each.
import { useState } from "preact/hooks";
import type { Channel, Route as ChannelRoute, Delivery, WeeklyHours } from "../schemas/channel.ts";
import type { ChannelList, DeliveriesAnswer } from "./answers.ts";
import { asApiError } from "./api.ts";
import { useApi } from "./context.ts";
import { formatCount, formatInstant } from "./format.ts";
import { Failure } from "./notices.tsx";
import { incidentLink, rulesLink } from "./route.ts";
import { Shell } from "./shell.tsx";
import { useAnswer } from "./use-answer.ts";

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
          <p class="summary">Where people are told. The API makes and changes them.</p>
        </div>
        {error && <Failure error={error} onRetry={reload} />}
        {answer?.channels.length === 0 && (
          <p class="empty">
            There is no channel: nobody is told of an alert. Make one with POST /v1/channels.
          </p>
        )}
        {answer?.channels.map((channel) => (
          <ChannelCard key={channel.id} channel={channel} />
        ))}
      </div>
    </Shell>
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
      setSaid({
        isBad: state !== "sent",
        text: `The test is ${state}${error === null ? "" : `: ${error}`}.`,
      });
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
          <li key={delivery.key} class={delivery.state} data-testid="delivery">
            <time>{formatInstant(delivery.createdAt)}</time>
            <b>{delivery.state}</b>
            <span>
              {delivery.kind === "test" ? (
                "a test"
              ) : (
                <a href={incidentLink(delivery.incident)}>
                  {delivery.kind} of {delivery.incident}
                </a>
              )}
              {delivery.attempts > 1 && ` · ${delivery.attempts} attempts`}
              {delivery.dueAt !== null && ` · next at ${formatInstant(delivery.dueAt)}`}
              {delivery.error !== null && <small>{delivery.error}</small>}
            </span>
          </li>
        ))}
      </ul>
    </section>
  );
}

function routeInWords({ severities, zones, hours }: ChannelRoute): string {
  const what = severities === undefined ? "everything" : severities.join(" and ");
  const where = zones === undefined ? "" : ` in ${zones.join(", ")}`;
  const when = hours === undefined ? "" : `, ${hours.map(hoursInWords).join(", ")}`;
  return `takes ${what}${where}${when}`;
}

const hoursInWords = ({ days, from, to, timeZone }: WeeklyHours) =>
  `${days.length === 7 ? "" : `${days.join(" ")} `}${from}–${to} ${timeZone}`;

function countsInWords(counts: DeliveriesAnswer["counts"]): string {
  const told = Object.entries(counts).filter(([, count]) => count > 0);
  return told.map(([state, count]) => ` · ${formatCount(count)} ${state}`).join("");
}
