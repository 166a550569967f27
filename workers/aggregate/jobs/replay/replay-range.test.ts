import { env } from "cloudflare:test";
import { afterEach, expect, it, vi } from "vitest";
import { encodeBlock } from "../../../../core/block/encode.ts";
import type { JobAnswer } from "../../../../schemas/job.ts";
import type { BlockMessage } from "../../../../schemas/message.ts";
import { createDeletion, createJob, readJob, resumeJob, stopJob } from "../../../jobs.ts";
import { changeSettings } from "../../../tenant.ts";
import { HOUR_MS, KeptQueue, packed } from "../../../test-support.ts";
import { type ArchivedFile, FILE_COLUMNS, mergeFiles } from "../../archive/merge-files.ts";
import { exportHours } from "../../chores/export-hours.ts";
import { retain } from "../../chores/retain.ts";
import {
  bucketOf,
  deliver,
  finished,
  hastyEnv,
  instead,
  rowsIn,
  tick,
  turn,
  warmTablesOf,
} from "../jobs-test-support.ts";
import { runJobs } from "../run-jobs.ts";
import { replayDay } from "./replay-day.ts";
import { replayRange } from "./replay-range.ts";

vi.setConfig({ testTimeout: 60_000 });

const DAY = Date.UTC(2026, 10, 20);
const MINUTE_MS = 60_000;

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const replayOf = (
  tenant: string,
  source: "archive" | "blocks" = "archive",
  fromMs = DAY,
  toMs = DAY + 48 * HOUR_MS,
) => createJob(env.CONTROL, tenant, "replay", { fromMs, toMs, source }, Date.now());

type Points = Record<string, [at: number, value: number][]>;

const blockOf = (
  tenant: string,
  device: string,
  [startMs, endMs]: [number, number],
  metrics: Points,
  revision = 1,
  zone = "default",
): BlockMessage => {
  const columns = Object.entries(metrics).map(([metric, points]) => ({
    metric,
    at: points.map(([at]) => at),
    value: points.map(([, value]) => value),
  }));
  const block = encodeBlock({ startMs, endMs, columns });
  return { version: 1, tenant, device, startMs, endMs, revision, generation: 0, zone, block };
};

/** A reading a minute, with decimals whose sums show every lost digit. */
const minutes = (startMs: number, count: number, factor = 0.1): [number, number][] =>
  Array.from({ length: count }, (_, i) => [startMs + i * MINUTE_MS, (i + 1) * factor]);

/** Late data, corrections, cut blocks, blocks of 6 h and of 15 min, three zones, two days. */
async function fill(tenant: string): Promise<void> {
  const hour: [number, number] = [DAY + 10 * HOUR_MS, DAY + 11 * HOUR_MS];
  const quarter = (i: number): [number, number] => [DAY + i * 15 * MINUTE_MS, DAY + (i + 1) * 15 * MINUTE_MS];
  await deliver(
    blockOf(tenant, "hourly", hour, { b: minutes(hour[0], 60), a: minutes(hour[0], 50, 1 / 3) }),
    blockOf(
      tenant,
      "slow",
      [DAY, DAY + 6 * HOUR_MS],
      { a: minutes(DAY + 59 * MINUTE_MS, 300, 0.7) },
      1,
      "north",
    ),
    blockOf(tenant, "cut", hour, { a: minutes(hour[0], 60) }, 1, "south"),
  );
  await deliver(
    ...[0, 1, 2, 3, 4].map((i) =>
      blockOf(tenant, "quick", quarter(i), { a: minutes(quarter(i)[0], 15, 1e9 + 0.1) }),
    ),
  );
  // Late and corrected, at a higher revision.
  const late: [number, number][] = [...minutes(hour[0], 60), [hour[0] + 3_599_000, -7.25]];
  late[0] = [hour[0], 99.5];
  await deliver(
    blockOf(tenant, "hourly", hour, { b: late, a: minutes(hour[0], 50, 1 / 3), c: [[hour[0], -0]] }, 2),
  );
  // Grown too large and cut in two.
  const middle = hour[0] + 30 * MINUTE_MS;
  await deliver(
    blockOf(tenant, "cut", [hour[0], middle], { a: minutes(hour[0], 30, 0.2) }, 2, "south"),
    blockOf(tenant, "cut", [middle, hour[1]], { a: minutes(middle, 30, 0.3) }, 2, "south"),
  );
  const next: [number, number] = [DAY + 24 * HOUR_MS, DAY + 25 * HOUR_MS];
  await deliver(blockOf(tenant, "hourly", next, { a: minutes(next[0], 7) }));
  for (const device of ["hourly", "slow", "cut", "quick"]) {
    const zone = device === "slow" ? "north" : device === "cut" ? "south" : "default";
    await env.CONTROL.prepare("INSERT INTO device (tenant, device, zone, created_at) VALUES (?, ?, ?, 0)")
      .bind(tenant, device, zone)
      .run();
  }
  await tick();
}

