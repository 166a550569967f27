import { createExecutionContext, env } from "cloudflare:test";
import { afterEach, expect, it, vi } from "vitest";
import type { AggregateEnv } from "../aggregate/env.ts";
import { consumeBlocks } from "../aggregate/queues/consume-blocks.ts";
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
const RULE = { name: "Hot", condition: { type: "threshold", metric: "a", above: 1 } };
const CHANNEL = { name: "Hook", target: { type: "slack", url: "https://example.com/x" } };
/** What each question needs: with that away it cannot be answered. */
const QUESTIONS: [request: string, binding: "CONTROL" | "WARM_0" | "COLD", body?: object][] = [
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
  ["/v1/rules", "CONTROL"],
  ["PUT /v1/rules/hot", "CONTROL", RULE],
  ["/v1/alerts", "CONTROL"],
  ["/v1/alerts/hot.0.1.d1", "CONTROL"],
  ["/v1/incidents", "CONTROL"],
  ["/v1/incidents/default.1", "CONTROL"],
  ["/v1/channels", "CONTROL"],
  ["PUT /v1/channels/hook", "CONTROL", CHANNEL],
  ["/v1/silences", "CONTROL"],
  ["POST /v1/silences", "CONTROL", { comment: "x", endsAt: null }],
  ["/v1/admin/jobs", "CONTROL"],
  ["/v1/admin/jobs/none", "CONTROL"],
  ["POST /v1/admin/jobs/none/stop", "CONTROL"],
  ["POST /v1/admin/replay", "CONTROL", { from: 0, to: 86_400_000 }],
  ["DELETE /v1/devices/d1", "CONTROL"],
  ["DELETE /v1/devices/d1", "WARM_0"],
];
/** Of nothing, and to be refused when storage is there. */
const REFUSED = /nothing|none|hot\.0|default\.1|rules\/hot|channels\/hook/;

async function setUp() {
  // Without an object of its own the device has nothing but what is stored.
  await env.CONTROL.prepare(
    "INSERT INTO device (tenant, device, zone, created_at) VALUES ('storage', 'd1', 'default', 0) ON CONFLICT DO NOTHING",
  ).run();
  const message = blockMessageOf("storage", "d1", T0, { a: [[T0, 1]] });
  await consumeBlocks(batchOf(message), env as unknown as AggregateEnv);
}

async function askWith(asked: string, body: object | undefined, bindings: object): Promise<Response> {
  const [path, method = "GET"] = asked.split(" ").reverse() as [string, string?];
  const headers = await bearer("storage", "admin");
  const request = new Request(`https://telltale.test${path}`, {
    method,
    headers,
    body: body && JSON.stringify(body),
  });
  return await api.fetch(request, { ...apiEnv, ...bindings } as ApiEnv, createExecutionContext());
}

it("[S22] a question whose storage fails is 503 and may be asked again", async () => {
  await setUp();
  for (const [path, binding, body] of QUESTIONS) {
    const { status } = await askWith(path, body, {});
    expect([path, status < 300]).toEqual([path, !REFUSED.test(path)]);
    expect([path, status < 500]).toEqual([path, true]);
    const away = binding === "COLD" ? bucket(failing) : database(failing);
    const response = await askWith(path, body, { [binding]: away });
    expect([path, response.headers.get("retry-after")]).toEqual([path, "2"]);
    await problem(response, 503, "unavailable");
  }
});

it("[S22] storage that does not answer is given up in bounded time", async () => {
  await setUp();
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  for (const [path, binding, body] of QUESTIONS) {
    const away = binding === "COLD" ? bucket(silent) : database(silent);
    let isAnswered = false;
    const answer = askWith(path, body, { [binding]: away }).finally(() => {
      isAnswered = true;
    });
    while (!isAnswered) {
      await vi.advanceTimersByTimeAsync(500);
      await scheduler.wait(1); // what does answer does so in real time
    }
    await problem(answer, 503, "unavailable");
  }
});
