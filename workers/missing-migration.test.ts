import { createExecutionContext, env } from "cloudflare:test";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import type { DeviceEntry } from "../schemas/query.ts";
import { runChores } from "./aggregate/chores/chores.ts";
import type { AggregateEnv } from "./aggregate/env.ts";
import { consumeBlocks } from "./aggregate/queues/consume-blocks.ts";
import { answerOf, ask } from "./api/api-test-support.ts";
import type { IngestEnv } from "./ingest/env.ts";
import { ingest } from "./ingest/worker.ts";
import { missingMigration } from "./missing-migration.ts";
import { batchOf, bearer, blockMessageOf, held, problem, T0 } from "./test-support.ts";

vi.setConfig({ testTimeout: 60_000 });

/** A database as it is before the first migration. */
async function empty(database: D1Database): Promise<void> {
  const listed = database.prepare(
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' AND name NOT LIKE '\\_cf%' ESCAPE '\\'",
  );
  const { results } = await listed.all<{ name: string }>();
  await database.batch(results.map(({ name }) => database.prepare(`DROP TABLE "${name}"`)));
}

/** What was logged since the tables went: the queue may still bring what another file left, and then that says it. */
const said: string[] = [];

beforeAll(async () => {
  vi.spyOn(console, "error").mockImplementation((text) => void said.push(String(text)));
  await empty(env.CONTROL);
  await empty(env.WARM_0);
});

afterAll(() => {
  vi.restoreAllMocks();
});

const RULE = { name: "Hot", condition: { type: "threshold", metric: "a", above: 1 } };
const FROM = { from: 0, to: 86_400_000 };

it.each([
  ["GET", "/v1/devices"],
  ["GET", "/v1/devices/d1"],
  ["PUT", "/v1/devices/d1", { zone: "north" }],
  ["DELETE", "/v1/devices/d1"],
  ["GET", "/v1/devices/d1/history?metric=a&resolution=1h"],
  ["GET", "/v1/devices/d1/history?metric=a&source=cold"],
  ["GET", "/v1/zones"],
  ["GET", "/v1/zones/north/history?metric=a"],
  ["GET", "/v1/fleet"],
  ["GET", "/v1/fleet/history?metric=a"],
  ["GET", "/v1/fleet/stream"],
  ["GET", "/v1/archive"],
  ["GET", "/v1/archive/raw/some.parquet"],
  ["GET", "/v1/tenant/retention"],
  ["GET", "/v1/rules"],
  ["POST", "/v1/rules", RULE],
  ["POST", "/v1/rules/preview", { rule: RULE, ...FROM }],
  ["GET", "/v1/alerts"],
  ["GET", "/v1/incidents"],
  ["GET", "/v1/channels"],
  ["GET", "/v1/silences"],
  ["POST", "/v1/silences", { comment: "c", endsAt: null }],
  ["GET", "/v1/admin/jobs"],
  ["POST", "/v1/admin/replay", FROM],
  ["POST", "/v1/admin/import", {}],
] as [method: string, path: string, body?: object][])(
  "[S30] on empty databases %s %s says what to do",
  async (method, path, body) => {
    const response = await ask("fresh", "admin", path, { method, body, headers: { accept: "*/*" } });
    expect(Number(response.headers.get("retry-after"))).toBeGreaterThan(10); // no program mends it
    const { detail } = await problem(response, 503, "migrations_missing");
    expect(detail).toMatch(
      /no such table: \w+.*npx wrangler d1 migrations apply telltale-control --local.*telltale-warm-0/,
    );
  },
);

it("[S30] readings are taken meanwhile; a cron and a consumer say once what is missing", async () => {
  const headers = {
    ...(await bearer("fresh", "device", "d1")),
    "content-type": "application/json",
    "telltale-clock": String(T0),
  };
  const body = JSON.stringify({ at: T0, metrics: { a: 1 } });
  const sent = new Request("https://telltale.test/v1/telemetry", { method: "POST", body, headers });
  const answer = await ingest.fetch(sent, env as unknown as IngestEnv, createExecutionContext());
  expect([answer.status, await answer.json()]).toMatchObject([200, { stored: 1 }]);
  expect(await held(env.DEVICE.getByName("fresh/d1"), "a")).toEqual([[T0, 1]]);

  const aggregate = env as unknown as AggregateEnv;
  const idle = ["one", "two"].map((name) => ({ name, everyMs: 0, run: async () => "" }));
  const batch = () => batchOf(blockMessageOf("fresh", "d1", T0, { a: [[T0, 1]] }));
  for (let tick = 0; tick < 3; tick++) {
    await runChores(aggregate, idle);
    await consumeBlocks(batch(), aggregate);
  }
  const sentences = said.filter((text) => /migrations/.test(text));
  expect(sentences.filter((text) => /chore/.test(text))).toHaveLength(1);
  expect(sentences.filter((text) => /blocks not stored/.test(text))).toHaveLength(1);
});

it("[S30] a database some migrations behind is said to be, and with them the route answers", async () => {
  const apply = async (migrations: typeof env.CONTROL_MIGRATIONS) => {
    for (const { queries } of migrations)
      await env.CONTROL.batch(queries.map((query) => env.CONTROL.prepare(query)));
  };
  await apply(env.CONTROL_MIGRATIONS.slice(0, 1));
  const put = () => ask("behind", "operator", "/v1/devices/d1", { method: "PUT", body: { zone: "north" } });
  const { detail } = await problem(put(), 503, "migrations_missing");
  expect(detail).toContain("table device has no column named gateway");
  await apply(env.CONTROL_MIGRATIONS.slice(1));
  expect(await answerOf<DeviceEntry>(put())).toMatchObject({ zone: "north" });
});

it("[S30] another failure of D1, and an object's own tables, are no missing migration", () => {
  expect(missingMigration(new Error("D1_ERROR: database is locked: SQLITE_BUSY"))).toBeUndefined();
  expect(missingMigration(new Error("no such table: state: SQLITE_ERROR"))).toBeUndefined();
  expect(missingMigration("no such table: x")).toBeUndefined();
  const cause = new Error("D1_ERROR: table device has no column named gateway: SQLITE_ERROR");
  expect(missingMigration(new Error("Failed query", { cause }))).toContain(
    "(table device has no column named gateway)",
  );
});