const run = (query: string, tenant: string) => env.WARM_0.prepare(query).bind(tenant).run();

/** Rollups lost, altered, doubled and moved; hours lost, altered and made up. */
async function corrupt(tenant: string): Promise<void> {
  await run("DELETE FROM rollup WHERE tenant = ? AND device IN ('hourly', 'slow')", tenant);
  await run(
    "UPDATE rollup SET revision = 77, end_ms = end_ms + 1, summaries = '{}' WHERE tenant = ? AND device = 'quick'",
    tenant,
  );
  await run(
    `DELETE FROM rollup WHERE tenant = ? AND device = 'cut' AND start_ms = ${DAY + 10 * HOUR_MS}`,
    tenant,
  );
  await run(
    `INSERT INTO rollup SELECT tenant, device, start_ms + 3600000, end_ms + 3600000, 1, summaries, zone
     FROM rollup WHERE tenant = ? AND device = 'cut'`,
    tenant,
  );
  await run("UPDATE zone_hour SET readings = 1 WHERE tenant = ? AND zone = ''", tenant);
  await run("UPDATE zone_hour SET metrics = '{}' WHERE tenant = ? AND zone = 'north'", tenant);
  await run("DELETE FROM zone_hour WHERE tenant = ? AND zone = 'south'", tenant);
  await run(
    `INSERT INTO zone_hour SELECT tenant, zone, hour_ms + 13 * 3600000, devices, readings, metrics
     FROM zone_hour WHERE tenant = ? AND zone = 'default' AND hour_ms = ${DAY + HOUR_MS}`,
    tenant,
  );
}

const filesOf = async (tenant: string) =>
  (
    await env.WARM_0.prepare(
      `SELECT ${FILE_COLUMNS} FROM archive_file WHERE tenant = ? AND replaced_at IS NULL ORDER BY date`,
    )
      .bind(tenant)
      .all<ArchivedFile>()
  ).results;

it("[S18] from the archive come the same rollups and the same hours, to the last digit, whatever D1 had instead", async () => {
  await fill("same");
  const before = await warmTablesOf("same");
  expect([before.rollups.length, before.hours.length, before.dirty]).toEqual([10, 19, []]);
  await corrupt("same");
  const { id } = await replayOf("same", "archive", DAY + 5 * HOUR_MS, DAY + 24 * HOUR_MS + 1);
  const job = await finished("same", id);
  expect(job).toMatchObject({
    status: "done",
    progress: {
      phase: "done",
      done: 2,
      total: 2,
      counts: { rollups: 10, readings: 60 + 50 + 1 + 1 + 300 + 60 + 75 + 7 },
    },
  });
  expect(await warmTablesOf("same")).toEqual(before);
});

