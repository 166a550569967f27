// A tenant with all there can be of it, deleted whole; beside it one whose name begins like its own, untouched.
import { env, runInDurableObject } from "cloudflare:test";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { fired, firing } from "../../../../core/alert/incident-test-support.ts";
import type { DeleteTenantSpec } from "../../../../schemas/job.ts";
import { DEPLOYMENT } from "../../../../schemas/limits.ts";
import type { ObjectProfile } from "../../../../schemas/message.ts";

import type { DeviceToken } from "../../../../schemas/token.ts";
import { answerOf, ask } from "../../../api/api-test-support.ts";
import { readTenantDeletion } from "../../../jobs.ts";
import { readSettings } from "../../../tenant.ts";
import { blockMessageOf, HOUR_MS, held, packedAt, problem, rowsOnceKnown } from "../../../test-support.ts";
import { storeAlerts } from "../../queues/store-alerts.ts";
import { deliver, hastyEnv, instead, tick } from "../jobs-test-support.ts";
import { runJobsBy } from "../run-jobs.ts";
import type { RunningJob } from "../step.ts";
import { deleteTenant, SETTLED_MS } from "./delete-tenant.ts";

vi.setConfig({ testTimeout: 120_000 });

const HOUR = Math.floor(Date.now() / HOUR_MS - 3) * HOUR_MS;
const databases: Record<string, D1Database> = { control: env.CONTROL, warm: env.WARM_0 };

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"] });
  vi.spyOn(console, "warn").mockImplementation(() => undefined);
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const later = (ms: number) => vi.setSystemTime(Date.now() + ms);
const deviceOf = (tenant: string, device: string) => env.DEVICE.getByName(`${tenant}/${device}`);
const own = (issuedAtMs = Date.now()): DeviceToken => ({ issuedAtMs, expiresAt: issuedAtMs + 1e9 });
const post = (tenant: string, path: string, body: unknown) =>
  answerOf<{ id: string }>(ask(tenant, "admin", path, { method: "POST", body }));

/** A row in every table, a file in every folder, and something in every object. */
async function fill(tenant: string): Promise<void> {
  for (const device of ["d1", "d2"]) {
    await deviceOf(tenant, device).report(
      packedAt(Date.now(), [Date.now() - 1_000, { a: 1 }]),
      Date.now(),
      own(),
    );
    await rowsOnceKnown(deviceOf(tenant, device));
  }
  await deliver(
    ...["d1", "d2"].map((device) => blockMessageOf(tenant, device, HOUR, { a: [[HOUR + 1_000, 3]] })),
  );
  await tick();
  const rule = { id: "hot", name: "Hot", condition: { type: "threshold", metric: "a", above: 80 } };
  await post(tenant, "/v1/rules", rule);
  const target = { type: "webhook", url: "https://example.com/hook", secret: "s3cret" };
  await post(tenant, "/v1/channels", { id: "hook", name: "Hook", target, enabled: false });
  await post(tenant, "/v1/silences", { comment: "c", startsAt: Date.now(), endsAt: Date.now() + HOUR_MS });
  await post(tenant, "/v1/tokens", { role: "viewer" });
  await post(tenant, "/v1/provisioning-keys", { maxDevices: 1, ttlSeconds: 60 });
  await post(tenant, "/v1/api-keys", { name: "CI", role: "viewer" });
  const imported = await ask(tenant, "admin", "/v1/admin/import", { method: "POST", body: {} });
  const { id: job } = await imported.json<{ id: string }>();
  const alert = firing("d1", 0, { id: "hot.0.1.d1", zone: "default" });
  await env.ZONE.getByName(`${tenant}/default`).alerts([fired(alert)]);
  await storeAlerts(env.CONTROL, alertsOf(tenant, 0));
  await vi.waitFor(async () => expect((await rowsOf(tenant)).incident).toBe(2), { timeout: 30_000 }); // by the queue
  for (const [table, database, sql] of [
    ["tombstone", env.WARM_0, "(tenant, device, generation, finished_at) VALUES (?, 'gone', 1, 1)"],
    ["retained", env.WARM_0, "VALUES (?, 0, 0, 0, 0, 0)"],
    ["import_reached", env.WARM_0, "VALUES (?, 'j', '2026-01-01', '', 0, 0, 0, 0, 0)"],
    ["alert_tombstone", env.CONTROL, "VALUES (?, 'gone', 1)"],
    ["rules_push", env.CONTROL, "VALUES (?, 'p', 1, '[]', '')"],
  ] as const)
    await database.prepare(`INSERT INTO ${table} ${sql}`).bind(tenant).run();
  for (const key of [
    `import/tenant=${tenant}/${job}/0`,
    `job/tenant=${tenant}/x.json`,
    `audit/tenant=${tenant}/y`,
    `export/tenant=${tenant}/z/manifest.json`,
  ])
    await env.COLD.put(key, "kept");
}

