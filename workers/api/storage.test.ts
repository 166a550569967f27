import { createExecutionContext, env } from "cloudflare:test";
import { afterEach, expect, it, vi } from "vitest";
import { consumeBlocks } from "../aggregate/consume-blocks.ts";
import type { AggregateEnv } from "../aggregate/env.ts";
import { batchOf, bearer, blockMessageOf, HOUR_MS, problem, T0 } from "../test-support.ts";
import { apiEnv } from "./api-test-support.ts";
import type { ApiEnv } from "./env.ts";
import { api } from "./worker.ts";

vi.setConfig({ testTimeout: 60_000 });

afterEach(() => {
  vi.useRealTimers();
});

/** A database each of whose statements ends as `outcome` says. */
function database(outcome: () => Promise<never>): D1Database {
  const statement = { bind: () => statement, all: outcome, raw: outcome, run: outcome, first: outcome };
  return { prepare: () => statement, batch: outcome } as unknown as D1Database;
}
const bucket = (outcome: () => Promise<never>) => ({ get: outcome, head: outcome }) as unknown as R2Bucket;
const failing = () => Promise.reject(new Error("D1_ERROR: storage operation exceeded timeout"));
const silent = () => new Promise<never>(() => undefined);

const RANGE = `metric=a&from=${T0}&to=${T0 + HOUR_MS}`;
const HISTORY = `/v1/devices/d1/history?${RANGE}`;
/** What each question needs: with that away it cannot be answered. */
const QUESTIONS: [path: string, binding: "CONTROL" | "WARM_0" | "COLD"][] = [
  ["/v1/devices", "CONTROL"],
  ["/v1/devices/d1", "CONTROL"],
  ["/v1/zones", "CONTROL"],
  ["/v1/fleet", "CONTROL"],
  [`/v1/fleet/history?${RANGE}&resolution=1m`, "CONTROL"],
  [`/v1/fleet/history?${RANGE}`, "WARM_0"],
  [`/v1/zones/default/history?${RANGE}`, "WARM_0"],
  [`${HISTORY}&resolution=1h`, "WARM_0"],
  [`${HISTORY}&resolution=raw`, "WARM_0"],
  [`${HISTORY}&resolution=raw`, "COLD"],
  [`/v1/devices/d1/history/export?${RANGE}`, "COLD"],
  ["/v1/archive", "WARM_0"],
  ["/v1/archive/raw/nothing", "WARM_0"],
];

async function setUp() {
  // Without an object of its own the device has nothing but what is stored.
  await env.CONTROL.prepare(
    "INSERT INTO device (tenant, device, zone, created_at) VALUES ('storage', 'd1', 'default', 0) ON CONFLICT DO NOTHING",
  ).run();
  const message = blockMessageOf("storage", "d1", T0, { a: [[T0, 1]] });
  await consumeBlocks(batchOf(message), env as unknown as AggregateEnv);
}

async function askWith(path: string, bindings: object): Promise<Response> {
  const request = new Request(`https://telltale.test${path}`, { headers: await bearer("storage", "viewer") });
  return await api.fetch(request, { ...apiEnv, ...bindings } as ApiEnv, createExecutionContext());
}

it("[S22] a question whose storage fails is 503 and may be asked again", async () => {
  await setUp();
  for (const [path, binding] of QUESTIONS) {
    if (path !== "/v1/archive/raw/nothing") expect((await askWith(path, {})).status).toBe(200);
    const away = binding === "COLD" ? bucket(failing) : database(failing);
    const response = await askWith(path, { [binding]: away });
    expect([path, response.headers.get("retry-after")]).toEqual([path, "2"]);
    await problem(response, 503, "unavailable");
  }
});

it("[S22] storage that does not answer is given up in bounded time", async () => {
  await setUp();
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  for (const [path, binding] of QUESTIONS) {
    const away = binding === "COLD" ? bucket(silent) : database(silent);
    let isAnswered = false;
    const answer = askWith(path, { [binding]: away }).finally(() => {
      isAnswered = true;
    });
    while (!isAnswered) {
      await vi.advanceTimersByTimeAsync(500);
      await scheduler.wait(1); // what does answer does so in real time
    }
    await problem(answer, 503, "unavailable");
  }
});