it("[S18] the same from compacted files", async () => {
  await fill("merged");
  const before = await warmTablesOf("merged");
  const files = (await filesOf("merged")).filter(({ date }) => date === "2026-11-20");
  expect(files.length).toBeGreaterThan(3);
  expect(await mergeFiles(env.WARM_0, env.COLD, files)).toBe(true);
  await corrupt("merged");
  await finished("merged", (await replayOf("merged")).id);
  expect(await warmTablesOf("merged")).toEqual(before);
});

it("[S18] a replay of what is right changes nothing, and days beside the range are left alone", async () => {
  await fill("right");
  const before = await warmTablesOf("right");
  const manifest = await rowsIn("right", "SELECT * FROM archive_file WHERE tenant = ?");
  await finished("right", (await replayOf("right")).id);
  expect(await warmTablesOf("right")).toEqual(before);
  expect(await rowsIn("right", "SELECT * FROM archive_file WHERE tenant = ?")).toEqual(manifest);
  await run("DELETE FROM rollup WHERE tenant = ?", "right");
  await finished("right", (await replayOf("right", "archive", DAY + 24 * HOUR_MS, DAY + 25 * HOUR_MS)).id);
  expect((await warmTablesOf("right")).rollups).toEqual(
    before.rollups.filter(({ start_ms }) => Number(start_ms) >= DAY + 24 * HOUR_MS),
  );
});

it("[S18] where D1 has forgotten the zone of a block, it counts where the registry has its device", async () => {
  await fill("zones");
  await run("DELETE FROM rollup WHERE tenant = ?", "zones");
  await env.CONTROL.prepare(
    "UPDATE device SET zone = 'moved' WHERE tenant = 'zones' AND device = 'slow'",
  ).run();
  await finished("zones", (await replayOf("zones")).id);
  const zones = await rowsIn(
    "zones",
    "SELECT DISTINCT device, zone FROM rollup WHERE tenant = ? ORDER BY device",
  );
  expect(zones.map(({ zone }) => zone)).toEqual(["south", "default", "default", "moved"]);
});

it("[S18] a block stored while its day is replayed is not lost: the day is read again", async () => {
  vi.spyOn(console, "error").mockImplementation(() => undefined);
  await fill("meanwhile");
  const hour: [number, number] = [DAY + 10 * HOUR_MS, DAY + 11 * HOUR_MS];
  const third = blockOf("meanwhile", "hourly", hour, { b: minutes(hour[0], 60, 5) }, 3);
  let reads = 0;
  const get = async (key: string, options?: R2GetOptions) => {
    if (key.includes("tenant=meanwhile") && ++reads === 3) await deliver(third);
    return await env.COLD.get(key, options);
  };
  const raced = { ...hastyEnv, COLD: instead(env.COLD, { get }) };
  await finished("meanwhile", (await replayOf("meanwhile")).id, raced);
  const rows = await rowsIn(
    "meanwhile",
    `SELECT revision FROM rollup WHERE tenant = ? AND device = 'hourly' AND start_ms = ${hour[0]}`,
  );
  expect(rows).toEqual([{ revision: 3 }]);
  const replayed = await warmTablesOf("meanwhile");
  await run("DELETE FROM rollup WHERE tenant = ?", "meanwhile");
  await finished("meanwhile", (await replayOf("meanwhile", "archive", DAY, DAY + 48 * HOUR_MS)).id);
  expect(await warmTablesOf("meanwhile")).toEqual(replayed);
});

it("[S18] [S17] a replay does not bring back a device that is being deleted", async () => {
  await fill("dying");
  const { id } = await createDeletion(
    env.CONTROL,
    "dying",
    { device: "quick", generation: Date.now() },
    Date.now(),
  );
  await runJobs({ ...turn(), untilMs: Date.now() + MINUTE_MS });
  await env.CONTROL.prepare("UPDATE job SET status = 'stopped' WHERE id = ?").bind(id).run();
  await env.WARM_0.prepare("UPDATE tombstone SET finished_at = NULL WHERE tenant = 'dying'").run();
  await deliver(
    blockOf("dying", "hourly", [DAY + 12 * HOUR_MS, DAY + 13 * HOUR_MS], {
      a: minutes(DAY + 12 * HOUR_MS, 3),
    }),
  );
  await finished("dying", (await replayOf("dying")).id);
  expect(await rowsIn("dying", "SELECT DISTINCT device FROM rollup WHERE tenant = ?")).toHaveLength(3);
});

