import { env } from "cloudflare:test";
import { afterEach, expect, it, vi } from "vitest";
import { rawColumns } from "../../../../core/archive/raw-rows.ts";
import { PartBuilder } from "../../../../core/job/import-part.ts";
import { unpackZoneMetrics } from "../../../../core/window/zone-hour.ts";
import type { BlockMessage } from "../../../../schemas/message.ts";
import { endLife } from "../../../end-life.ts";
import { partKey, readEntries } from "../../../import-parts.ts";
import { createDeletion, createJob, readJob, resumeJob } from "../../../jobs.ts";
import { changeSettings } from "../../../tenant.ts";
import {
  blockMessageOf,
  HOUR_MS,
  held,
  KeptQueue,
  packed,
  rowsOnceKnown,
  T0,
} from "../../../test-support.ts";
import { type ArchivedFile, FILE_COLUMNS, mergeFiles } from "../../archive/merge-files.ts";
import { encodeParquet } from "../../archive/write-archive.ts";
import { computeZoneHours } from "../../chores/compute-zone-hours.ts";
import { deleteReplaced } from "../../chores/delete-replaced.ts";
import { exportHours } from "../../chores/export-hours.ts";
import { retain } from "../../chores/retain.ts";
import { bucketOf, deliver, hastyEnv, instead, rowsIn, tick, turn } from "../jobs-test-support.ts";
import { runJobs } from "../run-jobs.ts";
import { deleteDevice } from "./delete-device.ts";

vi.setConfig({ testTimeout: 60_000 });

const MINUTE_MS = 60_000;

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

let now = Date.UTC(2026, 10, 22, 9);
const deletionOf = (tenant: string, device: string) =>
  createDeletion(env.CONTROL, tenant, { device, generation: ++now }, Date.now());
const shown = async (tenant: string, id: string) => (await readJob(env.CONTROL, tenant, id))!;

/** Deletes a device and gives the job, which must be done. */
async function deleted(tenant: string, device: string) {
  const { id } = await deletionOf(tenant, device);
  for (let i = 0; i < 3; i++) await tick();
  const job = await shown(tenant, id);
  expect(job).toMatchObject({ status: "done", error: null });
  return job;
}

const points = (startMs: number, values: number[]): [number, number][] =>
  values.map((value, i) => [startMs + i * 1_000, value]);

/** Blocks of three devices over three hours; all of them in one file an hour. */
const hoursOf = (tenant: string, startMs = T0): BlockMessage[][] =>
  [0, 1, 2].map((hour) =>
    ["d1", "d2", "d3"].map((device, i) =>
      blockMessageOf(tenant, device, startMs + hour * HOUR_MS, {
        a: points(startMs + hour * HOUR_MS, [i, 10 * hour]),
      }),
    ),
  );

async function rowsByDevice(tenant: string): Promise<Record<string, number>> {
  const sums: Record<string, number> = {};
  for (const devices of (await bucketOf(tenant)).values())
    for (const [device, rows] of Object.entries(devices)) sums[device] = (sums[device] ?? 0) + rows;
  return sums;
}

async function register(tenant: string, devices: string[]): Promise<void> {
  for (const device of devices) {
    await env.CONTROL.prepare(
      "INSERT INTO device (tenant, device, zone, created_at, first_seen_at) VALUES (?, ?, 'default', 0, 0)",
    )
      .bind(tenant, device)
      .run();
  }
}

const live = async (tenant: string) =>
  (
    await env.WARM_0.prepare(
      `SELECT ${FILE_COLUMNS} FROM archive_file WHERE tenant = ? AND replaced_at IS NULL`,
    )
      .bind(tenant)
      .all<ArchivedFile>()
  ).results;

