// Incidents as rows: which rule, on which device, what it read, and who has it.
import type { Incident } from "../../schemas/alert.ts";
import type { ListedIncident } from "../../schemas/alert-http.ts";
import { useTicking } from "../base/context.ts";
import { formatAge, formatCount, formatInstant } from "../base/format.ts";
import { incidentLink } from "../base/route.ts";
import { conditionInWords, crossedInWords, formatLasting, membersInWords } from "./alert-words.ts";
import { DeviceName } from "./device-name.tsx";
import { SeverityMark, StateMark } from "./severity.tsx";

export function Incidents({ incidents }: { incidents: readonly ListedIncident[] }) {
  return (
    <ul class="incidents">
      {incidents.map((incident) => (
        <IncidentRow key={incident.id} incident={incident} />
      ))}
    </ul>
  );
}

function IncidentRow({ incident }: { incident: ListedIncident }) {
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
        <Lead incident={incident} />
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

/** Which device, what it read, the level that crossed, and when it read it. */
function Lead({ incident: { lead, rule, members } }: { incident: ListedIncident }) {
  if (lead === null) {
    return (
      <span class="incident-lead">
        {members === 1 ? "a device that was deleted" : "devices that were deleted"}
        <span>{conditionInWords(rule.condition)}</span>
      </span>
    );
  }
  const others = members - 1;
  const isSilence = rule.condition.type === "no_data";
  return (
    <span class="incident-lead">
      <b>
        <DeviceName device={lead.device} name={lead.deviceName} />
        {others > 0 && ` and ${formatCount(others)} more`}
      </b>
      <span>
        {crossedInWords(lead, rule.condition)}
        {lead.reading !== null && (
          <small> {`${isSilence ? "last heard" : "read"} ${formatInstant(lead.reading.at)}`}</small>
        )}
      </span>
    </span>
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