it("[S18] [S19] stopped, resumed, and broken off in every step, it ends the same", async () => {
  vi.spyOn(console, "error").mockImplementation(() => undefined);
  await fill("broken");
  const before = await warmTablesOf("broken");
  await corrupt("broken");
  const { id } = await replayOf("broken", "archive", DAY, DAY + 48 * HOUR_MS);
  let saves = 0;
  const prepare = (query: string) => {
    if (query.includes("UPDATE job SET updated_at") && ++saves % 2 === 1) throw new Error("killed");
    return env.CONTROL.prepare(query);
  };
  const dying = { ...hastyEnv, CONTROL: instead(env.CONTROL, { prepare }) };
  for (let i = 0; i < 6; i++) await runJobs(turn(dying)).catch(() => undefined);
  await stopJob(env.CONTROL, "broken", id);
  const { progress } = (await readJob(env.CONTROL, "broken", id))!;
  for (let i = 0; i < 3; i++) await tick();
  expect((await readJob(env.CONTROL, "broken", id))!).toMatchObject({ status: "stopped", progress });
  await resumeJob(env.CONTROL, "broken", id);
  for (let i = 0; i < 6; i++) await tick(dying).catch(() => undefined);
  expect(await finished("broken", id)).toMatchObject({ status: "done", progress: { done: 2 } });
  expect(await warmTablesOf("broken")).toEqual(before);
});

it("[S18] days whose files the archive may have begun to delete are left alone", async () => {
  await fill("kept");
  const before = await warmTablesOf("kept");
  await changeSettings(env.TENANT, "kept", { retention: { rawDays: 1, hourlyDays: 365, archiveDays: 2 } });
  vi.useFakeTimers({ toFake: ["Date"], now: DAY + 30 * 24 * HOUR_MS });
  await env.COLD.delete([...(await bucketOf("kept")).keys()][0]!);
  const job = await finished("kept", (await replayOf("kept")).id);
  expect(job).toMatchObject({ status: "done", progress: { done: 0, total: 0 } });
  expect(await warmTablesOf("kept")).toEqual(before);
});

/** Days later, when D1 has given up the rollups of both days, and the hours of zones are still there. */
async function expire(tenant: string): Promise<void> {
  vi.useFakeTimers({ toFake: ["Date"], now: DAY + 10 * 24 * HOUR_MS });
  await changeSettings(env.TENANT, tenant, { latenessHorizonMs: HOUR_MS, retention: RETENTION });
  await exportHours(turn());
  await retain(turn());
  expect((await warmTablesOf(tenant)).rollups).toEqual([]);
}
const RETENTION = { rawDays: 1, hourlyDays: 1, archiveDays: null };

it("[S18] [S16] days that D1 has given up come back whole, their hours in the zones of then, and leave again", async () => {
  await fill("expired");
  const before = await warmTablesOf("expired");
  await expire("expired");
  expect((await warmTablesOf("expired")).hours).toEqual(before.hours);
  await env.CONTROL.prepare("UPDATE device SET zone = 'moved' WHERE tenant = 'expired'").run();
  await run(
    "UPDATE zone_hour SET readings = 1, metrics = '{}' WHERE tenant = ? AND zone <> 'south'",
    "expired",
  );
  await finished("expired", (await replayOf("expired")).id);
  expect(await warmTablesOf("expired")).toEqual(before);
  await exportHours(turn());
  await retain(turn());
  expect(await warmTablesOf("expired")).toEqual({ ...before, rollups: [] });
});

