// A tenant with all there can be of it, exported whole; beside it one whose name begins like its own.
import { env } from "cloudflare:test";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { fired, firing } from "../../../../core/alert/incident-test-support.ts";
import type { ExportList, ExportManifest } from "../../../../schemas/export.ts";
import type { JobAnswer } from "../../../../schemas/job.ts";
import { EXPORT_KEPT_MS } from "../../../../schemas/limits.ts";
import { CONTROL_TABLES, WARM_TABLES } from "../../../../schemas/tables.ts";
import { answerOf, ask } from "../../../api/api-test-support.ts";
import { readJob } from "../../../jobs.ts";
import { openParquet, readRowGroups } from "../../../parquet.ts";
import { HOUR_MS, KeptQueue, packedAt, problem } from "../../../test-support.ts";
import { sweepOrphans } from "../../chores/sweep-orphans.ts";
import { deliver, finished, hastyEnv, instead, turn } from "../jobs-test-support.ts";
import { runJobsBy } from "../run-jobs.ts";
import type { RunningJob } from "../step.ts";
import { exportTenant } from "./export-tenant.ts";
import { EXPORTED, LEFT_OUT } from "./exported-tables.ts";

vi.setConfig({ testTimeout: 120_000 });

const SECRETS = ["s3cret-of-hook", "ttp_", "tt_"];

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"] });
  vi.spyOn(console, "warn").mockImplementation(() => undefined);
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const deviceOf = (tenant: string, device: string) => env.DEVICE.getByName(`${tenant}/${device}`);
const post = <T>(tenant: string, path: string, body: unknown) =>
  answerOf<T>(ask(tenant, "admin", path, { method: "POST", body }));
const asked = (tenant: string) => ask(tenant, "admin", "/v1/tenant/export", { method: "POST" });
const begun = async (tenant: string): Promise<string> => {
  const answered = await asked(tenant);
  expect(answered.status).toBe(202);
  return (await answered.json<JobAnswer>()).id;
};
const manifestOf = (tenant: string, id: string) =>
  answerOf<ExportManifest>(ask(tenant, "admin", `/v1/tenant/exports/${id}`));
const filesOf = async (tenant: string) =>
  (await env.COLD.list({ prefix: `export/tenant=${tenant}/` })).objects.map(({ key }) => key);

/** Sends readings that only the object has after it. */
async function report(tenant: string, device: string, value: number): Promise<number> {
  const at = Date.now() - 1_000;
  await deviceOf(tenant, device).report(packedAt(Date.now(), [at, { a: value }]), Date.now());
  const registered = env.CONTROL.prepare("SELECT 1 FROM device WHERE tenant = ? AND device = ?");
  await vi.waitFor(async () => expect(await registered.bind(tenant, device).first()).not.toBeNull(), 30_000);
  return at;
}

/** Takes the blocks of a device from its queue, and has storage take them when they are delivered. */
const queueOf = (tenant: string, device: string) => new KeptQueue().into(deviceOf(tenant, device));

async function fill(tenant: string): Promise<{ apiKey: string; provisioningKey: string; token: string }> {
  await post(tenant, "/v1/rules", {
    id: "hot",
    name: `Hot at ${tenant}`,
    condition: { type: "threshold", metric: "a", above: 80 },
  });
  const target = { type: "webhook", url: "https://example.com/hook", secret: SECRETS[0] };
  await post(tenant, "/v1/channels", { id: "hook", name: "Hook", target, enabled: false });
  await post(tenant, "/v1/silences", { comment: "c", startsAt: Date.now(), endsAt: Date.now() + HOUR_MS });
  const { tokens } = await post<{ tokens: { token: string }[] }>(tenant, "/v1/tokens", { role: "viewer" });
  const { apiKey } = await post<{ apiKey: string }>(tenant, "/v1/api-keys", { name: "CI", role: "viewer" });
  const { provisioningKey } = await post<{ provisioningKey: string }>(tenant, "/v1/provisioning-keys", {
    maxDevices: 1,
    ttlSeconds: 60,
  });
  const alert = firing("d1", 0, { id: "hot.0.1.d1", zone: "default" });
  await env.ZONE.getByName(`${tenant}/default`).alerts([fired(alert)]);
  await vi.waitFor(
    async () =>
      expect(
        await env.CONTROL.prepare("SELECT 1 FROM alert WHERE tenant = ?").bind(tenant).first(),
      ).not.toBeNull(),
    { timeout: 30_000 },
  );
  return { apiKey, provisioningKey, token: tokens[0]!.token };
}

