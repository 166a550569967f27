// When a rule would have fired: a line a device with its episodes on it, and each in words.
import type { PreviewAnswer } from "../../schemas/alert-http.ts";
import { formatLasting, formatReading } from "../alerts/alert-words.ts";
import { DeviceName } from "../alerts/device-name.tsx";
import { formatCount, formatInstant } from "../base/format.ts";
import { deviceLink } from "../base/route.ts";

interface PreviewProps {
  answer: PreviewAnswer;
  fromMs: number;
  toMs: number;
}

/** Episodes told in words; the line shows all. */
const TOLD_MAX = 20;

export function RulePreview({ answer, fromMs, toMs }: PreviewProps) {
  const episodes = answer.devices.flatMap(({ device, episodes }) =>
    episodes.map((episode) => ({ device, ...episode })),
  );
  const told = episodes.toSorted((a, b) => b.firedAt - a.firedAt).slice(0, TOLD_MAX);
  return (
    <section class="preview" aria-label="On the past 24 h" data-testid="rule-preview">
      <div class="section-head">
        <h2>{summaryOf(answer, episodes.length)}</h2>
        <small>
          {formatInstant(fromMs)} to {formatInstant(toMs)}, {formatCount(answer.readings)} readings
        </small>
      </div>
      <ul class="preview-lines">
        {answer.devices.map(({ device, episodes }) => (
          <li key={device}>
            <a href={deviceLink(device)}>
              <DeviceName device={device} />
            </a>
            <span class="preview-line" role="img" aria-label={`${episodes.length} times`}>
              {episodes.map(({ firedAt, resolvedAt }) => (
                <i key={firedAt} style={spanStyle(firedAt, resolvedAt ?? toMs, fromMs, toMs)} />
              ))}
            </span>
            <small>{episodes.length}×</small>
          </li>
        ))}
      </ul>
      <ul class="preview-episodes">
        {told.map(({ device, firedAt, reading, resolvedAt }) => (
          <li key={`${device} ${firedAt}`}>
            <time>{formatInstant(firedAt)}</time> <DeviceName device={device} />
            {reading && ` at ${formatReading(reading)}`},{" "}
            {resolvedAt === null ? "and would still be firing" : `for ${formatLasting(resolvedAt - firedAt)}`}
          </li>
        ))}
        {episodes.length > told.length && (
          <li>and {formatCount(episodes.length - told.length)} more before</li>
        )}
      </ul>
    </section>
  );
}

function summaryOf(answer: PreviewAnswer, count: number): string {
  const cut =
    answer.leftOut.length === 0 ? "" : " Too many readings to try all: choose a shorter range or one device.";
  return `${foundOf(answer, count)}${cut}`;
}

function foundOf({ devices, partial }: PreviewAnswer, count: number): string {
  if (devices.length === 0) return "It concerns no device.";
  const among = `${partial ? "the first " : ""}${devices.length} ${devices.length === 1 ? "device" : "devices"}`;
  if (count === 0) return `It would not have fired on ${among}.`;
  const times = count === 1 ? "once" : `${formatCount(count)} times`;
  const hit = devices.filter(({ episodes }) => episodes.length > 0).length;
  return `It would have fired ${times}, on ${hit} of ${among}.`;
}

function spanStyle(startMs: number, endMs: number, fromMs: number, toMs: number) {
  const share = (ms: number) => (100 * ms) / (toMs - fromMs);
  return { left: `${share(startMs - fromMs)}%`, width: `${Math.max(0.4, share(endMs - startMs))}%` };
}
