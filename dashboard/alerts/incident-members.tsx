// The alerts of an incident: one as a card, many as a table that stays usable with thousands; what fires first.
import type { Alert, AlertReading } from "../../schemas/alert.ts";
import { formatCount, formatInstant } from "../base/format.ts";
import { rangeAround } from "../base/range.ts";
import { deviceLink } from "../base/route.ts";
import { formatReading, measuredBy, orderMembers, RESOLUTIONS } from "./alert-words.ts";
import { DeviceName } from "./device-name.tsx";
import { StateMark } from "./severity.tsx";

export function LoneMember({ alert }: { alert: Alert }) {
  const { device, reading, clearedBy, flapping, assignee } = alert;
  return (
    <section class="lone" aria-label="The alert" {...markOf(alert)}>
      <p class="lone-value">
        <span>{measuredBy(alert)}</span>
        <b>{reading === null ? "—" : formatReading(reading)}</b>
        <ReadingTimes reading={reading} />
      </p>
      <p class="lone-device">
        <a href={chartLink(alert)}>
          <DeviceName device={device} />
        </a>
        <small>open its chart</small>
        {flapping && <small class="flapping">goes on and off: over only after 10 calm minutes</small>}
        {assignee !== null && <small>assigned to {assignee}</small>}
      </p>
      <p class="lone-end">
        <EndOf alert={alert} />
        {clearedBy !== null && <ReadingTimes reading={clearedBy} />}
      </p>
    </section>
  );
}

export function Members({
  alerts,
  nameless,
  asked,
}: {
  alerts: readonly Alert[];
  /** So many more were deleted with their device. */
  nameless: number;
  asked: string | null;
}) {
  const active = alerts.filter(({ resolvedAt }) => resolvedAt === null).length;
  return (
    <section aria-label="Devices" class="members">
      <div class="section-head">
        <h2>Devices</h2>
        <small>
          {formatCount(active)} active, {formatCount(alerts.length - active + nameless)} over
        </small>
      </div>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by keyboard */}
      <div class="members-scroll" tabIndex={0}>
        <table>
          <thead>
            <tr>
              <th scope="col">Device</th>
              <th scope="col">State</th>
              <th scope="col">Value</th>
              <th scope="col">Fired</th>
              <th scope="col">Over</th>
            </tr>
          </thead>
          <tbody>
            {orderMembers(alerts).map((alert) => (
              <MemberRow key={alert.id} alert={alert} isAsked={alert.id === asked} />
            ))}
            {nameless > 0 && (
              <tr data-testid="nameless">
                <th scope="row" colSpan={5}>
                  {nameless === 1 ? "a deleted device" : `${formatCount(nameless)} deleted devices`}
                </th>
              </tr>
            )}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function MemberRow({ alert, isAsked }: { alert: Alert; isAsked: boolean }) {
  const { device, state, reading, firedAt, assignee, flapping } = alert;
  return (
    <tr {...markOf(alert)} class={isAsked ? "asked" : ""}>
      <th scope="row">
        <a href={chartLink(alert)}>
          <DeviceName device={device} />
        </a>
      </th>
      <td>
        <StateMark state={state} />
        {flapping && <small title="Over only after 10 calm minutes">goes on and off</small>}
        {assignee !== null && <small>{assignee}</small>}
      </td>
      <td>
        <b>{reading === null ? "—" : formatReading(reading)}</b> <ReadingTimes reading={reading} />
      </td>
      <td>{formatInstant(firedAt)}</td>
      <td>
        <EndOf alert={alert} />
      </td>
    </tr>
  );
}

const markOf = ({ id, device, state }: Alert) => ({
  "data-testid": "member",
  "data-alert": id,
  "data-device": device,
  "data-state": state,
});

/** When the device read it and when we received it: a device that was cut off says old things. */
function ReadingTimes({ reading }: { reading: AlertReading | null }) {
  if (reading === null) return <small>no reading</small>;
  const { at, receivedAt } = reading;
  const isSame = formatInstant(at) === formatInstant(receivedAt);
  return (
    <small title={`read ${new Date(at).toISOString()}, received ${new Date(receivedAt).toISOString()}`}>
      {isSame
        ? `read and received ${formatInstant(at)}`
        : `read ${formatInstant(at)}, received ${formatInstant(receivedAt)}`}
    </small>
  );
}

function EndOf({ alert }: { alert: Alert }) {
  const { resolvedAt, resolution, clearedBy } = alert;
  if (resolvedAt === null) return <span class="still">still active</span>;
  const at = clearedBy === null ? "" : ` at ${formatReading(clearedBy)}`;
  return (
    <span>
      {RESOLUTIONS[resolution ?? "cleared"]}
      {at}, {formatInstant(resolvedAt)}
    </span>
  );
}

/** The chart of what fired, as far back as it fired. */
function chartLink({ device, metric, rule, firedAt, reading }: Alert): string {
  const { condition } = rule;
  const metrics =
    condition.type === "expression" ? [condition.left, condition.right] : metric === null ? [] : [metric];
  const sinceMs = Date.now() - Math.min(firedAt, reading?.at ?? firedAt);
  return deviceLink(device, { metrics: [...new Set(metrics)], range: rangeAround(sinceMs).id });
}