/** Every line of the files that the manifest names, by table. */
async function rowsOf(tenant: string, { export: id, files }: ExportManifest) {
  const rows: Record<string, Record<string, unknown>[]> = {};
  for (const { file, table, rows: count, bytes, sha256 } of files) {
    const answer = await ask(tenant, "admin", `/v1/tenant/exports/${id}/${file}`);
    expect([answer.status, answer.headers.get("content-type")]).toEqual([200, "application/gzip"]);
    const packed = await answer.arrayBuffer();
    const digest = Buffer.from(await crypto.subtle.digest("SHA-256", packed)).toString("hex");
    expect([packed.byteLength, digest]).toEqual([bytes, sha256]);
    const text = await new Response(
      new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip")),
    ).text();
    const lines = text.trimEnd().split("\n");
    expect(lines).toHaveLength(count);
    rows[table] ??= [];
    rows[table].push(...lines.map((line) => JSON.parse(line) as Record<string, unknown>));
  }
  return rows;
}

/** What the raw files of the archive have of a tenant, as a user finds them: by the list that the manifest names. */
async function archived(
  tenant: string,
  { archive }: ExportManifest,
): Promise<Record<string, [number, number][]>> {
  const { files } = await answerOf<{ files: { key: string; kind: string; bytes: number }[] }>(
    ask(tenant, "viewer", archive.list),
  );
  const found: Record<string, [number, number][]> = {};
  for (const { key, bytes } of files.filter(({ kind }) => kind === "raw")) {
    const file = await openParquet(env.COLD, key, bytes);
    for (const group of file.metadata.row_groups.keys()) {
      const [rows] = await readRowGroups(file, ["device", "at", "value"], { group });
      for (const [i, device] of rows!.device.entries()) {
        found[device] ??= [];
        found[device].push([Number(rows!.at![i]), Number(rows!.value![i])]);
      }
    }
  }
  return found;
}

it("[S56] [S57] [S58] what was acknowledged before the POST is found by the manifest, the secrets nowhere, nor another tenant", async () => {
  const given = await fill("whole");
  await fill("whole-2");
  const sent: Record<string, [number, number][]> = {};
  const queues = new Map<string, KeptQueue>();
  for (let i = 1; i <= 3; i++) {
    sent[`d${i}`] = [[await report("whole", `d${i}`, i), i]];
    queues.set(`d${i}`, await queueOf("whole", `d${i}`));
  }
  await report("whole-2", "stranger", 99);
  const id = await begun("whole");
  for (let ticks = 0; ticks < 3; ticks++) await runJobsBy({ export: exportTenant }, turn());
  // It waits for storage, and says of whom.
  expect(await readJob(env.CONTROL, "whole", id)).toMatchObject({
    status: "running",
    error: "storage has yet to take what d1, d2, d3 sent",
    progress: { phase: "stored", done: 0, total: 3 },
  });
  for (const queue of queues.values()) await deliver(...queue.sent);
  const job = await finished("whole", id);
  expect(job).toMatchObject({ status: "done", error: null });

  const manifest = await manifestOf("whole", id);
  expect(await archived("whole", manifest)).toEqual(sent);
  const rows = await rowsOf("whole", manifest);
  const counted = Object.fromEntries(Object.entries(manifest.tables).filter(([, count]) => count > 0));
  expect(Object.fromEntries(Object.entries(rows).map(([table, own]) => [table, own.length]))).toEqual(
    counted,
  );
  expect(rows.device!.map(({ device }) => device)).toEqual(["d1", "d2", "d3"]);
  expect(rows.rollup!.map(({ device, summaries }) => [device, Object.keys(summaries as object)])).toEqual([
    ["d1", ["a"]],
    ["d2", ["a"]],
    ["d3", ["a"]],
  ]);
  expect(rows.rule).toMatchObject([{ id: "hot", body: { name: "Hot at whole" } }]);
  expect(rows.channel).toMatchObject([
    { id: "hook", body: { target: { url: "https://example.com/hook", secret: "•••" } } },
  ]);
  expect(rows.alert).toMatchObject([{ id: "hot.0.1.d1", body: { rule: { id: "hot" } } }]);
  for (const table of [
    "silence",
    "audit",
    "token",
    "provisioning_key",
    "alert_event",
    "incident",
    "archive_file",
  ])
    expect(rows[table]!.length, table).toBeGreaterThan(0);
  expect(rows.job).toMatchObject([{ id, kind: "export", progress: { phase: "tables" } }]);
  expect(manifest.archive).toMatchObject({ files: rows.archive_file!.length });

  const settings = await ask("whole", "admin", `/v1/tenant/exports/${id}/${manifest.settings}`);
  const kept = await settings.text();
  expect(JSON.parse(kept)).toMatchObject({ settings: { plan: "paid" }, apiKeys: [{ name: "CI" }] });
  const all = kept + JSON.stringify(rows) + JSON.stringify(manifest);
  for (const secret of [
    ...SECRETS,
    given.token,
    given.apiKey,
    given.provisioningKey,
    "hash",
    "whole-2",
    "stranger",
  ])
    expect(all.includes(secret), secret).toBe(false);
  // A range of a file, as of the archive.
  const part = await ask("whole", "admin", `/v1/tenant/exports/${id}/${manifest.settings}`, {
    headers: { range: "bytes=0-9" },
  });
  expect([part.status, await part.text()]).toEqual([206, kept.slice(0, 10)]);
  await problem(ask("whole-2", "admin", `/v1/tenant/exports/${id}`), 404, "not_found");
});

