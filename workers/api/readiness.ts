// GET /readyz: each thing this deployment needs, asked at once → whether it answers, and how far behind it is.
import { MINUTE_MS } from "../../core/time.ts";
import type { Dependency, ReadyAnswer } from "../../schemas/http.ts";
import { wallMs } from "../clock.ts";
import { logFailure, missingMigration } from "../missing-migration.ts";
import { readSettings } from "../tenant.ts";
import { warmsOf } from "../warm.ts";
import { withDeadline } from "../with-deadline.ts";
import type { ApiEnv } from "./env.ts";

const ANSWERS_MS = 2_000;
/** An isolate asks at most this often, however often it is asked. */
const KEPT_MS = 5_000;
/** A block that waits longer is sent again meanwhile. */
const QUEUE_BEHIND_MS = 15 * MINUTE_MS;
/** The cron ticks each minute, and a turn of its chores may take some. */
const CRON_BEHIND_MS = 10 * MINUTE_MS;
/** More dirty hours are not counted. */
const DIRTY_HOURS_MAX = 1_000;
/** The name of an object that is asked only for this: no tenant can have it. */
const NOBODY = "-ready";

/** How far behind something is that answered. */
type Behind = Pick<Dependency, "behindMs" | "waiting" | "isBehind">;
type Question = () => Promise<Behind>;

/** The last answer, by what the isolate is bound to. */
const kept = new WeakMap<ApiEnv, { answer: ReadyAnswer; untilMs: number }>();

/**
 * Returns whether each dependency answers within 2 s, by name, and how far behind it is. Asks them all at once; an answer
 * is kept for 5 s, so a health checker costs an isolate at most a row of D1 for each chore and dirty hour (a thousand a
 * warm database), two requests to objects, a look into R2 and one at each queue every 5 s. Never fails.
 */
export async function readReadiness(env: ApiEnv): Promise<ReadyAnswer> {
  const last = kept.get(env);
  if (last !== undefined && wallMs() < last.untilMs) return last.answer;
  // Who asks meanwhile gets the last answer: a promise of another request's must not be waited for.
  if (last !== undefined) last.untilMs = wallMs() + ANSWERS_MS;
  const asked = questionsOf(env).map(async ([name, isNeeded, question]) => {
    return [name, await askOne(name, isNeeded, question)] as const;
  });
  const dependencies = Object.fromEntries(await Promise.all(asked));
  const answer = { status: statusOf(Object.values(dependencies)), checkedAt: wallMs(), dependencies };
  kept.set(env, { answer, untilMs: wallMs() + KEPT_MS });
  return answer;
}

/** Returns what all together is: `unready` when one that is needed does not answer. */
function statusOf(dependencies: readonly Dependency[]): ReadyAnswer["status"] {
  if (dependencies.some(({ isNeeded, isOk }) => isNeeded && !isOk)) return "unready";
  return dependencies.every(({ isOk, isBehind }) => isOk && isBehind !== true) ? "ready" : "behind";
}

async function askOne(name: string, isNeeded: boolean, question: Question): Promise<Dependency> {
  const sinceMs = wallMs();
  try {
    const behind = await withDeadline(ANSWERS_MS, name, question());
    return { isOk: true, isNeeded, answeredInMs: wallMs() - sinceMs, ...behind };
  } catch (error) {
    logFailure("error", "a dependency is not ready", { name }, error);
    const why = missingMigration(error) === undefined ? "it does not answer" : "its migrations are missing";
    return { isOk: false, isNeeded, answeredInMs: wallMs() - sinceMs, error: why };
  }
}

/** What is asked of what. Needed is what nothing can be taken, stored or answered without. */
function questionsOf(env: ApiEnv): [name: string, isNeeded: boolean, question: Question][] {
  const questions: [string, boolean, Question][] = [
    ["control", true, () => answers(env.CONTROL.prepare("SELECT 1 FROM device LIMIT 1").run())],
    ["cron", false, () => readCron(env.CONTROL)],
    ["archive", true, () => answers(env.COLD.head(NOBODY))],
    ["devices", true, () => answers(env.DEVICE.getByName(`${NOBODY}/${NOBODY}`).newestAt())],
    ["tenants", true, () => answers(readSettings(env.TENANT, NOBODY))],
  ];
  for (const [number, warm] of warmsOf(env).entries())
    questions.push([`warm-${number}`, true, () => readDirty(warm)]);
  const queues = {
    rollups: env.ROLLUPS,
    notices: env.NOTICES,
    "rollups-dead": env.ROLLUPS_DEAD,
    "notices-dead": env.NOTICES_DEAD,
  };
  for (const [name, queue] of Object.entries(queues))
    if (queue !== undefined)
      questions.push([`queue-${name}`, false, () => readQueue(queue, name.endsWith("-dead"))]);
  return questions;
}

/** Of what can only answer or not. */
const answers = async (call: Promise<unknown>): Promise<Behind> => {
  await call;
  return {};
};

/** How many hours of zones wait to be computed: some always do. */
async function readDirty(warm: D1Database): Promise<Behind> {
  const waiting = await warm
    .prepare(`SELECT count(*) AS waiting FROM (SELECT 1 FROM dirty_hour LIMIT ${DIRTY_HOURS_MAX})`)
    .first<number>("waiting");
  return { waiting: waiting! };
}

/** How long ago the cron last began what it does each minute; `waiting`: chores that are long overdue. */
async function readCron(control: D1Database): Promise<Behind> {
  const { results } = await control
    .prepare("SELECT name, due_at, leased_until FROM chore")
    .all<{ name: string; due_at: number; leased_until: number }>();
  const now = wallMs();
  const overdue = results.map(({ name, due_at, leased_until }) => ({
    name,
    // One that was never done has no time yet.
    ms: leased_until > now || due_at === 0 ? 0 : Math.max(0, now - due_at),
  }));
  const behindMs = overdue.find(({ name }) => name === EACH_TICK)?.ms;
  if (behindMs === undefined) return { isBehind: true }; // it never ran
  const waiting = overdue.filter(({ ms }) => ms > CHORE_BEHIND_MS).length;
  return { behindMs, waiting, isBehind: behindMs > CRON_BEHIND_MS || waiting > 0 };
}

/** A chore of every tick: it is due again as soon as it was begun. */
const EACH_TICK = "push-rules";
/** The hourly chores are due from one hour to the next. */
const CHORE_BEHIND_MS = 3 * 60 * MINUTE_MS;

/** How much a queue has to deliver. Of dead letters none should be there, and how old they are says nothing. */
async function readQueue(queue: Queue, isDead: boolean): Promise<Behind> {
  const { backlogCount, oldestMessageTimestamp } = await queue.metrics();
  if (isDead) return { waiting: backlogCount, isBehind: backlogCount > 0 };
  const sinceMs = backlogCount === 0 ? 0 : Number(oldestMessageTimestamp ?? 0);
  const behindMs = sinceMs === 0 ? 0 : Math.max(0, wallMs() - sinceMs);
  return { waiting: backlogCount, behindMs, isBehind: behindMs > QUEUE_BEHIND_MS };
}