it("[S17] a deleted device is in no rollup, no aggregate, no file and not in the registry, and the others are whole", async () => {
  vi.useFakeTimers({ toFake: ["Date"], now: T0 + 4 * HOUR_MS }); // the day is not settled: no hourly files yet
  await register("whole", ["d1", "d2", "d3"]);
  for (const hour of hoursOf("whole")) await deliver(...hour);
  await tick();
  await exportHours(turn());
  expect(await rowsByDevice("whole")).toMatchObject({ d1: 6, d2: 6, d3: 6 });

  const job = await deleted("whole", "d2");
  expect(job.progress).toMatchObject({
    phase: "done",
    counts: { rollups: 3, files: 3, rows: 6 },
  });
  expect(await rowsByDevice("whole")).toEqual({ d1: 6, d3: 6 });
  expect(
    await rowsIn("whole", "SELECT device, count(*) AS n FROM rollup WHERE tenant = ? GROUP BY device"),
  ).toEqual([
    { device: "d1", n: 3 },
    { device: "d3", n: 3 },
  ]);
  const hours = await rowsIn(
    "whole",
    "SELECT zone, devices, readings, metrics FROM zone_hour WHERE tenant = ?",
  );
  expect(hours).toHaveLength(6);
  for (const [i, { zone, devices, readings, metrics }] of hours.entries()) {
    expect([zone, devices, readings]).toEqual([i < 3 ? "" : "default", 2, 4]);
    expect(unpackZoneMetrics(metrics as string).metrics.get("a")).toMatchObject({
      devices: 2,
      summary: { count: 4 },
    });
  }
  const registered = await rowsIn("whole", "SELECT device FROM device WHERE tenant = ?", env.CONTROL);
  expect(registered).toEqual([{ device: "d1" }, { device: "d3" }]);
  const tombstones = await rowsIn("whole", "SELECT device, finished_at FROM tombstone WHERE tenant = ?");
  expect(tombstones).toEqual([{ device: "d2", finished_at: expect.any(Number) }]);
});

it("[S17] the manifest names what the bucket has, and nothing of the deletion's own is left", async () => {
  for (const hour of hoursOf("manifest")) await deliver(...hour);
  await deleted("manifest", "d1");
  const named = await rowsIn(
    "manifest",
    "SELECT key, row_count FROM archive_file WHERE tenant = ? AND replaced_at IS NULL",
  );
  const bucket = await bucketOf("manifest");
  expect(named.map(({ key }) => key).toSorted()).toEqual([...bucket.keys()].toSorted());
  for (const { key, row_count } of named)
    expect(Object.values(bucket.get(key as string)!).reduce((a, b) => a + b)).toBe(row_count);
});

it("[S17] files that others replaced and that wait for their grace to end are gone at once", async () => {
  for (const hour of hoursOf("grace")) await deliver(...hour);
  const before = await live("grace");
  expect(await mergeFiles(env.WARM_0, env.COLD, before)).toBe(true);
  expect((await bucketOf("grace")).size).toBe(4);
  await deleted("grace", "d3");
  expect([...(await bucketOf("grace")).values()]).toEqual([{ d1: 6, d2: 6 }]);
});

it("[S17] hours already in hourly files go too, and the days are exported again", async () => {
  const yesterday = T0 - 24 * HOUR_MS;
  vi.useFakeTimers({ toFake: ["Date"], now: T0 + 48 * HOUR_MS });
  for (const hour of hoursOf("hourly", yesterday)) await deliver(...hour);
  await tick();
  await exportHours(turn());
  const hourly = async () =>
    [...(await bucketOf("hourly"))]
      .filter(([key]) => key.startsWith("hourly/"))
      .map(([, devices]) => devices);
  expect(await hourly()).toEqual([{ d1: 3, d2: 3, d3: 3 }]);
  await deleted("hourly", "d2");
  expect(await hourly()).toEqual([{ d1: 3, d3: 3 }]);
  vi.setSystemTime(T0 + 49 * HOUR_MS);
  await exportHours(turn());
  expect(await hourly()).toEqual([
    { d1: 3, d3: 3 },
    { d1: 3, d3: 3 },
  ]);
});

