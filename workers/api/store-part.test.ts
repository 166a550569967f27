import { env } from "cloudflare:test";
import { afterEach, expect, it, vi } from "vitest";
import type { JobAnswer } from "../../schemas/job.ts";
import { IMPORT_BYTES_MAX } from "../../schemas/limits.ts";
import type { AggregateEnv } from "../aggregate/env.ts";
import { runJobs } from "../aggregate/jobs/run-jobs.ts";
import { importPrefix } from "../import-parts.ts";
import { problem } from "../test-support.ts";
import { ask } from "./api-test-support.ts";

afterEach(() => vi.restoreAllMocks());

const AT = Date.now() - 100 * 86_400_000;
const post = async (tenant: string, path: string) =>
  (await ask(tenant, "admin", `/v1/admin/${path}`, { method: "POST", body: {} })).json<JobAnswer>();
const put = (tenant: string, id: string, part: number, readings: number, bindings = {}) =>
  ask(tenant, "admin", `/v1/admin/import/${id}/parts/${part}`, {
    method: "PUT",
    body: Array.from({ length: readings }, (_, i) =>
      JSON.stringify({ device: "d1", at: AT + i, metrics: { a: i * Math.PI } }),
    ).join("\n"),
    bindings,
  });

/** What is counted with an import, and what it has in R2. */
async function bytesOf(tenant: string, id: string): Promise<[counted: number, there: number]> {
  const select = env.CONTROL.prepare(
    "SELECT progress ->> '$.partBytes' AS bytes FROM job WHERE tenant = ?1 AND id = ?2",
  );
  const { objects } = await env.COLD.list({ prefix: importPrefix(tenant, id) });
  const there = objects.reduce((sum, { key, size }) => sum + (key.endsWith(".part") ? size : 0), 0);
  return [(await select.bind(tenant, id).first<number>("bytes")) ?? 0, there];
}

const filled = (tenant: string, id: string, bytes: number) =>
  env.CONTROL.prepare(
    "UPDATE job SET progress = json_set(progress, '$.partBytes', ?3) WHERE tenant = ?1 AND id = ?2",
  )
    .bind(tenant, id, bytes)
    .run();

it("[F40] the parts of an import are counted as they lie in R2, one sent again or by several at once only once", async () => {
  const { id } = await post("parts", "import");
  for (const [part, readings] of [
    [0, 100],
    [1, 50],
    [0, 1_000],
    [0, 10],
  ] as const) {
    expect((await put("parts", id, part, readings)).status).toBe(200);
    const [counted, there] = await bytesOf("parts", id);
    expect([counted, there > 0]).toEqual([there, true]);
  }
  const answers = await Promise.all([200, 300, 400, 500].map((readings) => put("parts", id, 2, readings)));
  expect(answers.some(({ status }) => status === 200)).toBe(true);
  for (const { status } of answers) expect([200, 409]).toContain(status);
  const [counted, there] = await bytesOf("parts", id);
  expect(counted).toBe(there);
});

it("[F40] a part that would be more than a tenant's imports may have is 429 and not stored; giving one up makes room", async () => {
  const full = await post("full", "import");
  const { id } = await post("full", "import");
  await filled("full", full.id, IMPORT_BYTES_MAX - 10);
  const { detail } = await problem(put("full", id, 0, 100), 429, "quota_imports");
  expect(detail).toMatch(
    new RegExp(`at most ${IMPORT_BYTES_MAX} .* now ${IMPORT_BYTES_MAX - 10}, .*start or stop`),
  );
  expect(await bytesOf("full", id)).toEqual([0, 0]);
  expect((await put("roomy", (await post("roomy", "import")).id, 0, 100)).status).toBe(200);
  await post("full", `jobs/${full.id}/stop`);
  expect((await put("full", id, 0, 100)).status).toBe(200);
});

it("[F40] what an import has in R2 counts while it runs, and no more when it is over", async () => {
  const { id } = await post("over", "import");
  expect((await put("over", id, 0, 100)).status).toBe(200);
  await post("over", `import/${id}/start`);
  const next = await post("over", "import");
  const [counted] = await bytesOf("over", id);
  await filled("over", next.id, IMPORT_BYTES_MAX - counted);
  await problem(put("over", next.id, 0, 1), 429, "quota_imports");
  await env.CONTROL.prepare("UPDATE job SET status = 'running' WHERE tenant = 'over' AND id = ?1")
    .bind(id)
    .run();
  const aggregateEnv = { ...(env as unknown as AggregateEnv), CHORES: "always" };
  await runJobs({ env: aggregateEnv, cursor: "", untilMs: Date.now() + 10_000 });
  expect((await bytesOf("over", id))[0]).toBe(counted); // kept by whoever runs it
  await env.CONTROL.prepare("UPDATE job SET status = 'done' WHERE tenant = 'over' AND id = ?1")
    .bind(id)
    .run();
  expect((await put("over", next.id, 0, 1)).status).toBe(200);
});

it("[F40] a part that R2 does not take is counted at most until the import is over, never too little", async () => {
  const { id } = await post("lost", "import");
  const COLD = {
    head: env.COLD.head.bind(env.COLD),
    put: async () => {
      throw new Error("R2 is away");
    },
  };
  vi.spyOn(console, "error").mockImplementation(() => undefined);
  await problem(put("lost", id, 0, 100, { COLD }), 503, "unavailable");
  const [counted] = await bytesOf("lost", id);
  expect(counted).toBeGreaterThan(0);
  await problem(put("lost", id, 0, 100, { COLD: { ...COLD, put: async () => null } }), 409, "conflict");
  expect((await bytesOf("lost", id))[0]).toBe(counted);
});
