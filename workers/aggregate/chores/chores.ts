// The cron: what has to be done again and again, each chore by one runner at a time, going on where it stopped.
import { wallMs } from "../../clock.ts";
import { logFailure } from "../../missing-migration.ts";
import { warmsOf } from "../../warm.ts";
import type { AggregateEnv } from "../env.ts";

/** One turn of a chore. */
export interface Turn {
  env: AggregateEnv;
  /** Where the last turn stopped, in the chore's own words; "": at the beginning. */
  cursor: string;
  /** When the turn should end, by the wall clock. A chore looks at it between steps; each step is whole. */
  untilMs: number;
}

/** Something the cron does again and again. */
export interface Chore {
  name: string;
  /** How long after a finished turn began the next is due. */
  everyMs: number;
  /**
   * Does what fits into the turn. Returns the next turn's cursor: "" when nothing is left, else the next tick goes on
   * with it.
   * @throws what it fails at; the next tick repeats the turn.
   */
  run(turn: Turn): Promise<string>;
}

/** Longest turn of a chore: a cron of less than an hour's interval has 30 s of CPU (Workers limits, 2026-11). */
const TURN_MS = 15_000;
/** A runner that has not come back this long after its turn's end is taken for dead. */
const LEASE_MS = 5 * 60_000;

/** How chores are run at one tick. */
export interface Round {
  /** When all turns end, by the wall clock; absent: each after 15 s. */
  endMs?: number;
  /** Whether all are due, whenever they had their last turn; absent: no. */
  areDue?: boolean;
}

/**
 * Runs each chore that is due and that no other runner is at, one after another. Never throws: a chore that fails is
 * logged and tried at the next tick, and the others go on.
 */
export async function runChores(
  env: AggregateEnv,
  chores: readonly Chore[],
  { endMs, areDue = false }: Round = {},
): Promise<void> {
  for (const chore of chores) {
    try {
      await runChore(env, chore, endMs ?? wallMs() + TURN_MS, areDue);
    } catch (error) {
      logFailure("error", "chore failed; it is tried again", { chore: chore.name }, error);
    }
  }
}

/**
 * Whether a job runs, a change of rules is to be pushed, or an hour is dirty: two reads and one a warm database.
 * @throws when D1 fails.
 */
export async function isSomethingWaiting(env: AggregateEnv): Promise<boolean> {
  const asked = [
    ...warmsOf(env).map((warm) => warm.prepare("SELECT 1 FROM dirty_hour LIMIT 1")),
    env.CONTROL.prepare("SELECT 1 FROM job WHERE status = 'running' LIMIT 1"),
    env.CONTROL.prepare("SELECT 1 FROM rules_push LIMIT 1"),
  ];
  return (await Promise.all(asked.map((statement) => statement.first()))).some((row) => row !== null);
}

async function runChore(
  env: AggregateEnv,
  { name, everyMs, run }: Chore,
  untilMs: number,
  isDue: boolean,
): Promise<void> {
  const now = wallMs();
  const leasedUntilMs = Math.max(now, untilMs) + LEASE_MS;
  const taken = await env.CONTROL.prepare(TAKE)
    .bind(name, isDue ? Number.MAX_SAFE_INTEGER : now, now, leasedUntilMs)
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
