// One incident from firing to resolved: what fired, on which devices, who has it, and what to do. Messages link here.

import { alertsLink, fleetLink, ruleLink, zoneLink } from "../base/route.ts";
import { Failure } from "../notices.tsx";
import { Shell } from "../shell.tsx";
import { conditionInWords, membersInWords } from "./alert-words.ts";
import { NamesContext } from "./device-name.tsx";
import { IncidentActions } from "./incident-actions.tsx";
import { LoneMember, Members } from "./incident-members.tsx";
import { HowLong } from "./incident-rows.tsx";
import { IncidentTimeline } from "./incident-timeline.tsx";
import { SeverityMark, StateMark } from "./severity.tsx";
import { IncidentSilence } from "./silences.tsx";
import { type IncidentView, useIncident } from "./use-incident.ts";

export function IncidentPage({ id }: { id: string }) {
  const { answer, error, isLoading, reload } = useIncident(id);
  const crumbs = [{ label: "Alerts", href: alertsLink() }, { label: answer?.incident.rule.name ?? id }];
  return (
    <Shell crumbs={crumbs} showsFeed>
      <div class="page" data-testid="incident-page" data-state={answer?.incident.state}>
        {error && error.status !== 404 && <Failure error={error} onRetry={reload} />}
        {error?.status === 404 && (
          <p class="empty">
            {error.message}. <a href={alertsLink()}>All alerts</a> · <a href={fleetLink()}>The fleet</a>
          </p>
        )}
        {answer && <IncidentBody view={answer} onActed={reload} />}
        {!answer && isLoading && <p class="empty">Asking the zone…</p>}
      </div>
    </Shell>
  );
}

function IncidentBody({ view, onActed }: { view: IncidentView; onActed: () => void }) {
  const { incident, alerts, nameless = 0 } = view;
  const { rule, state, zone } = incident;
  const lone = alerts.length === 1 && nameless === 0 ? alerts[0] : undefined;
  return (
    <NamesContext.Provider value={view.names}>
      <div class={`incident-head ${state} ${rule.severity}`}>
        <p class="incident-marks">
          <SeverityMark severity={rule.severity} />
          <StateMark state={state} />
          <span>
            <HowLong incident={incident} />
          </span>
        </p>
        <h1 data-testid="incident-title">{rule.name}</h1>
        <p class="facts">
          <a href={ruleLink(rule.id)} title={`the rule ${rule.id}`}>
            {conditionInWords(rule.condition)}
          </a>
          <a href={zoneLink(zone)}>zone {zone}</a>
          <span data-testid="member-count">{membersInWords(incident)}</span>
        </p>
      </div>
      {state !== "resolved" && <IncidentActions view={view} onActed={onActed} />}
      {lone ? (
        <LoneMember alert={lone} />
      ) : (
        <Members alerts={alerts} nameless={nameless} asked={view.asked} />
      )}
      <IncidentTimeline view={view} />
      <IncidentSilence incident={incident} alerts={alerts} />
    </NamesContext.Provider>
  );
}