it("[S57] an export has every table with a column tenant, but for those that say why not, and no column that proves a secret", () => {
  const exported = EXPORTED.map(({ name }) => name);
  expect(exported.length + Object.keys(LEFT_OUT).length + 1).toBe(CONTROL_TABLES.length + WARM_TABLES.length); // chore
  expect(exported.filter((name) => name in LEFT_OUT)).toEqual([]);
  const columns = EXPORTED.flatMap(({ columns: own }) => own.map(({ column }) => column));
  expect(columns.filter((column) => /hash|secret|password/.test(column))).toEqual([]);
});

it("[S59] each step may be made twice, and late; a long table is many files, with each row once", async () => {
  const names = Array.from({ length: 4_500 }, (_, i) => `d${String(i).padStart(5, "0")}`);
  await env.CONTROL.prepare(
    "INSERT INTO device (tenant, device, zone, created_at) SELECT 'long', value, 'default', 0 FROM json_each(?1)",
  )
    .bind(JSON.stringify(names))
    .run();
  // Rules of 30 KB each: more bytes than a file takes.
  await env.CONTROL.prepare(
    "INSERT INTO rule (tenant, id, body) SELECT 'long', value, json_object('name', ?2) FROM json_each(?1)",
  )
    .bind(JSON.stringify(names.slice(0, 200)), "x".repeat(30_000))
    .run();
  const DEVICE = instead(env.DEVICE, {
    getByName: () => ({ seal: async () => ({}), unconfirmed: async () => 0 }),
  });
  const shaky = { ...hastyEnv, DEVICE };
  const id = await begun("long");
  const phases = new Set<string>();
  let failing = 0;
  const COLD = instead(env.COLD, {
    put: (...args: Parameters<R2Bucket["put"]>) => {
      if (failing++ % 2 === 0) throw new Error("away");
      return env.COLD.put(...args);
    },
  });
  const step = async (job: RunningJob) => {
    const late = { ...job, env: shaky };
    await exportTenant({ ...late, env: { ...shaky, COLD } }).catch(() => undefined);
    const made = await exportTenant(late);
    phases.add(made.phase!);
    // By a runner that was taken for dead, when rows have come and gone.
    if (made.counts !== undefined)
      await env.CONTROL.prepare("DELETE FROM device WHERE tenant = 'long' AND device = 'd00000'").run();
    expect(await exportTenant(late)).toEqual(made);
    return made;
  };
  await runJobsBy({ export: step }, { env: shaky, cursor: "", untilMs: Date.now() + 600_000 });
  expect([...phases]).toEqual(["seal", "stored", "settings", "tables", "manifest", "done"]);
  const manifest = await manifestOf("long", id);
  const rows = await rowsOf("long", manifest);
  expect(rows.device!.map(({ device }) => device)).toEqual(names);
  expect(rows.rule!.map(({ id: rule }) => rule)).toEqual(names.slice(0, 200));
  const many = (table: string) =>
    manifest.files.filter((file) => file.table === table).map(({ rows: own }) => own);
  expect(many("device")).toEqual([2_000, 2_000, 500]);
  expect(many("rule")).toEqual([134, 66]);
});