const alertsOf = (tenant: string, generation: number, revision = 1) => {
  const alert = { ...firing("d1", 0, { id: `hot.${generation}.1.d1` }), revision };
  const { rule, firedAt: openedAt } = alert;
  return {
    tenant,
    events: [{ ...fired(alert), incident: "north.1" }],
    incidents: [
      {
        ...{
          id: "north.1",
          revision,
          state: "firing" as const,
          zone: "north",
          rule,
          openedAt,
          joinedAt: openedAt,
        },
        ...{
          acknowledgedAt: null,
          acknowledgedBy: null,
          resolvedAt: null,
          active: 1,
          muted: 0,
          escalated: 0,
          members: 1,
        },
      },
    ],
  };
};

/** How many rows of the tenant each table has: every table there is with a column of that name. */
async function rowsOf(tenant: string): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const database of Object.values(databases)) {
    const { results } = await database
      .prepare(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE '%cf_%' AND name NOT LIKE 'sqlite_%'",
      )
      .all<{ name: string }>();
    for (const { name } of results) {
      const { results: columns } = await database
        .prepare(`PRAGMA table_info(${name})`)
        .all<{ name: string }>();
      if (!columns.some((column) => column.name === "tenant")) continue;
      const count = await database
        .prepare(`SELECT count(*) AS n FROM ${name} WHERE tenant = ?`)
        .bind(tenant)
        .first<number>("n");
      counts[name] = count!;
    }
  }
  return counts;
}

const filesOf = async (tenant: string) =>
  (await env.COLD.list()).objects.map(({ key }) => key).filter((key) => key.includes(`tenant=${tenant}/`));

const tablesIn = (object: DurableObjectStub) =>
  runInDurableObject(object, (_, { storage }) =>
    storage.sql
      .exec<{ name: string }>("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE '%cf_%'")
      .toArray()
      .map(({ name }) => name),
  );

const remove = (tenant: string, bindings = {}) =>
  ask("", "owner", `/v1/tenants/${tenant}`, { method: "DELETE", bindings });

/** Ticks until the deletion is done. */
async function finish(tenant: string): Promise<void> {
  for (let ticks = 0; ticks < 20; ticks++) {
    await tick();
    const job = (await readTenantDeletion(env.CONTROL, tenant))!;
    if (job.progress.phase === "settle") later(SETTLED_MS);
    if (job.status === "done") return;
  }
  throw new Error(JSON.stringify(await readTenantDeletion(env.CONTROL, tenant)));
}

it("[S51] [S52] everything of a deleted tenant is gone from every table, folder and object, and its neighbour is whole", async () => {
  await fill("acme");
  await fill("acme-2");
  await tick();
  await env.WARM_0.prepare("INSERT INTO dirty_hour VALUES ('acme', 'default', 0, 7)").run();
  const full = await rowsOf("acme");
  expect(Object.entries(full).filter(([, rows]) => rows === 0)).toEqual([]); // else this test would prove nothing of it
  const neighbour = { rows: await rowsOf("acme-2"), files: await filesOf("acme-2") };

  expect((await remove("acme")).status).toBe(202);
  later(2 * HOUR_MS);
  await deviceOf("acme", "d2").sweep(); // asks for its settings, and begins the next life
  await finish("acme");
  const left = Object.entries(await rowsOf("acme")).filter(([, rows]) => rows > 0);
  expect(Object.fromEntries(left)).toEqual({ tenant: 1, tombstone: 1, alert_tombstone: 1 });
  expect(await filesOf("acme")).toEqual([]);
  for (const device of ["d1", "d2"]) expect(await tablesIn(deviceOf("acme", device))).toEqual([]);
  expect(await tablesIn(env.ZONE.getByName("acme/default"))).toEqual([]);
  const { id: _, ...settings } = { id: 0, ...(await readSettings(env.TENANT, "acme")) };
  expect(settings).toMatchObject({ isEnding: false, limits: { devices: null } });

  expect({ rows: await rowsOf("acme-2"), files: await filesOf("acme-2") }).toEqual(neighbour);
  expect(await held(deviceOf("acme-2", "d1"), "a")).toHaveLength(1);
  expect((await env.ZONE.getByName("acme-2/default").watchAlerts(0)).length).toBe(1);
  const shown = await answerOf(ask("", "owner", "/v1/tenants/acme"));
  expect(shown).toMatchObject({ status: "deleted", devices: 0, deletion: { status: "done" } });
  // Who deleted it stays noted, with the deployment.
  const { entries } = await answerOf<{ entries: object[] }>(ask("", "owner", "/v1/deployment/audit"));
  expect(entries[0]).toMatchObject({ action: "DELETE", target: "/v1/tenants/acme", role: "owner" });
});

