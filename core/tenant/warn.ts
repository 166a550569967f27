// What a tenant uses of a limit → whether its people are warned, and what they are told.
import type { Alert, IncidentSnapshot, NoticeKind, Refusal } from "../../schemas/alert.ts";
import { LIMITS_ZONE } from "../../schemas/limits.ts";
import type { LimitName, LimitState } from "../../schemas/tenant-limit.ts";

/** The part of a limit from which people are warned. */
const NEAR = 0.8;
/** The part below which a warning is over: use that sways around `NEAR` is one crossing. */
const CLEAR = 0.75;
/** How long after a warning another of the same limit may follow, in ms: at most four a day. */
const COOLDOWN_MS = 6 * 3_600_000;

/** What a tenant uses of a limit. `isRefused`: the limit refused something within the last minute. */
export interface LimitUse {
  used: number;
  isRefused: boolean;
}

/** A message to people that was not confirmed yet. */
export interface WaitingNotice {
  kind: Extract<NoticeKind, "fire" | "resolve">;
  /** When it is sent (again), epoch ms by the wall clock. */
  dueAt: number;
  /** Whether silences, or the hours of channels, hold it back. */
  isHeld: boolean;
}

/** The last warning about a limit. PERSISTED in the tenant's object; new fields need a default. */
export interface LimitWarning {
  /** Epoch ms by the wall clock, and what was used of what the tenant might use. */
  firedAt: number;
  used: number;
  most: number;
  /** When it was over, and what was used then; `most` null: there is no limit any more. null: it is not over. */
  cleared: { at: number; used: number; most: number | null } | null;
  waiting: WaitingNotice[];
  refusals: Refusal[];
}

/** The last warning about each limit; a limit nobody was ever warned of has none. */
export type LimitWarnings = Partial<Record<LimitName, LimitWarning>>;

/** Whether people were warned, and it is not over. */
export const isWarned = (warning: LimitWarning | undefined): boolean =>
  warning !== undefined && warning.cleared === null;

/**
 * Returns how near a tenant is to a limit of `most`, null: it has none. Between 75 and 80 % it stays what it was:
 * near, when people are warned.
 */
export function limitStateOf(
  { used, isRefused }: LimitUse,
  most: number | null,
  isWarned: boolean,
): LimitState {
  if (most === null) return "ok";
  if (isRefused || (used > 0 && used >= most)) return "over";
  return used > 0 && used >= most * (isWarned ? CLEAR : NEAR) ? "near" : "ok";
}

/**
 * Returns the warning about a limit after its use was seen at `nowMs`, the same one when nothing changes. A crossing
 * warns once, at most every six hours, and not while what was told of the last one is not confirmed.
 */
export function warn(
  warning: LimitWarning | undefined,
  use: LimitUse,
  most: number | null,
  nowMs: number,
): LimitWarning | undefined {
  const state = limitStateOf(use, most, isWarned(warning));
  const { used } = use;
  if (warning !== undefined && warning.cleared === null) {
    if (state !== "ok") return warning;
    // A fire that is held back has nobody told: it is over before it was said.
    const waiting = warning.waiting.filter(({ isHeld }) => !isHeld);
    return {
      ...warning,
      cleared: { at: nowMs, used, most },
      waiting: [...waiting, { kind: "resolve", dueAt: nowMs, isHeld: false }],
    };
  }
  if (state === "ok" || most === null) return warning;
  if (warning !== undefined && (warning.waiting.length > 0 || nowMs - warning.firedAt < COOLDOWN_MS))
    return warning;
  return {
    ...{ firedAt: nowMs, used, most, cleared: null, refusals: [] },
    waiting: [{ kind: "fire", dueAt: nowMs, isHeld: false }],
  };
}

/**
 * Returns the warning after one of its messages was done with, or (`deferUntilMs`) is to be sent again then, held back,
 * unless it is a fire of what is over by now; the same warning when nothing waits of that kind.
 */
