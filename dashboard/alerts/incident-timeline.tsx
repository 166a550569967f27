// Who did what and when, newest first.
import type { AlertEventKind } from "../../schemas/alert.ts";
import { formatCount, formatInstant } from "../base/format.ts";
import { type TimelineEntry, timelineOf } from "./alert-timeline.ts";
import type { IncidentView } from "./use-incident.ts";

const DONE: Record<AlertEventKind | "refused", string> = {
  fired: "fired",
  acknowledged: "acknowledged",
  assigned: "assigned",
  commented: "commented",
  resolved: "resolved",
  refused: "refused",
};

export function IncidentTimeline({ view }: { view: IncidentView }) {
  const { alerts, histories, incident } = view;
  const entries = timelineOf(alerts, histories, incident.refusals);
  return (
    <section aria-label="History" class="timeline">
      <div class="section-head">
        <h2>History</h2>
      </div>
      <ol>
        {entries.map((entry) => (
          <li
            key={`${entry.at} ${entry.kind} ${entry.refused ?? entry.devices[0]}`}
            class={entry.by === null ? "by-rule" : "by-person"}
            data-testid="event"
            data-kind={entry.kind}
          >
            <time dateTime={new Date(entry.at).toISOString()}>{formatInstant(entry.at)}</time>
            <span>
              {whoDidWhat(entry, view)}
              {entry.text !== null && <q>{entry.text}</q>}
            </span>
          </li>
        ))}
      </ol>
    </section>
  );
}

/** An alert says these of itself; of the others only the histories that were read know, so they cannot be counted. */
const COUNTED: ReadonlySet<TimelineEntry["kind"]> = new Set(["fired", "acknowledged"]);

function whoDidWhat(
  { kind, by, devices, refused }: TimelineEntry,
  { alerts, histories, names }: IncidentView,
) {
  if (refused !== undefined) return refused;
  const [first = ""] = devices;
  const which = devices.length === 1 ? (names[first] ?? first) : `${formatCount(devices.length)} devices`;
  if (by === null) return `${which} ${DONE[kind]}`;
  const isKnown = COUNTED.has(kind) || alerts.every(({ id }) => histories.has(id));
  const isAll = devices.length === alerts.length;
  const assignee = kind === "assigned" && alerts.find(({ device }) => device === first)?.assignee;
  return (
    <>
      <b>{by}</b> {DONE[kind]}
      {assignee ? ` (now ${assignee})` : ""}
      {isKnown && !isAll && `, ${which}`}
    </>
  );
}
