// What the devices' objects still hold → sent to storage again, which takes it as new.
import { dateOf } from "../../../../core/archive/key.ts";
import { DAY_MS } from "../../../../core/time.ts";
import type { ReplaySpec } from "../../../../schemas/job.ts";
import { inLanes } from "../../../lanes.ts";
import { warmOf } from "../../../warm.ts";
import type { RunningJob, Step } from "../step.ts";
import { retainedOf } from "./replay-day.ts";

const DEVICES_A_PAGE = 200;
const DEVICES_AT_ONCE = 20;

/** PERSISTED in the job's cursor: devices up to `after` are done, and those up to `sent` have sent and are not stored yet. */
export interface DevicesCursor {
  after: string;
  sent: string | null;
}

type Replay = RunningJob<ReplaySpec>;

/**
 * Does one step of replaying devices' own blocks: for a page of devices, sets the rollups of blocks their objects
 * hold to a revision lower than any block's and has the blocks sent again; the next steps wait until storage has
 * taken them. Until then the rollups stay, so nothing is missing and nothing counts twice. The raw rows stored again
 * are those the archive has: readers take each once. Returns the next cursor; null when all devices are done.
 * @throws when D1 or an object fails: the step is made again.
 */
export async function replayDevices(
  job: Replay,
  { after, sent }: DevicesCursor,
): Promise<Step & { next: DevicesCursor | null }> {
  const devices = await devicesAfter(job, after, sent);
  const last = devices.at(-1);
  if (last === undefined) return { next: null, outcome: "more" };
  if (sent === null) {
    const blocks = await askDevices(devices, (device) => resend(job, device));
    const counts = { blocks: blocks.reduce((sum, count) => sum + count, 0) };
    return { next: { after, sent: last }, counts, outcome: "more" };
  }
  const waiting = await askDevices(devices, (device) => isUnderWay(job, device));
  if (waiting.includes(true)) return { next: { after, sent }, outcome: "wait" };
  return { next: { after: last, sent: null }, done: job.progress.done + devices.length, outcome: "more" };
}

/** The next page of the registry, or what is left of the page up to `through`. */
async function devicesAfter(
  { env, tenant }: Replay,
  after: string,
  through: string | null,
): Promise<string[]> {
  const { results } = await env.CONTROL.prepare(
    "SELECT device FROM device WHERE tenant = ?1 AND device > ?2 AND (?3 IS NULL OR device <= ?3) ORDER BY device LIMIT ?4",
  )
    .bind(tenant, after, through, DEVICES_A_PAGE)
    .all<{ device: string }>();
  return results.map(({ device }) => device);
}

async function resend(job: Replay, device: string): Promise<number> {
  const fromMs = await heldFromMs(job, device);
  if (fromMs === null) return 0;
  const { env, tenant } = job;
  const { endMs } = spanOf(job);
  await warmOf(env, tenant, device).prepare(LOWER).bind(tenant, device, fromMs, endMs).run();
  const object = env.DEVICE.getByName(`${tenant}/${device}`);
  let sent = 0;
  for (let afterMs: number | null = 0; afterMs !== null; ) {
    const page: { sent: number; nextMs: number | null } = await object.resend(fromMs, endMs, afterMs);
    sent += page.sent;
    afterMs = page.nextMs;
  }
  return sent;
}

/** Whether a block that was sent again is still to be stored; what the object has dropped since was stored before. */
async function isUnderWay(job: Replay, device: string): Promise<boolean> {
  const { env, tenant } = job;
  const { startMs, endMs } = spanOf(job);
  const newest = await warmOf(env, tenant, device)
    .prepare(NEWEST_LOWERED)
    .bind(tenant, device, startMs, endMs)
    .first<number | null>("newest");
  return newest !== null && newest >= ((await heldFromMs(job, device)) ?? Number.POSITIVE_INFINITY);
}

/**
 * From where on in the range the object has every block; null: it has nothing. Days that D1 has dropped are left
 * alone: an hour of them would be computed from what was sent again and nothing else. They are replayed from the
 * archive.
 */
async function heldFromMs(job: Replay, device: string): Promise<number | null> {
  const { startMs, endMs } = spanOf(job);
  const { hourlyFromMs } = await retainedOf(warmOf(job.env, job.tenant, device), job.tenant);
  if (hourlyFromMs >= endMs) return null;
  // Asks for no readings, only how far back they reach.
  const bounds = await job.env.DEVICE.getByName(`${job.tenant}/${device}`).readings("", startMs, startMs);
  return bounds === null ? null : Math.max(startMs, bounds.hotFromMs, hourlyFromMs);
}

/** The whole UTC days of the range. */
const spanOf = ({ spec }: Replay) => ({
  startMs: Date.parse(dateOf(spec.fromMs)),
  endMs: Date.parse(dateOf(spec.toMs - 1)) + DAY_MS,
});

const LOWER = `
  UPDATE rollup SET revision = 0
  WHERE tenant = ?1 AND device = ?2 AND start_ms >= ?3 AND start_ms < ?4 AND revision <> 0`;
const NEWEST_LOWERED = `
  SELECT max(start_ms) AS newest FROM rollup
  WHERE tenant = ?1 AND device = ?2 AND start_ms >= ?3 AND start_ms < ?4 AND revision = 0`;

/** The answers of the devices, in their order. @throws what one of them threw. */
async function askDevices<T>(devices: readonly string[], ask: (device: string) => Promise<T>): Promise<T[]> {
  const answers: T[] = [];
  await inLanes(devices, DEVICES_AT_ONCE, async (device, index) => {
    answers[index] = await ask(device);
  });
  return answers;
}