it("[S18] [S16] a day of which retention took something again before it was whole is begun anew", async () => {
  await fill("retaken");
  const before = await warmTablesOf("retaken");
  await expire("retaken");
  const day = { number: 0, tenant: "retaken", date: "2026-11-20" };
  const { next: begun } = await replayDay(hastyEnv, day, null);
  await run("UPDATE retained SET rollups_deleted = rollups_deleted + 1 WHERE tenant = ?", "retaken");
  const { next: again } = await replayDay(hastyEnv, day, begun);
  expect(again).toEqual({ ...begun, deleted: begun!.deleted + 1 });
  expect((await warmTablesOf("retaken")).dirty).toEqual([]);
  expect((await replayDay(hastyEnv, day, again)).next).toBeNull();
  await tick();
  expect((await warmTablesOf("retaken")).hours).toEqual(before.hours);
});

it("[S18] [S16] a day that retention takes for the first time while it is replayed is begun anew, and its hours are whole", async () => {
  await fill("overtaken");
  const before = await warmTablesOf("overtaken");
  const day = { number: 0, tenant: "overtaken", date: "2026-11-20" };
  const { next: begun } = await replayDay(hastyEnv, day, null);
  let taken = false;
  const batch = async (statements: D1PreparedStatement[]) => {
    const results = await env.WARM_0.batch(statements);
    if (!taken) {
      taken = true;
      await run("DELETE FROM rollup WHERE tenant = ? AND device <> 'quick'", "overtaken");
      await env.WARM_0.prepare(
        "INSERT INTO retained (tenant, hourly_from_ms, rollups_deleted, files_deleted, bytes_deleted) VALUES (?, ?, 5, 0, 0)",
      )
        .bind("overtaken", DAY + 24 * HOUR_MS)
        .run();
    }
    return results;
  };
  const raced = { ...hastyEnv, WARM_0: instead(env.WARM_0, { batch }) };
  let { next } = await replayDay(raced, day, begun);
  expect(taken).toBe(true);
  expect(next).not.toBeNull();
  while (next !== null) ({ next } = await replayDay(hastyEnv, day, next));
  await tick();
  expect((await warmTablesOf("overtaken")).hours).toEqual(before.hours);
});

it("[S18] [S16] days that came back and are kept by now do not count as restored", async () => {
  await fill("raised");
  await expire("raised");
  await changeSettings(env.TENANT, "raised", { retention: { ...RETENTION, hourlyDays: 365 } });
  const job = await finished("raised", (await replayOf("raised")).id);
  expect(job).toMatchObject({ status: "done", progress: { counts: { rollups: 10, restored: 0 } } });
});

it("[S18] [S19] a replay that retention does not follow waits for a day of ticks, and then says what to do", async () => {
  const { id, spec, createdAt } = (await replayOf("stuck")) as JobAnswer & { kind: "replay" };
  const counts = { restored: 500_001 };
  const progress = { phase: "days", done: 1, total: 3, counts };
  const job = { env: hastyEnv, tenant: "stuck", id, createdAt, spec, progress };
  const at = { at: "days", number: 0, date: "2026-11-20", day: "done", deletedBefore: 0 };
  expect(await replayRange({ ...job, cursor: at })).toEqual({ cursor: { ...at, waits: 1 }, outcome: "wait" });
  const last = { ...at, waits: 1_440 };
  await expect(replayRange({ ...job, cursor: last })).rejects.toThrow(
    /500001 rollups .* retention\.hourlyDays/,
  );
  expect(await replayRange({ ...job, cursor: { ...last, deletedBefore: -1 } })).toMatchObject({
    outcome: "more",
  });
});

