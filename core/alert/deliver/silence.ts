// The members of an incident and the tenant's silences → until when its messages are held back.
import type { Alert, IncidentSnapshot } from "../../../schemas/alert.ts";
import type { Matcher, Silence } from "../../../schemas/channel.ts";
import { hoursEndAt } from "./hours.ts";

/**
 * A message that is held is judged again after this at the latest: word that a silence was ended may come too early for a
 * message that is on its way to be held, or not at all.
 */
export const HELD_MS_MAX = 15 * 60_000;

function fits(matcher: Matcher, { zone, device, model, rule }: Alert): boolean {
  const own = { zone, device, model, rule: rule.id, severity: rule.severity };
  return Object.entries(matcher).every(
    ([field, wanted]) => wanted === undefined || own[field as keyof Matcher] === wanted,
  );
}

/** When a silence that holds now ends, as far as it knows; undefined: it does not hold now. */
function endsAt({ startsAt, endsAt: ends, hours }: Silence, nowMs: number): number | undefined {
  const end = ends ?? Number.POSITIVE_INFINITY;
  if (nowMs < startsAt || nowMs >= end) return undefined;
  if (hours.length === 0) return end;
  const hourEnds = hours.map((own) => hoursEndAt(own, nowMs)).filter((at) => at !== undefined);
  return hourEnds.length === 0 ? undefined : Math.min(end, Math.max(...hourEnds));
}

/** A silent device behind a silent gateway: the gateway's alert speaks for it. */
const isMuted = (own: Alert, active: readonly Alert[]) =>
  own.rule.condition.type === "no_data" &&
  active.some(({ device, rule }) => device === own.gateway && rule.condition.type === "no_data");

/**
 * The earliest instant at which the incident may be told of, when every member that people would be told of is silenced
 * now: the active ones that are not muted, or all if none is. Undefined: it may be told of now.
 */
export function heldUntil(
  { alerts }: Pick<IncidentSnapshot, "alerts">,
  silences: readonly Silence[],
  nowMs: number,
): number | undefined {
  const active = alerts.filter(({ state }) => state !== "resolved");
  const audible = active.filter((own) => !isMuted(own, active));
  const judged = audible.length > 0 ? audible : alerts;
  if (judged.length === 0) return undefined;
  const holding = silences
    .map(({ matcher, ...silence }) => ({ matcher, end: endsAt({ matcher, ...silence }, nowMs) }))
    .filter((silence): silence is { matcher: Matcher; end: number } => silence.end !== undefined);
  let untilMs = nowMs + HELD_MS_MAX;
  for (const alert of judged) {
    const ends = holding.filter(({ matcher }) => fits(matcher, alert)).map(({ end }) => end);
    if (ends.length === 0) return undefined;
    untilMs = Math.min(untilMs, Math.max(...ends));
  }
  return untilMs;
}