it("[S17] [S16] the hours of zones and fleet of days that D1 has given up are computed without the device too", async () => {
  vi.useFakeTimers({ toFake: ["Date"], now: T0 + 10 * 24 * HOUR_MS });
  await register("past", ["d1", "d2", "d3"]);
  for (const hour of hoursOf("past")) await deliver(...hour);
  await tick();
  await changeSettings(env.TENANT, "past", {
    latenessHorizonMs: HOUR_MS,
    retention: { rawDays: 1, hourlyDays: 1, archiveDays: null },
  });
  const keep = async () => {
    await exportHours(turn());
    await retain(turn());
    expect(await rowsIn("past", "SELECT 1 FROM rollup WHERE tenant = ?")).toEqual([]);
  };
  await keep();
  const hours = () => rowsIn("past", "SELECT devices, readings FROM zone_hour WHERE tenant = ?");
  expect(await hours()).toEqual(Array(6).fill({ devices: 3, readings: 6 }));
  const job = await deleted("past", "d2");
  expect(job.progress.counts).toMatchObject({ restored: 6, files: 4 });
  expect(await hours()).toEqual(Array(6).fill({ devices: 2, readings: 4 }));
  vi.setSystemTime(Date.now() + 5 * MINUTE_MS); // just after a deletion nothing is exported
  await keep();
  expect(await hours()).toEqual(Array(6).fill({ devices: 2, readings: 4 }));
});

it("[S17] a message of the old life that comes afterwards is confirmed and stored nowhere", async () => {
  const messages = hoursOf("late").flat();
  await deliver(...messages);
  await deleted("late", "d2");
  expect(await deliver(...messages)).toEqual({ acknowledged: 9, retried: 0 });
  const later = blockMessageOf("late", "d2", T0 + 5 * HOUR_MS, { a: [[T0 + 5 * HOUR_MS, 1]] });
  expect(await deliver(later)).toEqual({ acknowledged: 1, retried: 0 });
  expect(await rowsByDevice("late")).toEqual({ d1: 6, d3: 6 });
  expect(await rowsIn("late", "SELECT 1 FROM rollup WHERE tenant = ? AND device = 'd2'")).toEqual([]);
});

it("[S17] [D24] the object forgets, and what it is told afterwards is a new life that is stored and kept", async () => {
  const device = env.DEVICE.getByName("alive/d1");
  const queue = await new KeptQueue().into(device);
  await device.report(packed([T0, { a: 1 }], [T0 + 1_000, { a: 2 }]), T0);
  await rowsOnceKnown(device);
  await device.seal();
  await deliver(...queue.sent.splice(0));
  const { id } = await deletionOf("alive", "d1");
  await runJobs({ ...turn(), untilMs: Date.now() + MINUTE_MS });
  expect(await device.latest()).toBeNull();

  // While the hours are still to be computed, the same instants are reported again, with other values.
  await device.report(packed([T0, { a: 10 }], [T0 + 2_000, { a: 20 }]), T0);
  await device.seal();
  expect(queue.sent).toMatchObject([{ startMs: expect.any(Number), revision: 1 }]);
  expect(queue.sent[0]!.generation).toBeGreaterThan(now);
  expect(await deliver(...queue.sent)).toEqual({ acknowledged: 1, retried: 0 });
  for (let i = 0; i < 3; i++) await tick();
  expect((await shown("alive", id)).status).toBe("done");
  expect(await rowsByDevice("alive")).toEqual({ d1: 2 });
  expect(await held(device, "a")).toEqual([
    [T0, 10],
    [T0 + 2_000, 20],
  ]);
  const [hour] = await rowsIn(
    "alive",
    "SELECT readings FROM zone_hour WHERE tenant = ? AND zone = 'default'",
  );
  expect(hour).toEqual({ readings: 2 });
  await vi.waitFor(async () =>
    expect(await rowsIn("alive", "SELECT device FROM device WHERE tenant = ?", env.CONTROL)).toHaveLength(1),
  );
});

