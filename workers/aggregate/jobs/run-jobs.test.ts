import { env } from "cloudflare:test";
import { afterEach, expect, it, vi } from "vitest";
import { createJob, readJob, resumeJob, stopJob } from "../../jobs.ts";
import type { AggregateEnv } from "../env.ts";
import { runJobsBy, type Steps } from "./run-jobs.ts";
import type { RunningJob, Step } from "./step.ts";

vi.setConfig({ testTimeout: 60_000 });

const aggregateEnv = { ...(env as unknown as AggregateEnv), CHORES: "always" };
const MINUTE_MS = 60_000;

afterEach(async () => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  await env.CONTROL.prepare("DELETE FROM job").run();
});

const made = (tenant: string, device = "d1") =>
  createJob(env.CONTROL, tenant, "delete", { device, generation: 1 }, Date.now());
const tick = (
  steps: Steps,
  cursor = "",
  given: AggregateEnv = aggregateEnv,
  untilMs = Date.now() + MINUTE_MS,
) => runJobsBy(steps, { env: given, cursor, untilMs });
const shown = async (tenant: string, id: string) => (await readJob(env.CONTROL, tenant, id))!;

/** Steps that count to `total`, one a step; `before` may do what it likes before each. */
function counting(
  total: number,
  before: (job: RunningJob, at: number) => void | Promise<void> = () => {},
): Steps {
  const step = async (job: RunningJob): Promise<Step> => {
    const at = (job.cursor as { at: number } | null)?.at ?? 0;
    await before(job, at);
    const done = at + 1;
    const outcome = done === total ? "done" : "more";
    return { phase: "counting", done, total, counts: { steps: 1 }, cursor: { at: done }, outcome };
  };
  return { delete: step };
}

it("[S19] a job shows how far it is after each step, and is done after the last", async () => {
  const { id, ...fresh } = await made("shows");
  expect(fresh).toMatchObject({
    kind: "delete",
    status: "running",
    spec: { device: "d1", generation: 1 },
    progress: { phase: "", done: 0, total: null, counts: {} },
    error: null,
    finishedAt: null,
  });
  const seen: unknown[] = [];
  const steps = counting(3, async () => {
    seen.push((await shown("shows", id)).progress.done);
  });
  await tick(steps);
  expect(seen).toEqual([0, 1, 2]);
  expect(await shown("shows", id)).toMatchObject({
    status: "done",
    progress: { phase: "counting", done: 3, total: 3, counts: { steps: 3 } },
    finishedAt: expect.any(Number),
  });
  seen.length = 0;
  await tick(steps);
  expect(seen).toEqual([]);
});

it("[S19] a job goes on where it was after a runner died in the middle of a step", async () => {
  const { id } = await made("crash");
  const begun: number[] = [];
  const steps = counting(4, (_, at) => {
    begun.push(at);
    if (begun.length === 3) throw new Error("killed");
  });
  vi.spyOn(console, "error").mockImplementation(() => undefined);
  await tick(steps);
  expect(await shown("crash", id)).toMatchObject({ status: "running", error: "Error: killed" });
  await tick(steps);
  expect(begun).toEqual([0, 1, 2, 2, 3]);
  expect(await shown("crash", id)).toMatchObject({ status: "done", error: null, progress: { done: 4 } });
});

it("[S19] a stopped job ends the step it is at and goes no further until it is resumed", async () => {
  const { id } = await made("stopped");
  const begun: number[] = [];
  const steps = counting(4, async (_, at) => {
    begun.push(at);
    if (at === 1 && begun.length === 2)
      expect((await stopJob(env.CONTROL, "stopped", id))?.status).toBe("stopped");
  });
  await tick(steps);
  await tick(steps);
  expect(await shown("stopped", id)).toMatchObject({ status: "stopped", progress: { done: 2 } });
  expect(begun).toEqual([0, 1]);
  expect((await resumeJob(env.CONTROL, "stopped", id))?.status).toBe("running");
  await tick(steps);
  expect(begun).toEqual([0, 1, 2, 3]);
  expect(await shown("stopped", id)).toMatchObject({ status: "done", progress: { counts: { steps: 4 } } });
  // What is over stays over.
  expect((await stopJob(env.CONTROL, "stopped", id))?.status).toBe("done");
  expect((await resumeJob(env.CONTROL, "stopped", id))?.status).toBe("done");
});

it("[S19] a job stopped during its last step is done", async () => {
  const { id } = await made("last");
  await tick(counting(1, async () => void (await stopJob(env.CONTROL, "last", id))));
  expect((await shown("last", id)).status).toBe("done");
});