it("[S18] from the devices' blocks come the same rollups and hours", async () => {
  const device = env.DEVICE.getByName("blocks/d1");
  const queue = await new KeptQueue().into(device);
  const start = (Math.floor(Date.now() / HOUR_MS / 24) - 2) * 24 * HOUR_MS;
  const reports = (from: number, count: number) =>
    packed(
      ...minutes(from, count).map(([at, value]): [number, Record<string, number>] => [
        at,
        { a: value, b: -value },
      ]),
    );
  await device.report(reports(start, 900), Date.now());
  await vi.waitFor(async () =>
    expect(await rowsIn("blocks", "SELECT 1 FROM device WHERE tenant = ?", env.CONTROL)).toHaveLength(1),
  );
  await device.seal();
  for (const message of queue.sent.splice(0)) await deliver(message);
  await device.report(packed([start + 5_000, { a: 4 }], [start, { a: 5 }]), Date.now());
  await device.seal();
  await deliver(...queue.sent.splice(0));
  await tick();
  const before = await warmTablesOf("blocks");
  expect(before.rollups.length).toBeGreaterThan(2);
  await run("UPDATE rollup SET summaries = '{}' WHERE tenant = ?", "blocks");
  await run(
    `DELETE FROM rollup WHERE tenant = ? AND start_ms = ${before.rollups[1]!.start_ms as number}`,
    "blocks",
  );
  await run("DELETE FROM zone_hour WHERE tenant = ? AND zone = ''", "blocks");

  const { id } = await replayOf("blocks", "blocks", start, Date.now());
  for (let i = 0; i < 2; i++) await tick();
  expect(await readJob(env.CONTROL, "blocks", id)).toMatchObject({
    status: "running",
    progress: { phase: "devices", done: 0, total: 1, counts: { blocks: before.rollups.length } },
  });
  expect(queue.sent).toHaveLength(before.rollups.length);
  await deliver(...queue.sent);
  expect(await finished("blocks", id)).toMatchObject({ status: "done", progress: { done: 1 } });
  await tick();
  expect(await warmTablesOf("blocks")).toEqual(before);
  expect(await device.seal()).toEqual({ sealed: 0, pending: 0 });
});

it("[S18] [S16] from the devices' blocks, days that D1 has given up are left alone", async () => {
  const device = env.DEVICE.getByName("clipped/d1");
  const queue = await new KeptQueue().into(device);
  const start = (Math.floor(Date.now() / HOUR_MS / 24) - 2) * 24 * HOUR_MS;
  const days = [start, start + 24 * HOUR_MS];
  await device.report(
    packed(...days.map((at): [number, Record<string, number>] => [at, { a: 1 }])),
    Date.now(),
  );
  await vi.waitFor(async () =>
    expect(await rowsIn("clipped", "SELECT 1 FROM device WHERE tenant = ?", env.CONTROL)).toHaveLength(1),
  );
  await device.seal();
  await deliver(...queue.sent.splice(0));
  await tick();
  await run(`DELETE FROM rollup WHERE tenant = ? AND start_ms < ${days[1]}`, "clipped");
  await env.WARM_0.prepare(
    "INSERT INTO retained (tenant, hourly_from_ms, rollups_deleted, files_deleted, bytes_deleted) VALUES ('clipped', ?, 1, 0, 0)",
  )
    .bind(days[1])
    .run();
  const before = await warmTablesOf("clipped");
  const { id } = await replayOf("clipped", "blocks", start, Date.now());
  for (let i = 0; i < 2; i++) await tick();
  const sent = queue.sent.splice(0) as BlockMessage[];
  expect(sent.map(({ startMs }) => startMs >= days[1]!)).toEqual([true]);
  await deliver(...sent);
  expect(await finished("clipped", id)).toMatchObject({
    status: "done",
    progress: { counts: { blocks: 1 } },
  });
  await tick();
  expect(await warmTablesOf("clipped")).toEqual(before);
});

it("[S18] a device nobody heard of, and one whose object holds nothing, cost a replay from blocks nothing", async () => {
  await env.CONTROL.prepare(
    "INSERT INTO device (tenant, device, zone, created_at) VALUES ('silent', 'd1', 'default', 0)",
  ).run();
  expect(await finished("silent", (await replayOf("silent", "blocks")).id)).toMatchObject({
    status: "done",
    progress: { done: 1, total: 1, counts: { blocks: 0 } },
  });
});