it("[D28] [S31] what is taken before, between and after the steps of the job is kept, in whatever step it comes", async () => {
  for (const hour of hoursOf("ordered")) await deliver(...hour);
  const device = env.DEVICE.getByName("ordered/d2");
  await device.report(packed([T0, { a: 1 }]), T0);
  await rowsOnceKnown(device);
  const queue = await new KeptQueue().into(device);
  await device.seal();
  const job = await deletionOf("ordered", "d2");
  await endLife(hastyEnv, "ordered", job.spec); // the answer is 202

  const taken: [at: number, value: number][] = [];
  let waited = 0;
  const live = async () => {
    const reading: (typeof taken)[number] = [T0 + taken.length * HOUR_MS, 100 + taken.length];
    const { counts } = await device.report(packed([reading[0], { a: reading[1] }]), T0 + 40 * HOUR_MS);
    expect(counts[0]! + counts[3]!).toBe(1);
    taken.push(reading);
    await device.seal();
    waited += (await deliver(...queue.sent.slice(-40))).retried;
  };
  await live();
  await env.CONTROL.prepare(
    "UPDATE device SET name = 'reborn' WHERE tenant = 'ordered' AND device = 'd2'",
  ).run();
  const steps: string[] = [];
  let cursor: unknown = null;
  for (let outcome = "more"; outcome !== "done"; ) {
    if (outcome === "wait") await computeZoneHours(turn());
    const running = { ...job, env: hastyEnv, tenant: "ordered", cursor };
    const made = await deleteDevice(running);
    steps.push(made.phase!);
    ({ outcome, cursor = cursor } = made);
    await live();
    if (steps.length > 60) throw new Error(`it does not end: ${steps}`);
  }
  expect(new Set(steps)).toEqual(
    new Set([
      "rollups",
      "list",
      "object",
      "files",
      "staged",
      "exports",
      "orphans",
      "alerts",
      "hours",
      "finish",
      "past",
      "end",
      "done",
    ]),
  );
  expect(waited).toBeGreaterThan(0);
  expect(taken.length).toBeGreaterThan(3);
  await device.seal();
  await deliver(...queue.sent);
  expect(await held(device, "a")).toEqual(taken);
  const { results } = await env.WARM_0.prepare(
    "SELECT start_ms FROM rollup WHERE tenant = 'ordered' AND device = 'd2' ORDER BY start_ms",
  ).all<{ start_ms: number }>();
  expect(results.length).toBeGreaterThanOrEqual(taken.length / 6);
  // Corrections of a block are in the archive too: of each instant the newest counts.
  expect((await rowsByDevice("ordered")).d2).toBeGreaterThanOrEqual(taken.length);
  expect(await rowsIn("ordered", "SELECT device, name FROM device WHERE tenant = ?", env.CONTROL)).toEqual([
    { device: "d2", name: "reborn" },
  ]);
});

it("[D30] asked to end a later life, the same job begins anew; to end the same, it goes on", async () => {
  for (const hour of hoursOf("anew")) await deliver(...hour);
  const first = await deletionOf("anew", "d1");
  await endLife(hastyEnv, "anew", first.spec);
  for (let i = 0; i < 2; i++) await runJobs(turn());
  expect(await shown("anew", first.id)).toMatchObject({ status: "running", progress: { phase: "hours" } });
  const again = await createDeletion(env.CONTROL, "anew", first.spec, Date.now());
  expect(again).toMatchObject({ id: first.id, progress: { phase: "hours" } });

  const reborn = { ...blockMessageOf("anew", "d1", T0, { a: points(T0, [7]) }), generation: now + 2 };
  expect(await deliver(reborn)).toEqual({ acknowledged: 1, retried: 0 });
  const later = { device: "d1", generation: now + 2 };
  const anew = await createDeletion(env.CONTROL, "anew", later, Date.now());
  expect(anew).toMatchObject({ id: first.id, spec: later, status: "running", progress: { phase: "" } });
  await endLife(hastyEnv, "anew", anew.spec);
  for (let i = 0; i < 3; i++) await tick();
  expect(await shown("anew", first.id)).toMatchObject({ status: "done", error: null });
  expect(await rowsByDevice("anew")).toEqual({ d2: 6, d3: 6 });
  expect([...(await bucketOf("anew")).keys()].filter((key) => key.startsWith("job/"))).toEqual([]);
  now += 10;
});

it("[S17] done means done: not while an hour that the device had a part in is still to be computed", async () => {
  for (const hour of hoursOf("marks")) await deliver(...hour);
  await tick();
  const { id } = await deletionOf("marks", "d1");
  for (let i = 0; i < 2; i++) {
    await runJobs(turn());
    expect(await shown("marks", id)).toMatchObject({ status: "running", progress: { phase: "hours" } });
  }
  await tick();
  expect((await shown("marks", id)).status).toBe("done");
});