it("[S19] a step that fails is tried again at doubling distance, and costs other jobs nothing", async () => {
  vi.useFakeTimers({ toFake: ["Date"] });
  vi.spyOn(console, "error").mockImplementation(() => undefined);
  const patient = { ...aggregateEnv, CHORES: undefined } as unknown as AggregateEnv;
  const failing = await made("fails-a");
  const fine = await made("fails-b");
  const tries: number[] = [];
  const steps = counting(2, ({ tenant }) => {
    if (tenant !== "fails-a") return;
    tries.push(Date.now());
    if (tries.length < 4) throw new Error("storage is away");
  });
  const startedAt = Date.now();
  for (let minute = 0; minute < 6; minute++) {
    await tick(steps, "", patient);
    vi.setSystemTime(Date.now() + 30_000);
  }
  expect(tries.map((at) => (at - startedAt) / 30_000)).toEqual([0, 1, 3]);
  expect((await shown("fails-b", fine.id)).status).toBe("done");
  expect(await shown("fails-a", failing.id)).toMatchObject({
    status: "running",
    error: "Error: storage is away",
  });
  vi.setSystemTime(Date.now() + 2 * MINUTE_MS);
  await tick(steps, "", patient);
  expect((await shown("fails-a", failing.id)).status).toBe("done");
});

it("[S19] a job whose step fails twelve times in a row has failed and says why; resuming tries again", async () => {
  vi.spyOn(console, "error").mockImplementation(() => undefined);
  const { id } = await made("failed");
  let isBroken = true;
  let tries = 0;
  const steps = counting(3, (_, at) => {
    if (at !== 1 || !isBroken) return;
    tries += 1;
    throw new Error("the file is broken");
  });
  for (let i = 0; i < 15; i++) await tick(steps);
  expect(tries).toBe(12);
  expect(await shown("failed", id)).toMatchObject({
    status: "failed",
    error: "Error: the file is broken",
    progress: { done: 1 },
    finishedAt: expect.any(Number),
  });
  isBroken = false;
  await resumeJob(env.CONTROL, "failed", id);
  await tick(steps);
  expect(await shown("failed", id)).toMatchObject({ status: "done", error: null });
});

it("[S19] of two runners the one that was taken for dead changes nothing any more", async () => {
  const { id } = await made("overtaken");
  let comeBack = () => {};
  const asleep = new Promise<void>((resolve) => {
    comeBack = resolve;
  });
  let sleeps = true;
  const begun: number[] = [];
  const steps = counting(5, async (_, at) => {
    begun.push(at);
    if (at === 1 && sleeps) {
      sleeps = false;
      await asleep;
    }
  });
  const dead = tick(steps);
  await vi.waitUntil(() => !sleeps);
  await stopJob(env.CONTROL, "overtaken", id);
  await resumeJob(env.CONTROL, "overtaken", id);
  await tick(counting(3, (_, at) => void begun.push(at)));
  comeBack();
  await dead;
  expect(begun).toEqual([0, 1, 1, 2]);
  expect(await shown("overtaken", id)).toMatchObject({ status: "done", progress: { total: 3, done: 3 } });
});

it("[S19] a turn goes round all running jobs, and the next goes on after the job at which time was up", async () => {
  for (const tenant of ["fair-a", "fair-b", "fair-c"]) await made(tenant);
  const begun: string[] = [];
  const steps = counting(2, ({ tenant }) => void begun.push(tenant));
  let cursor = "";
  for (let i = 0; i < 3; i++) cursor = await tick(steps, cursor, aggregateEnv, 0);
  // A turn that is over before it begins does no step, and yet each time another job is next.
  expect([begun, cursor.startsWith("fair-c/")]).toEqual([[], true]);
  expect(await tick(steps, cursor)).toBe("");
  expect(begun).toEqual(["fair-a", "fair-a", "fair-b", "fair-b", "fair-c", "fair-c"]);
});

it("[F20] a tenant's many jobs cost another tenant's only one a turn each: tenants take turns, and so do a tenant's jobs", async () => {
  const ids: string[] = [];
  for (let i = 0; i < 5; i++) ids.push((await made("greedy", `d${i}`)).id);
  const other = await made("modest");
  const begun: string[] = [];
  const now = Date.now();
  vi.useFakeTimers({ toFake: ["Date"], now });
  // Each step takes a whole share.
  const steps = counting(3, ({ id }) => {
    begun.push(id);
    vi.setSystemTime(Date.now() + 5_000);
  });
  const order = [...ids].sort();
  const cursor = await tick(steps, "", aggregateEnv, now + 20_000);
  expect(begun).toEqual([order[0], other.id, order[1], other.id]);
  await tick(steps, cursor, aggregateEnv, now + 40_000);
  expect(begun.slice(4)).toEqual([order[0], other.id, order[1], order[2]]);
});

it("[F20] a tenant has no more than twenty imports and replays at once, deletions aside, and a stopped one makes room", async () => {
  const replay = (tenant = "jobs") =>
    createJob(env.CONTROL, tenant, "replay", { fromMs: 0, toMs: 1, source: "blocks" }, Date.now());
  const first = await replay();
  await Promise.all(Array.from({ length: 19 }, () => replay()));
  await expect(replay()).rejects.toThrow(/at most 20/);
  await made("jobs");
  await replay("another");
  expect((await stopJob(env.CONTROL, "jobs", first.id))?.status).toBe("stopped");
  await replay();
  expect((await resumeJob(env.CONTROL, "jobs", first.id))?.status).toBe("stopped");
});

it("[S19] a job that can only wait is asked once a turn", async () => {
  await made("waits");
  let asked = 0;
  await tick({
    delete: async () => {
      asked += 1;
      return { outcome: "wait" };
    },
  });
  expect(asked).toBe(1);
});
