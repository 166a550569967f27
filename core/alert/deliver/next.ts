// What waits in a channel, and how the channel does → what is sent now, what never will be, and when to look again.

/** The most attempts at once: a Worker holds six connections (Workers limits, 2026-11). */
const AT_ONCE_MAX = 6;

/** A message that waits in a channel. */
export interface Waiting {
  /** The message's number in the channel, rising with its arrival. */
  seq: number;
  incident: string;
  kind: string;
  /** How often the message was tried. */
  attempts: number;
  /** When the message may be tried, epoch ms. */
  dueAt: number;
  /** Whether a message of its incident that was no resolve was sent. */
  isTold: boolean;
}

/** How a channel does. */
export interface Health {
  /** How many attempts failed in a row; 0 when the last one succeeded. */
  failures: number;
  /** Until when a channel that fails is not tried, epoch ms. */
  retryAt: number;
}

/** What a channel is to do, by the `seq` of its messages. */
export interface Next {
  /** Messages to send. */
  start: number[];
  /** Resolves to drop, because nothing of their incident was sent. */
  drop: number[];
  /**
   * When a message becomes due that is not yet, epoch ms; undefined when none does, or the end of an attempt decides.
   */
  wakeAt: number | undefined;
}

/**
 * Returns which messages of a channel are sent, dropped or looked at later. `waiting` is oldest first; `running` are
 * those of them that are being sent. Of an incident only the oldest message is sent, so its messages keep their
 * order. A channel that fails is tried with one message, the one tried least, so that a message that the receiver
 * refuses does not stand before the others for ever.
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