it("[S56] a device that does not answer is asked again, and named", async () => {
  vi.spyOn(console, "error").mockImplementation(() => undefined);
  for (const device of ["d1", "d2"]) await report("mute", device, 1);
  let away = true;
  const DEVICE = instead(env.DEVICE, {
    getByName: (name: string) =>
      away && name === "mute/d2"
        ? { seal: () => Promise.reject(new Error("away")) }
        : env.DEVICE.getByName(name),
  });
  const id = await begun("mute");
  await runJobsBy({ export: exportTenant }, turn({ ...hastyEnv, DEVICE }));
  expect(await readJob(env.CONTROL, "mute", id)).toMatchObject({
    status: "running",
    error: "Error: no answer from d2; they are asked again",
    progress: { phase: "seal", done: 0 },
  });
  away = false;
  await vi.waitFor(async () => expect(await finished("mute", id)).toMatchObject({ status: "done" }), 60_000);
});

it("[F50] a tenant has one export at a time and makes five in seven days", async () => {
  const first = await begun("greedy");
  expect((await problem(asked("greedy"), 409, "conflict")).detail).toContain(first);
  await finished("greedy", first);
  for (let i = 0; i < 4; i++) {
    vi.setSystemTime(Date.now() + 1_000);
    await finished("greedy", await begun("greedy"));
  }
  await problem(asked("greedy"), 429, "quota_jobs");
  const { exports } = await answerOf<ExportList>(ask("greedy", "admin", "/v1/tenant/exports"));
  expect(exports.map(({ status, isThere }) => [status, isThere])).toEqual(Array(5).fill(["done", true]));
  expect(exports.at(-1)!.id).toBe(first);
  await begun("modest");
});

it("[S60] an export is gone seven days after it was asked for", async () => {
  const id = await begun("old");
  await finished("old", id);
  vi.setSystemTime(Date.now() + EXPORT_KEPT_MS - HOUR_MS);
  await sweepOrphans(turn());
  expect((await filesOf("old")).length).toBeGreaterThan(1);
  vi.setSystemTime(Date.now() + HOUR_MS);
  await sweepOrphans(turn());
  expect(await filesOf("old")).toEqual([]);
  expect(await answerOf<ExportList>(ask("old", "admin", "/v1/tenant/exports"))).toEqual({ exports: [] });
  await problem(ask("old", "admin", `/v1/tenant/exports/${id}`), 404, "not_found");
  await begun("old");
});

it("[S60] exports go with a device that is deleted, and one that runs then stops and says so", async () => {
  for (const device of ["d1", "d2"]) await report("less", device, 1);
  for (const device of ["d1", "d2"]) await deviceOf("less", device).seal();
  const before = await begun("less");
  await vi.waitFor(
    async () => expect(await finished("less", before)).toMatchObject({ status: "done" }),
    60_000,
  );
  const id = await begun("less");
  const { id: deletion } = await (
    await ask("less", "admin", "/v1/devices/d1", { method: "DELETE" })
  ).json<JobAnswer>();
  await problem(asked("less"), 409, "conflict");
  const stopped = await vi.waitFor(async () => {
    await runJobsBy({ export: exportTenant }, turn());
    const job = (await readJob(env.CONTROL, "less", id))!;
    expect(job.status).toBe("stopped");
    return job;
  }, 60_000);
  expect(stopped.error).toBe("device d1 was deleted meanwhile; make another export");
  expect((await filesOf("less")).every((key) => key.includes(before))).toBe(true);
  await finished("less", deletion);
  expect(await filesOf("less")).toEqual([]);
  const again = await begun("less");
  await vi.waitFor(
    async () => expect(await finished("less", again)).toMatchObject({ status: "done" }),
    60_000,
  );
  const rows = await rowsOf("less", await manifestOf("less", again));
  expect(rows.device!.map(({ device }) => device)).toEqual(["d2"]);
});
