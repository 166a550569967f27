import { createExecutionContext, env, listDurableObjectIds } from "cloudflare:test";
import { expect, it, vi } from "vitest";
import { type ReadyAnswer, readyAnswer } from "../../schemas/http.ts";
import { runChores } from "../aggregate/chores/chores.ts";
import type { AggregateEnv } from "../aggregate/env.ts";
import { apiEnv } from "./api-test-support.ts";
import type { ApiEnv } from "./env.ts";
import { api } from "./worker.ts";

vi.setConfig({ testTimeout: 60_000 });

const get = async (path: string, own: ApiEnv) =>
  await api.fetch(new Request(`https://telltale.test${path}`), own, createExecutionContext());

/** Asks with these in place of the real bindings. */
async function ready(bindings: object = {}, status = 200): Promise<ReadyAnswer> {
  const response = await get("/readyz", { ...apiEnv, ...bindings } as ApiEnv);
  const answer = readyAnswer.parse(await response.json());
  expect(response.status).toBe(status);
  return answer;
}

const tick = () =>
  runChores(env as unknown as AggregateEnv, [{ name: "push-rules", everyMs: 0, run: async () => "" }]);

const failing = () => Promise.reject(new Error("secret-tenant is away"));
const never = () => new Promise(() => undefined);
const database = (run: () => Promise<unknown>) => ({
  prepare: () => ({ run, all: run, first: run }),
});
const queue = (backlogCount: number, ageMs = 0) => ({
  metrics: async () => ({
    backlogCount,
    backlogBytes: 0,
    oldestMessageTimestamp: new Date(Date.now() - ageMs),
  }),
});

it("[Q41] what it needs is named, without a token, and all of it answers", async () => {
  await tick();
  const { status, dependencies } = await ready();
  expect(Object.keys(dependencies).sort()).toEqual([
    "archive",
    "control",
    "cron",
    "devices",
    "queue-notices",
    "queue-notices-dead",
    "queue-rollups",
    "queue-rollups-dead",
    "tenants",
    "warm-0",
  ]);
  for (const [name, { isOk }] of Object.entries(dependencies)) expect([name, isOk]).toEqual([name, true]);
  expect(status).toBe("ready");
});

it.each<[name: string, bindings: object]>([
  ["control", { CONTROL: database(failing) }],
  ["warm-0", { WARM_0: database(failing) }],
  ["warm-1", { WARM_1: database(failing) }],
  ["archive", { COLD: { head: failing } }],
  ["devices", { DEVICE: { getByName: () => ({ newestAt: failing }) } }],
  ["tenants", { TENANT: { idFromName: () => "x", get: () => ({ fetch: failing }) } }],
])("[Q41] while %s does not answer it is 503 and says so, and /healthz is ok", async (name, bindings) => {
  vi.spyOn(console, "error").mockImplementation(() => undefined);
  await tick();
  const answer = await ready(bindings, 503);
  expect(answer.status).toBe("unready");
  expect(answer.dependencies[name]).toMatchObject({
    isOk: false,
    isNeeded: true,
    error: "it does not answer",
  });
  const others = Object.entries(answer.dependencies).filter(([other]) => other !== name && other !== "cron");
  expect(others.map(([other, { isOk }]) => [other, isOk])).toEqual(others.map(([other]) => [other, true]));
  expect(JSON.stringify(answer)).not.toContain("secret-tenant");
  expect((await get("/healthz", { ...apiEnv, ...bindings } as ApiEnv)).status).toBe(200);
  vi.restoreAllMocks();
});

