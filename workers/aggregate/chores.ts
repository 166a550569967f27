// The cron: what has to be done again and again, each chore by one runner at a time, going on where it stopped.
import { wallMs } from "../clock.ts";
import type { AggregateEnv } from "./env.ts";

/** What a chore is given: where its last turn stopped ("" at first), and when this turn should end. */
export interface Turn {
  env: AggregateEnv;
  cursor: string;
  /** By the wall clock. A chore looks at it between steps; each step is whole. */
  untilMs: number;
}

export interface Chore {
  name: string;
  /** How long after a turn the next is due. */
  everyMs: number;
  /** Does what fits into the turn. Gives the cursor: not "" when something is left, and then the next tick goes on. */
  run(turn: Turn): Promise<string>;
}

/** Longest turn of a chore: a cron of less than an hour's interval has 30 s of CPU (Workers limits, 2026-11). */
const TURN_MS = 15_000;
/** A runner that has not come back this long after its turn's end is taken for dead. */
const LEASE_MS = 5 * 60_000;

/**
 * Gives each chore that is due a turn, one after another; `endMs`: all their turns end then, however long that is. A
 * chore that fails is logged and tried at the next tick; the others go on.
 */
export async function runChores(env: AggregateEnv, chores: readonly Chore[], endMs?: number): Promise<void> {
  for (const chore of chores) {
    try {
      await runChore(env, chore, endMs ?? wallMs() + TURN_MS);
    } catch (error) {
      console.error("chore failed; it is tried again", { chore: chore.name, error: String(error) });
    }
  }
}

async function runChore(env: AggregateEnv, { name, everyMs, run }: Chore, untilMs: number): Promise<void> {
  const now = wallMs();
  const leasedUntilMs = Math.max(now, untilMs) + LEASE_MS;
  const isHasty = env.CHORES === "always";
  const taken = await env.CONTROL.prepare(TAKE)
    .bind(name, isHasty ? Number.MAX_SAFE_INTEGER : now, now, leasedUntilMs)
    .first<{ cursor: string }>();
  if (taken === null) return;
  let cursor = taken.cursor;
  let dueAt = now;
  try {
    cursor = await run({ env, cursor, untilMs });
    dueAt = cursor === "" ? now + everyMs : now;
  } finally {
    await env.CONTROL.prepare(GIVE_BACK).bind(name, cursor, dueAt, leasedUntilMs).run();
  }
}

/** A chore that is due and that nobody is at; no row otherwise. */
const TAKE = `
  INSERT INTO chore (name, cursor, due_at, leased_until) VALUES (?1, '', 0, ?4)
  ON CONFLICT (name) DO UPDATE SET leased_until = ?4 WHERE due_at <= ?2 AND leased_until <= ?3
  RETURNING cursor`;
/** Only by the runner that has it: one that was taken for dead changes nothing. */
const GIVE_BACK =
  "UPDATE chore SET cursor = ?2, due_at = ?3, leased_until = 0 WHERE name = ?1 AND leased_until = ?4";