export function confirm(
  warning: LimitWarning,
  kind: WaitingNotice["kind"],
  deferUntilMs: number | null,
): LimitWarning {
  if (warning.waiting.every((own) => own.kind !== kind)) return warning;
  const others = warning.waiting.filter((own) => own.kind !== kind);
  const isOverUntold = kind === "fire" && warning.cleared !== null;
  if (deferUntilMs === null || isOverUntold) return { ...warning, waiting: others };
  return { ...warning, waiting: [{ kind, dueAt: deferUntilMs, isHeld: true }, ...others] };
}

/** Returns the warning with what is due at `nowMs` to be sent again at `againAt`. */
export const sent = (warning: LimitWarning, nowMs: number, againAt: number): LimitWarning => ({
  ...warning,
  waiting: warning.waiting.map((own) => (own.dueAt <= nowMs ? { ...own, dueAt: againAt } : own)),
});

/** The name of a warning as an incident: no zone has one like it, and no other warning of the tenant. */
export const warningId = (name: LimitName, { firedAt }: LimitWarning): string =>
  `${LIMITS_ZONE}.${name}-${firedAt}`;

/** The idempotency key of a message about a warning: the same however often it is sent. */
export const warningKey = (name: LimitName, warning: LimitWarning, kind: WaitingNotice["kind"]): string =>
  `${warningId(name, warning)}.${kind}.1`;

/** What people call a limit. */
const NAMES: Record<LimitName, string> = {
  devices: "Limit of devices",
  storageBytes: "Limit of storage",
  readingsPerSecond: "Limit of readings a second",
  viewers: "Limit of viewers",
};

/** Returns what the warning of this id is about, as people call it; undefined: it is the id of a zone's incident. */
export function warnedLimit(id: string): string | undefined {
  const [zone, rest = ""] = id.split(".", 2) as [string, string?];
  return zone === LIMITS_ZONE ? NAMES[rest.slice(0, rest.lastIndexOf("-")) as LimitName] : undefined;
}

/** Returns a warning as the incident that channels are told of: with one member, which is about the tenant. */
export function warningSnapshot(tenant: string, name: LimitName, warning: LimitWarning): IncidentSnapshot {
  const { firedAt, used, most, cleared, refusals } = warning;
  const ruleId = `limit-${name.toLowerCase()}`;
  const rule: Alert["rule"] = {
    id: ruleId,
    version: 1,
    name: NAMES[name],
    condition: { type: "threshold", metric: name, above: most * NEAR, clear: most * CLEAR },
    severity: "warning",
    groupWithinMs: 0,
    channels: null,
    escalation: [],
  };
  const state = cleared === null ? "firing" : "resolved";
  const shared = { acknowledgedAt: null, acknowledgedBy: null, resolvedAt: cleared?.at ?? null };
  const readAt = (at: number, value: number) => ({ at, receivedAt: at, value });
  const revision = cleared === null ? 1 : 2;
  return {
    incident: {
      ...{ ...shared, id: warningId(name, warning), revision, state, zone: LIMITS_ZONE, rule },
      ...{ openedAt: firedAt, joinedAt: firedAt, members: 1, active: cleared === null ? 1 : 0 },
      ...{ muted: 0, escalated: 0, refusals },
    },
    alerts: [
      {
        ...{ ...shared, id: `${ruleId}.0.${firedAt}.${tenant}`, revision, state, device: tenant },
        ...{ zone: LIMITS_ZONE, model: null, gateway: null, rule, metric: name, firedAt },
        ...{ reading: readAt(firedAt, used), flapping: false, assignee: null },
        resolution: cleared === null ? null : "cleared",
        clearedBy: cleared === null ? null : readAt(cleared.at, cleared.used),
        limit: { name, used: cleared?.used ?? used, most: cleared === null ? most : cleared.most },
      },
    ],
  };
}