it("[Q41] one that is slow has two seconds, and all are asked at once", async () => {
  vi.spyOn(console, "error").mockImplementation(() => undefined);
  const deadlines: number[] = [];
  const { setTimeout: real } = globalThis;
  vi.stubGlobal("setTimeout", (run: () => void, ms: number) => {
    deadlines.push(ms);
    return real(run, ms / 20);
  });
  const hanging = { CONTROL: database(never), WARM_1: database(never), COLD: { head: never } };
  const { dependencies } = await ready(hanging, 503);
  expect(Object.entries(dependencies).flatMap(([name, { isOk }]) => (isOk ? [] : name))).toEqual([
    "control",
    "cron",
    "archive",
    "warm-1",
  ]);
  expect(deadlines).toEqual(Array.from(Object.keys(dependencies), () => 2_000));
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

it("[Q41] tables that are missing are said to be", async () => {
  vi.spyOn(console, "error").mockImplementation(() => undefined);
  const lacking = database(() =>
    Promise.reject(new Error("D1_ERROR: no such table: dirty_hour: SQLITE_ERROR")),
  );
  const { dependencies } = await ready({ WARM_0: lacking }, 503);
  expect(dependencies["warm-0"]).toMatchObject({ error: "its migrations are missing" });
  vi.restoreAllMocks();
});

it("[Q41] a queue that delivers late, dead letters, a queue that fails and a cron that rests are behind, and no 503", async () => {
  vi.spyOn(console, "error").mockImplementation(() => undefined);
  await tick();
  const behindOf = async (bindings: object) => {
    const { status, dependencies } = await ready(bindings);
    return [
      status,
      ...Object.entries(dependencies).flatMap(([name, one]) =>
        one.isBehind === true || !one.isOk ? [name] : [],
      ),
    ];
  };
  const minute = 60_000;
  expect(await behindOf({ ROLLUPS: queue(3, 5 * minute) })).toEqual(["ready"]);
  expect(await behindOf({ ROLLUPS: queue(3, 20 * minute) })).toEqual(["behind", "queue-rollups"]);
  expect(await behindOf({ ROLLUPS: queue(0, 20 * minute) })).toEqual(["ready"]);
  expect(await behindOf({ NOTICES_DEAD: queue(1) })).toEqual(["behind", "queue-notices-dead"]);
  expect(await behindOf({ NOTICES: { metrics: failing } })).toEqual(["behind", "queue-notices"]);
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 11 * minute });
  const { dependencies, status } = await ready();
  expect([status, dependencies.cron!.isBehind, dependencies.cron!.isNeeded]).toEqual(["behind", true, false]);
  expect(dependencies.cron!.behindMs).toBeGreaterThanOrEqual(11 * minute);
  vi.useRealTimers();
  await env.CONTROL.prepare("DELETE FROM chore").run();
  expect(await behindOf({})).toEqual(["behind", "cron"]);
  vi.restoreAllMocks();
});

it("[Q41] dirty hours are counted", async () => {
  await env.WARM_0.prepare(
    "INSERT INTO dirty_hour (tenant, zone, hour_ms, taken_by) VALUES ('t', 'z', 0, 0), ('t', 'z', 1, 0)",
  ).run();
  expect((await ready()).dependencies["warm-0"]).toMatchObject({ isOk: true, waiting: 2 });
});

it("[Q41] however often it is asked, it asks each 5 s; asking leaves nothing behind", async () => {
  const head = vi.fn(async () => null);
  const own = { ...apiEnv, COLD: { head } } as unknown as ApiEnv;
  const zones = (await listDurableObjectIds(env.ZONE)).length;
  const first = await (await get("/readyz", own)).json<ReadyAnswer>();
  for (let i = 0; i < 20; i++) expect(await (await get("/readyz", own)).json()).toEqual(first);
  expect(head).toHaveBeenCalledTimes(1);
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 5_001 });
  const both = await Promise.all([get("/readyz", own), get("/readyz", own)]);
  expect(both.map(({ status }) => status)).toEqual([200, 200]);
  expect(head).toHaveBeenCalledTimes(2);
  vi.useRealTimers();
  expect(
    await env.CONTROL.prepare("SELECT count(*) AS n FROM device WHERE tenant LIKE '-%'").first("n"),
  ).toBe(0);
  expect((await listDurableObjectIds(env.ZONE)).length).toBe(zones);
});
