// What is going on, and what was of late: the active incidents, those that are over, and what is silenced.
import { useState } from "preact/hooks";
import type { Incident } from "../schemas/alert.ts";
import { conditionInWords, formatLasting, membersInWords, orderIncidents } from "./alert-words.ts";
import type { FleetAnswer, IncidentList } from "./answers.ts";
import { useApi, useFeed, useTicking } from "./context.ts";
import { formatAge, formatCount, formatInstant } from "./format.ts";
import { Failure } from "./notices.tsx";
import { alertsLink, incidentLink, type Route } from "./route.ts";
import { SeverityMark, StateMark } from "./severity.tsx";
import { Shell } from "./shell.tsx";
import { Silences } from "./silences.tsx";
import { useAnswer } from "./use-answer.ts";
import { useSignals } from "./use-signals.ts";

const REREAD_EVERY_MS = 30_000;
const RESOLVED_COUNT = 25;

type Filter = Omit<Extract<Route, { page: "alerts" }>, "page">;

export function AlertsPage({ state, zone }: Filter) {
  const feed = useFeed();
  const filter = { state, zone };
  const active = orderIncidents(feed?.active ?? []).filter(
    (incident) => (zone === null || incident.zone === zone) && (state === null || incident.state === state),
  );
  return (
    <Shell crumbs={[{ label: "Alerts" }]} showsFeed>
      <div class="page" data-testid="alerts" data-live={feed?.isLive ?? false}>
        <div class="page-head">
          <h1>Alerts</h1>
          <p class="summary" role="status">
            {feed?.active && summaryOf(feed.active, feed.hasMore)}
          </p>
        </div>
        {feed?.error && <Failure error={feed.error} onRetry={() => feed.signal()} />}
        <div class="tools">
          <StateFilter {...filter} />
          <ZoneFilter {...filter} />
        </div>
        {state !== "resolved" && (
          <section aria-label="Active incidents" data-testid="active-incidents">
            <Incidents incidents={active} />
            {feed?.active && active.length === 0 && <p class="empty calm">{calmOf(filter)}</p>}
          </section>
        )}
        {state === null && <Silences />}
        {(state === null || state === "resolved") && <Resolved key={zone} zone={zone} />}
      </div>
    </Shell>
  );
}

function summaryOf(active: readonly Incident[], hasMore: boolean): string {
  if (active.length === 0) return "Nothing is firing.";
  const open = active.filter(({ state }) => state === "firing").length;
  const all = `${formatCount(active.length)}${hasMore ? " or more" : ""} active`;
  return open === 0 ? `${all}, all acknowledged` : `${all}, ${formatCount(open)} not acknowledged`;
}

const calmOf = ({ state, zone }: Filter) =>
  `Nothing is ${state ?? "firing"}${zone === null ? "" : ` in ${zone}`}.`;

function Incidents({ incidents }: { incidents: readonly Incident[] }) {
  return (
    <ul class="incidents">
      {incidents.map((incident) => (
        <IncidentRow key={incident.id} incident={incident} />
      ))}
    </ul>
  );
}

function IncidentRow({ incident }: { incident: Incident }) {
  const { id, rule, zone, state } = incident;
  return (
    <li
      class={`incident ${state} ${rule.severity}`}
      data-testid="incident"
      data-incident={id}
      data-state={state}
    >
      <SeverityMark severity={rule.severity} />
      <div class="incident-what">
        <a href={incidentLink(id)}>{rule.name}</a>
        <small>{conditionInWords(rule.condition)}</small>
      </div>
      <div class="incident-where">
        <span>{zone}</span>
        <small>{membersInWords(incident)}</small>
      </div>
      <div class="incident-how">
        <StateMark state={state} />
        <small>
          <HowLong incident={incident} />
        </small>
      </div>
    </li>
  );
}

/** Since when, or how long it lasted; and who has it. */
export function HowLong({ incident }: { incident: Incident }) {
  const { openedAt, resolvedAt, acknowledgedBy } = incident;
  const age = useTicking(() => formatAge(Date.now() - openedAt));
  const by = acknowledgedBy === null ? "" : `by ${acknowledgedBy} · `;
  return (
    <span title={`since ${formatInstant(openedAt)}`}>
      {resolvedAt === null
        ? `${by}since ${formatInstant(openedAt)}, ${age}`
        : `${formatInstant(resolvedAt)}, after ${formatLasting(resolvedAt - openedAt)}`}
    </span>
  );
}

const STATE_CHOICES = [
  { id: null, label: "All" },
  { id: "firing", label: "Firing" },
  { id: "acknowledged", label: "Acknowledged" },
  { id: "resolved", label: "Resolved" },
];

function StateFilter({ state, zone }: Filter) {
  return (
    <fieldset class="segments" aria-label="State">
      {STATE_CHOICES.map(({ id, label }) => (
        <button
          key={label}
          type="button"
          aria-pressed={state === id}
          onClick={() => location.replace(alertsLink({ state: id, zone }))}
        >
          {label}
        </button>
      ))}
    </fieldset>
  );
}

function ZoneFilter({ state, zone }: Filter) {
  const api = useApi();
  const { answer } = useAnswer(
    "zones",
    (signal) => api.get<Pick<FleetAnswer, "zones">>("/v1/zones", signal),
    60_000,
  );
  const zones = new Set([
    ...(zone === null ? [] : [zone]),
    ...(answer?.zones ?? []).map((known) => known.zone),
  ]);
  return (
    <select
      aria-label="Zone"
      data-testid="zone-choice"
      value={zone ?? ""}
      onChange={({ currentTarget }) => location.replace(alertsLink({ state, zone: currentTarget.value }))}
    >
      <option value="">All zones</option>
      {[...zones].sort().map((known) => (
        <option key={known} value={known}>
          {known}
        </option>
      ))}
    </select>
  );
}

function Resolved({ zone }: { zone: string | null }) {
  const api = useApi();
  const feed = useFeed();
  const [count, setCount] = useState(RESOLVED_COUNT);
  const query = new URLSearchParams({
    state: "resolved",
    limit: String(count),
    ...(zone === null ? {} : { zone }),
  });
  const { answer, error, isLoading, reload } = useAnswer(
    `resolved ${zone}`,
    (signal) => api.get<IncidentList>(`/v1/incidents?${query}`, signal),
    REREAD_EVERY_MS,
  );
  useSignals(feed, reload);
  const hasMore = answer?.next !== null && answer?.next !== undefined && count < 1_000;
  return (
    <section aria-label="Resolved incidents" data-testid="resolved-incidents">
      <div class="section-head">
        <h2>Resolved</h2>
      </div>
      {error && <Failure error={error} onRetry={reload} />}
      <Incidents incidents={answer?.incidents ?? []} />
      {answer?.incidents.length === 0 && <p class="empty">Nothing has been resolved yet.</p>}
      {hasMore && (
        <p class="more">
          <button
            type="button"
            class="button small"
            disabled={isLoading}
            onClick={() => {
              setCount(Math.min(1_000, count * 4));
              reload();
            }}
          >
            Show more
          </button>
        </p>
      )}
    </section>
  );
}
