// The members of an incident and the tenant's silences → until when its messages are held back.
import type { Alert, IncidentSnapshot } from "../../../schemas/alert.ts";
import type { Matcher, Silence } from "../../../schemas/channel.ts";
import { hoursEndAt } from "./hours.ts";

/**
 * The longest time until a message that a silence holds back is judged again, in ms: word that the silence was ended
 * may come before the message is held, or not at all.
 */
export const HELD_MS_MAX = 15 * 60_000;

/** Whether a silence's matcher fits an alert; fields that it does not have fit all. */
function fits(matcher: Matcher, { zone, device, model, rule }: Alert): boolean {
  const own = { zone, device, model, rule: rule.id, severity: rule.severity };
  return Object.entries(matcher).every(
    ([field, wanted]) => wanted === undefined || own[field as keyof Matcher] === wanted,
  );
}

/**
 * When a silence that is in force at `nowMs` ends, epoch ms, Infinity when it has no end; undefined when it is not in
 * force.
 */
function endsAt({ startsAt, endsAt: ends, hours }: Silence, nowMs: number): number | undefined {
  const end = ends ?? Number.POSITIVE_INFINITY;
  if (nowMs < startsAt || nowMs >= end) return undefined;
  if (hours.length === 0) return end;
  const hourEnds = hours.map((own) => hoursEndAt(own, nowMs)).filter((at) => at !== undefined);
  return hourEnds.length === 0 ? undefined : Math.min(end, Math.max(...hourEnds));
}

/**
 * Returns until when messages about an incident are held back, epoch ms, at most `HELD_MS_MAX` ahead; undefined when
 * they are not. They are when every member that people would be told of is silenced at `nowMs`: the active members
 * that are not muted, or all when there is none.
 */
export function heldUntil(
  { alerts, muted = [] }: Pick<IncidentSnapshot, "alerts" | "muted">,
  silences: readonly Silence[],
  nowMs: number,
): number | undefined {
  const active = alerts.filter(({ state }) => state !== "resolved");
  const unheard = new Set(muted);
  const audible = active.filter(({ id }) => !unheard.has(id));
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
