// What is going on, and what was of late: the active incidents, those that are over, and what is silenced.
import { useState } from "preact/hooks";
import type { Incident } from "../../schemas/alert.ts";
import type { FleetAnswer, IncidentList, RuleList } from "../base/answers.ts";
import { useApi, useFeed } from "../base/context.ts";
import { formatCount } from "../base/format.ts";
import { identityOf } from "../base/identity.ts";
import { alertsLink, type Route, ruleLink, rulesLink } from "../base/route.ts";
import { useAnswer } from "../base/use-answer.ts";
import { useSignals } from "../live/use-signals.ts";
import { Failure } from "../notices.tsx";
import { Shell } from "../shell.tsx";
import { orderIncidents } from "./alert-words.ts";
import { Incidents } from "./incident-rows.tsx";
import { Silences } from "./silences.tsx";

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
            {feed?.active && active.length === 0 && <Calm {...filter} />}
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

/** Nothing is active, or nothing of what was asked for: what that rests on, and what to do. */
function Calm({ state, zone }: Filter) {
  const api = useApi();
  const { answer } = useAnswer("rules", (signal) => api.get<RuleList>("/v1/rules", signal), 60_000);
  if (state !== null || zone !== null) {
    const which = state === null ? "active" : (STATE_WORDS[state] ?? state);
    return (
      <p class="empty">
        {`No incident is ${which}${zone === null ? "" : ` in ${zone}`}.`} <a href={alertsLink()}>Show all</a>
      </p>
    );
  }
  if (answer === null) return null;
  const on = answer.rules.filter(({ enabled }) => enabled).length;
  if (on > 0) {
    return (
      <p class="empty calm">
        All is well:{" "}
        <a href={rulesLink()}>{`${formatCount(on)} ${on === 1 ? "rule watches" : "rules watch"}`}</a> and none
        is breached.
      </p>
    );
  }
  const isFirst = answer.rules.length === 0;
  return (
    <p class="empty">
      {isFirst ? "There is no rule yet" : "Every rule is switched off"}, so nothing can alert.{" "}
      {!identityOf(api.session.token).mayOperate ? (
        "An operator makes and changes rules."
      ) : (
        <a href={isFirst ? ruleLink(null) : rulesLink()}>
          {isFirst ? "Make the first rule" : "Switch one on"}
        </a>
      )}
    </p>
  );
}

const STATE_WORDS: Record<string, string> = { firing: "not acknowledged" };

const STATE_CHOICES = [
  { id: null, label: "All" },
  { id: "firing", label: "Not acknowledged" },
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
      {answer?.incidents.length === 0 && (
        <p class="empty">Nothing has been resolved yet{zone === null ? "" : ` in ${zone}`}.</p>
      )}
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