it("[S53] each step may be made twice, and one that fails is made again", async () => {
  await fill("twice");
  expect((await remove("twice")).status).toBe(202);
  let failing = 0;
  const failsOnce = <T extends object>(of: T, ...names: (keyof T)[]): T =>
    instead(
      of,
      Object.fromEntries(
        names.map((name) => [
          name,
          function (this: unknown, ...args: unknown[]) {
            if (failing++ % 3 === 0) throw new Error("away");
            return (of[name] as (...all: unknown[]) => unknown).apply(of, args);
          },
        ]),
      ) as never,
    );
  const shaky = {
    ...hastyEnv,
    WARM_0: failsOnce(env.WARM_0, "prepare"),
    COLD: failsOnce(env.COLD, "list", "delete"),
  };
  const phases: string[] = [];
  const step = async (job: RunningJob<DeleteTenantSpec>) => {
    try {
      await deleteTenant({ ...job, env: shaky });
    } catch {
      // Broken off somewhere.
    }
    const made = await deleteTenant(job);
    phases.push(made.phase!);
    await deleteTenant(job); // by a runner that was taken for dead
    return made;
  };
  for (let turns = 0; (await readTenantDeletion(env.CONTROL, "twice"))!.status !== "done"; turns++) {
    expect(turns).toBeLessThan(20);
    await runJobsBy({ "delete-tenant": step }, { env: hastyEnv, cursor: "", untilMs: Date.now() + 60_000 });
    later(SETTLED_MS);
  }
  expect([...new Set(phases)]).toEqual([
    "devices",
    "streams",
    "channels",
    "settle",
    "zones",
    "rows",
    "files",
    "end",
    "done",
  ]);
  expect(failing).toBeGreaterThan(5);
  expect(await filesOf("twice")).toEqual([]);
  const left = Object.entries(await rowsOf("twice")).filter(([, rows]) => rows > 0);
  expect(left.map(([name]) => name).sort()).toEqual(["alert_tombstone", "tenant", "tombstone"]);
});