it("[S17] asked again, a deletion is the same job until it is done", async () => {
  for (const hour of hoursOf("again")) await deliver(...hour);
  const first = await deletionOf("again", "d1");
  expect((await deletionOf("again", "d1")).id).toBe(first.id);
  expect((await deletionOf("again", "d2")).id).not.toBe(first.id);
  for (let i = 0; i < 3; i++) await tick();
  expect((await deletionOf("again", "d1")).id).not.toBe(first.id);
});

it("[S17] [S19] a runner that dies in every step, before its progress is saved, changes nothing of the outcome", async () => {
  vi.spyOn(console, "error").mockImplementation(() => undefined);
  await register("crash", ["d1", "d2", "d3"]);
  for (const hour of hoursOf("crash")) await deliver(...hour);
  const { id } = await deletionOf("crash", "d2");
  let saves = 0;
  /** Every other time progress is to be saved, D1 is away: the step was made and nobody knows. */
  const prepare = (query: string) => {
    if (query.includes("UPDATE job SET updated_at") && ++saves % 2 === 1) throw new Error("killed");
    return env.CONTROL.prepare(query);
  };
  const dying = { ...hastyEnv, CONTROL: instead(env.CONTROL, { prepare }) };
  for (let i = 0; i < 60 && (await shown("crash", id)).status !== "done"; i++) {
    await computeZoneHours(turn());
    await runJobs(turn(dying)).catch(() => undefined);
  }
  expect((await shown("crash", id)).status).toBe("done");
  expect(saves).toBeGreaterThan(15);
  expect(await rowsByDevice("crash")).toEqual({ d1: 6, d3: 6 });
  expect(await rowsIn("crash", "SELECT DISTINCT device FROM rollup WHERE tenant = ?")).toHaveLength(2);
  expect((await live("crash")).map(({ rows }) => rows)).toEqual([4, 4, 4]);
});

it("[S17] two devices of the same files deleted at the same time are both gone, also where one stopped half-way", async () => {
  for (const hour of hoursOf("both")) await deliver(...hour);
  const first = await deletionOf("both", "d1");
  await deletionOf("both", "d2");
  // The first has listed its files and is stopped; then the second puts others in their place.
  const stop = () =>
    env.CONTROL.prepare("UPDATE job SET status = 'stopped' WHERE id = ?").bind(first.id).run();
  const put = async (key: string, value: string | Uint8Array<ArrayBuffer>, options?: R2PutOptions) => {
    if (key.includes(first.id)) await stop();
    return await env.COLD.put(key, value, options);
  };
  const stopping = { ...hastyEnv, COLD: instead(env.COLD, { put }) };
  for (let i = 0; i < 3; i++) await tick(stopping);
  expect(await shown("both", first.id)).toMatchObject({
    status: "stopped",
    progress: { phase: "object", total: 3 },
  });
  expect(await rowsByDevice("both")).toEqual({ d1: 6, d3: 6 });
  await resumeJob(env.CONTROL, "both", first.id);
  for (let i = 0; i < 3; i++) await tick();
  expect(await shown("both", first.id)).toMatchObject({
    status: "done",
    progress: { counts: { files: 3, rows: 6 } },
  });
  expect(await rowsByDevice("both")).toEqual({ d3: 6 });
});

