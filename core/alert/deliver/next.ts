// What waits in a channel, and how the channel does → what is sent now, what never will be, and when to look again.

/** Attempts at once: a Worker holds six connections (Workers limits, 2026-11). */
const AT_ONCE_MAX = 6;

export interface Waiting {
  seq: number;
  incident: string;
  kind: string;
  attempts: number;
  dueAt: number;
  /** A message of its incident that was no resolve was sent. */
  isTold: boolean;
}

export interface Health {
  /** Failures in a row; 0: it does well. */
  failures: number;
  /** Not tried before this while it fails, epoch ms. */
  retryAt: number;
}

export interface Next {
  start: number[];
  /** Resolves of what was never told. */
  drop: number[];
  /** When something may be due that is not now; undefined: nothing waits, or the end of an attempt says. */
  wakeAt: number | undefined;
}

/**
 * `waiting`: oldest first; `running`: those of them that are being sent. Of an incident only the oldest goes, so its
 * messages keep their order. A channel that fails is tried with one message, the one tried least, so that a message
 * nobody can take does not stand before the others for ever.
 */
export function chooseNext(
  waiting: readonly Waiting[],
  running: ReadonlySet<number>,
  health: Health,
  nowMs: number,
): Next {
  const drop: number[] = [];
  const heads = new Map<string, Waiting>();
  for (const own of waiting) {
    if (heads.has(own.incident)) continue;
    if (own.kind === "resolve" && !own.isTold) drop.push(own.seq);
    else heads.set(own.incident, own);
  }
  const idle = [...heads.values()].filter(({ seq }) => !running.has(seq));
  if (idle.length === 0) return { start: [], drop, wakeAt: undefined };
  const isFailing = health.failures > 0;
  const notBeforeMs = isFailing ? health.retryAt : 0;
  const due = idle.filter(({ dueAt }) => Math.max(dueAt, notBeforeMs) <= nowMs);
  if (due.length === 0) {
    const soonest = Math.min(...idle.map(({ dueAt }) => dueAt));
    return { start: [], drop, wakeAt: Math.max(soonest, notBeforeMs) };
  }
  if (isFailing) due.sort((a, b) => a.attempts - b.attempts || a.seq - b.seq);
  const room = (isFailing ? 1 : AT_ONCE_MAX) - running.size;
  const start = due.slice(0, Math.max(0, room)).map(({ seq }) => seq);
  const later = idle.filter(({ dueAt }) => dueAt > nowMs).map(({ dueAt }) => dueAt);
  return { start, drop, wakeAt: later.length === 0 ? undefined : Math.min(...later) };
}