it("[I71] [S54] from the 202 on no token is taken; when it is done new ones are, and nothing old comes back", async () => {
  await fill("again");
  const before = Date.now();
  expect((await remove("again")).status).toBe(202);
  const report = (issuedAtMs: number, at = Date.now() - 500) =>
    deviceOf("again", "d1").report(packedAt(Date.now(), [at, { a: 7 }]), Date.now(), own(issuedAtMs));
  expect((await report(before)).isVoid).toBe(true);
  expect((await report(Date.now() + 1)).isVoid).toBe(true); // issued since, while it ends
  expect(
    (await deviceOf("again", "new").report(packedAt(Date.now(), [Date.now(), { a: 1 }]), Date.now(), own()))
      .isVoid,
  ).toBe(true);
  await problem(ask("again", "admin", "/v1/devices"), 401, "token_revoked");
  await problem(
    ask("", "owner", "/v1/tenants", { method: "POST", body: { tenant: "again" } }),
    409,
    "conflict",
  );
  expect((await remove("again")).status).toBe(202); // the same one
  await finish("again");
  await problem(remove("again"), 404, "tenant_not_found");

  later(10_000);
  expect((await report(before)).isVoid).toBe(true);
  expect(await report(Date.now())).toMatchObject({ counts: [1, 0, 0, 0, 0, 0] });
  await vi.waitFor(async () => expect((await rowsOf("again")).device).toBe(1), { timeout: 10_000 });
  expect(await held(deviceOf("again", "d1"), "a")).toHaveLength(1);
  expect(await answerOf(ask("", "owner", "/v1/tenants/again"))).toMatchObject({
    status: "active",
    devices: 1,
  });
  // What was on its way is dropped, and what is of the next life is taken.
  const block = (generation: number) => ({
    ...blockMessageOf("again", "d1", HOUR, { a: [[HOUR, generation === 0 ? 1 : 2]] }),
    generation,
  });
  await deliver(block(0));
  await storeAlerts(env.CONTROL, alertsOf("again", 0, 9));
  expect(await rowsOf("again")).toMatchObject({
    rollup: 0,
    archive_file: 0,
    alert: 0,
    incident: 0,
    alert_event: 0,
  });
  const { generation } = await readSettings(env.TENANT, "again");
  await deliver(block(generation));
  await storeAlerts(env.CONTROL, alertsOf("again", generation));
  await storeAlerts(env.CONTROL, { ...alertsOf("again", generation, 2), events: [] });
  expect(await rowsOf("again")).toMatchObject({
    rollup: 1,
    archive_file: 1,
    alert: 1,
    incident: 1,
    alert_event: 1,
  });
  // A step that comes late, from a runner that was taken for dead, leaves the next life alone.
  const job = (await readTenantDeletion(env.CONTROL, "again"))!;
  for (const cursor of [
    { at: "life" },
    { at: "devices", after: "" },
    { at: "zones", after: "" },
    ...Array.from({ length: 30 }, (_, table) => ({ at: "rows", table })),
    { at: "files" },
    { at: "end" },
  ])
    await deleteTenant({ ...job, env: hastyEnv, tenant: DEPLOYMENT, cursor, spec: job.spec });
  expect(await rowsOf("again")).toMatchObject({ rollup: 1, archive_file: 1, alert: 1, device: 1 });
  expect(await held(deviceOf("again", "d1"), "a")).toHaveLength(1);
  expect(await filesOf("again")).toHaveLength(1);
  expect((await report(Date.now())).isVoid).not.toBe(true);
});

it("[S55] a device that the registry did not know ends by itself, with its next report or when it registers", async () => {
  for (const device of ["seen", "unseen"]) {
    await deviceOf("stray", device).report(
      packedAt(Date.now(), [Date.now() - 1_000, { a: 1 }]),
      Date.now(),
      own(),
    );
    await rowsOnceKnown(deviceOf("stray", device));
  }
  await env.CONTROL.prepare("DELETE FROM device WHERE tenant = 'stray' AND device = 'unseen'").run();
  expect((await remove("stray")).status).toBe(202);
  await finish("stray");
  later(2 * HOUR_MS);
  const unseen = deviceOf("stray", "unseen");
  expect(await held(unseen, "a")).toHaveLength(1); // nobody told it
  await unseen.report(packedAt(Date.now(), [Date.now() - 1_000, { a: 2 }]), Date.now(), own());
  expect((await held(unseen, "a")).map(([, value]) => value)).toEqual([2]);
});

it("[S55] a life that was deleted with its tenant is not registered any more", async () => {
  const { register } = await import("../../device/register.ts");
  const { newState } = await import("../../../../core/device/state.ts");
  const { defaultSettings } = await import("../../../../schemas/tenant.ts");
  await fill("over");
  expect((await remove("over")).status).toBe(202);
  const state = { ...newState("over", "late", defaultSettings, 0), firstReceivedAt: Date.now() };
  expect(await register(env.CONTROL, state)).toBeUndefined();
  const { generation } = await readSettings(env.TENANT, "over");
  expect(await register(env.CONTROL, { ...state, generation })).toMatchObject({
    zone: "default",
  } satisfies Partial<ObjectProfile>);
});

it("[I72] DELETE is 503 until every device knows, and the job tells those that did not answer", async () => {
  await fill("slow");
  const DEVICE = instead(env.DEVICE, {
    getByName: () => ({ setRules: () => Promise.reject(new Error("away")) }),
  });
  vi.spyOn(console, "error").mockImplementation(() => undefined);
  await problem(remove("slow", { DEVICE }), 503, "unavailable");
  await tick();
  expect((await remove("slow", { DEVICE })).status).toBe(202);
  const token = own(Date.now());
  expect(
    (await deviceOf("slow", "d1").report(packedAt(Date.now(), [Date.now(), { a: 1 }]), Date.now(), token))
      .isVoid,
  ).toBe(true);
});