it("[S17] three devices of the same files deleted at once are all gone, whoever finds his files rewritten twice", async () => {
  for (const hour of hoursOf("three")) {
    const { startMs } = hour[0]!;
    await deliver(...hour, blockMessageOf("three", "d9", startMs, { a: points(startMs, [1]) }));
  }
  const { id: last } = await deletionOf("three", "d1");
  // The first has listed the files and is stopped until the others have rewritten them one after the other.
  const put = async (key: string, value: string | Uint8Array<ArrayBuffer>, options?: R2PutOptions) => {
    if (key.includes(last)) {
      await env.CONTROL.prepare("UPDATE job SET status = 'stopped' WHERE id = ?").bind(last).run();
      await deletionOf("three", "d2");
      await deletionOf("three", "d3");
    }
    return await env.COLD.put(key, value, options);
  };
  for (let i = 0; i < 4; i++) await tick({ ...hastyEnv, COLD: instead(env.COLD, { put }) });
  expect(await rowsByDevice("three")).toEqual({ d1: 6, d9: 3 });
  // The cron passes, long after any grace period: the way from file to file is still there.
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 24 * HOUR_MS });
  expect(await deleteReplaced(turn())).toBe("");
  await resumeJob(env.CONTROL, "three", last);
  for (let i = 0; i < 3; i++) await tick();
  expect((await shown("three", last)).status).toBe("done");
  expect(await rowsByDevice("three")).toEqual({ d9: 3 });
  vi.setSystemTime(Date.now() + 24 * HOUR_MS);
  expect(await deleteReplaced(turn())).toBe("");
  const named = await rowsIn("three", "SELECT key FROM archive_file WHERE tenant = ?");
  expect(named.map(({ key }) => key).toSorted()).toEqual([...(await bucketOf("three")).keys()].toSorted());
});

it("[S17] the first list of a deletion stands: a runner that was taken for dead cannot put another in its place", async () => {
  await deliver(...hoursOf("stalled")[0]!);
  const { id } = await deletionOf("stalled", "d1");
  /** Somebody else has listed before this runner's put arrives. */
  const put = async (key: string, value: string | Uint8Array<ArrayBuffer>, options?: R2PutOptions) => {
    if (key.includes(id)) await env.COLD.put(key, JSON.stringify({ files: [], hours: [], past: [] }));
    return await env.COLD.put(key, value, options);
  };
  for (let i = 0; i < 3; i++) await tick({ ...hastyEnv, COLD: instead(env.COLD, { put }) });
  expect(await shown("stalled", id)).toMatchObject({ status: "done" });
  expect((await shown("stalled", id)).progress.counts.files ?? 0).toBe(0);
  expect(await rowsByDevice("stalled")).toEqual({ d1: 2, d2: 2, d3: 2 });
});

it("[S17] a file that was never named and has the device is deleted once nobody can name it any more", async () => {
  await deliver(...hoursOf("orphan")[0]!);
  const orphan = (device: string) =>
    encodeParquet(
      rawColumns([
        {
          device,
          revision: 1,
          block: { startMs: T0, endMs: T0 + HOUR_MS, columns: [{ metric: "a", at: [T0], value: [1] }] },
        },
      ]),
    );
  const key = (name: string) => `raw/tenant=orphan/date=2026-11-22/${name}.parquet`;
  await env.COLD.put(key("mine"), orphan("d1"));
  await env.COLD.put(key("other"), orphan("d9"));
  const { id } = await deletionOf("orphan", "d1");
  for (let i = 0; i < 3; i++) await tick();
  expect(await shown("orphan", id)).toMatchObject({ status: "running", progress: { phase: "orphans" } });
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 16 * MINUTE_MS });
  for (let i = 0; i < 3; i++) await tick();
  expect(await shown("orphan", id)).toMatchObject({ status: "done", progress: { counts: { orphans: 1 } } });
  expect(await rowsByDevice("orphan")).toEqual({ d2: 2, d3: 2, d9: 1 });
});

it("[S17] parts of an import that was made before lose the device, and those of a later one keep it", async () => {
  const staged = async (createdAt: number) => {
    const { id } = await createJob(
      env.CONTROL,
      "staged",
      "import",
      { zone: "default" },
      createdAt,
      "receiving",
    );
    const builder = new PartBuilder();
    for (const device of ["d1", "d2"]) builder.add({ device, at: T0, names: ["a", "b"], values: [1, 2] });
    await env.COLD.put(partKey("staged", id, 0), builder.finish());
    return async () => (await readEntries(env.COLD, partKey("staged", id, 0))).map(({ device }) => device);
  };
  const earlier = await staged(Date.now() - 1_000);
  const job = await deletionOf("staged", "d1");
  const later = await staged(job.createdAt + 1_000);
  for (let i = 0; i < 3; i++) await tick();
  expect(await shown("staged", job.id)).toMatchObject({
    status: "done",
    progress: { counts: { staged: 2 } },
  });
  expect([await earlier(), await later()]).toEqual([["d2"], ["d1", "d2"]]);
});
