import { env } from "cloudflare:test";
import { expect, it, vi } from "vitest";
import { decodeBlock } from "../../core/block/decode.ts";
import type { Rule } from "../../schemas/alert.ts";
import type { PreviewAnswer } from "../../schemas/alert-http.ts";
import { RULES_PER_TENANT_MAX } from "../../schemas/limits.ts";
import type { TenantRules } from "../../schemas/message.ts";
import { pushRulesPending } from "../aggregate/chores/push-rules-pending.ts";
import type { AggregateEnv } from "../aggregate/env.ts";
import { storeBlocks } from "../aggregate/queues/store-blocks.ts";
import { blockMessageOf, HOUR_MS, packed, problem, rowsOnceKnown, T0 } from "../test-support.ts";
import { answerOf, ask, named, register } from "./api-test-support.ts";

vi.setConfig({ testTimeout: 60_000 });

const hot = { name: "Too hot", condition: { type: "threshold", metric: "temp", above: 80 } };

/** Devices that keep what they are told; those of `away` do not answer. */
class ToldDevices {
  readonly told: { device: string; version: number; rules: Rule[] }[] = [];
  away: string[] = [];

  getByName(name: string) {
    return {
      setRules: async ({ version, rules }: TenantRules) => {
        const device = name.slice(name.indexOf("/") + 1);
        if (this.away.includes(device)) throw new Error("away");
        this.told.push({ device, version, rules });
      },
    };
  }

  /** Who was told since the last look, by name. */
  take(): string[] {
    return this.told.splice(0).map(({ device }) => device);
  }
}

const pending = (tenant: string) =>
  env.CONTROL.prepare("SELECT count(*) AS count FROM rules_push WHERE tenant = ?1")
    .bind(tenant)
    .first<number>("count");

const tick = (devices: ToldDevices) =>
  pushRulesPending({
    env: { ...env, DEVICE: devices } as unknown as AggregateEnv,
    cursor: "",
    untilMs: Number.MAX_SAFE_INTEGER,
  });

it.each([
  [{}, /name.*expected string/],
  [{ ...hot, condition: { type: "magic" } }, /condition\.type.*'threshold'.*not "magic"/],
  [{ ...hot, condition: { type: "threshold", metric: "temp" } }, /never fire.*give one of them/],
  [{ ...hot, condition: { ...hot.condition, clear: 90 } }, /"clear" \(90\).*at most 80/],
  [{ ...hot, forMs: -5 }, /forMs.*>=0, not -5/],
  [{ ...hot, count: 1_001 }, /count.*<=1000, not 1001/],
  [{ ...hot, scope: { zone: "no/slash" } }, /scope\.zone.*not "no\/slash"/],
  [{ ...hot, scope: { planet: "mars" } }, /scope.*planet/],
  [{ ...hot, id: "Has.Dots" }, /id: an id is 1 to 40.*not "Has\.Dots"/],
  [{ ...hot, wrong: 1 }, /wrong/],
  [{ ...hot, channels: ["nobody"] }, /no channel nobody; GET \/v1\/channels/],
  [{ ...hot, escalation: [{ afterMs: 60_000, channels: ["no-one"] }] }, /no channel no-one/],
  [[], /expected object/],
])("[A1] a rule is refused with what is wrong, the limit and the remedy: %j", async (body, says) => {
  await ask("bad-rules", "operator", "/v1/rules", { method: "POST", body: { ...hot, id: "good" } });
  for (const [method, path] of [
    ["POST", "/v1/rules"],
    ["PUT", "/v1/rules/good"],
  ] as const) {
    const refused = await problem(ask("bad-rules", "operator", path, { method, body }), 400, "invalid_rule");
    expect(refused.detail).toMatch(says);
  }
  expect(await answerOf(ask("bad-rules", "viewer", "/v1/rules"))).toMatchObject({
    rules: [{ id: "good", version: 1 }],
  });
});

it("[A1] a rule that can never fire is not tried against history either", async () => {
  const rule = { ...hot, condition: { type: "threshold", metric: "temp" } };
  const body = { rule, device: "d1", from: T0, to: T0 + 1 };
  const asked = ask("bad-rules", "viewer", "/v1/rules/preview", { method: "POST", body });
  expect((await problem(asked, 400, "invalid_rule")).detail).toMatch(/never fire/);
  const post = (sent: object) =>
    ask("bad-rules", "viewer", "/v1/rules/preview", {
      method: "POST",
      body: { ...body, rule: hot, ...sent },
    });
  expect((await problem(post({ rule: { ...hot, forMs: -1 } }), 400, "invalid_rule")).detail).toMatch(
    /rule\.forMs/,
  );
  expect((await problem(post({ from: "yesterday" }), 400, "invalid_body")).detail).toMatch(
    /from: an instant is epoch ms or ISO 8601, not "yesterday"/,
  );
  expect((await problem(post({ to: T0 }), 400, "invalid_body")).detail).toMatch(/"from" is before "to"/);
  await problem(post({ device: "never" }), 404, "device_not_found");
});

it("[A2] [A47] a change has a higher version and says whose it is; what GET gave may be sent back", async () => {
  const headers = await named("rules", "operator", "Ada");
  const made = await ask("rules", "operator", "/v1/rules", { method: "POST", body: hot, headers });
  expect(made.status).toBe(201);
  const rule = await made.json<Rule>();
  expect(made.headers.get("location")).toBe(`/v1/rules/${rule.id}`);
  expect(rule).toMatchObject({
    ...hot,
    version: 1,
    updatedBy: "Ada",
    severity: "warning",
    cooldownMs: 300_000,
  });
  const path = `/v1/rules/${rule.id}`;
  const put = (body: object) => ask("rules", "operator", path, { method: "PUT", body });
  const changed = await answerOf<Rule>(put({ ...rule, name: "Hot" }));
  expect(changed).toMatchObject({
    name: "Hot",
    version: 2,
    updatedBy: "operator",
    createdAt: rule.createdAt,
  });
  expect(await answerOf(ask("rules", "viewer", path))).toEqual(changed);
  expect((await problem(put({ ...rule, name: "Late" }), 409, "conflict")).detail).toMatch(/somebody changed/);
  expect((await problem(put({ ...rule, id: "other" }), 400, "invalid_rule")).detail).toMatch(
    /id: other is not/,
  );
  expect(await answerOf(put(hot))).toMatchObject({ name: "Too hot", version: 3 });
  const twice = ask("rules", "operator", "/v1/rules", { method: "POST", body: { ...hot, id: rule.id } });
  expect((await problem(twice, 409, "conflict")).detail).toMatch(`PUT ${path}`);
  await answerOf(ask("rules", "operator", path, { method: "DELETE" }));
  for (const method of ["GET", "PUT", "DELETE"]) {
    const gone = ask("rules", "operator", path, method === "PUT" ? { method, body: hot } : { method });
    await problem(gone, 404, "rule_not_found");
  }
});

it("[A2] of two changes to the same version one is made", async () => {
  await answerOf(ask("race", "operator", "/v1/rules", { method: "POST", body: { ...hot, id: "hot" } }));
  const put = (name: string) =>
    ask("race", "operator", "/v1/rules/hot", { method: "PUT", body: { ...hot, name, version: 1 } });
  const answers = await Promise.all(["a", "b", "c", "d"].map(put));
  expect(answers.map(({ status }) => status).sort()).toEqual([200, 409, 409, 409]);
  expect(await answerOf(ask("race", "viewer", "/v1/rules/hot"))).toMatchObject({ version: 2 });
});

it("[A2] the devices a rule concerns, or did, are told of all rules before the answer, each time at a higher version", async () => {
  await register("told", [
    { device: "n1", zone: "north" },
    { device: "n2", zone: "north" },
    { device: "s1" },
  ]);
  const devices = new ToldDevices();
  const change = (method: string, path: string, body?: object) =>
    answerOf(ask("told", "operator", `/v1/rules${path}`, { method, body, bindings: { DEVICE: devices } }));
  await change("POST", "", { ...hot, id: "hot", scope: { zone: "north" } });
  expect(devices.told).toMatchObject([
    { device: "n1", version: 1, rules: [{ id: "hot" }] },
    { device: "n2", version: 1, rules: [{ id: "hot" }] },
  ]);
  devices.take();
  await change("PUT", "/hot", { ...hot, scope: { device: "s1" } });
  expect(devices.told.map(({ version }) => version)).toEqual([2, 2, 2]);
  expect(devices.take()).toEqual(["n1", "n2", "s1"]);
  await change("POST", "", { ...hot, id: "off", enabled: false });
  expect(devices.told.at(-1)?.rules.map(({ id }) => id)).toEqual(["hot", "off"]);
  expect(devices.take()).toEqual(["n1", "n2", "s1"]);
  await change("DELETE", "/hot");
  expect(devices.told).toMatchObject([{ device: "s1", version: 4, rules: [{ id: "off" }] }]);
  await change("POST", "", { ...hot, scope: { zone: "north", device: "s1" } });
  expect(devices.take()).toEqual(["s1"]); // the deletion's; nobody is both
  expect(await pending("told")).toBe(0);
});

it("[A2] a device that does not answer, and those after it, are told by the cron; one that is away then is left", async () => {
  await register(
    "away",
    Array.from({ length: 120 }, (_, i) => ({ device: `d${1_000 + i}` })),
  );
  const devices = new ToldDevices();
  devices.away = ["d1070"];
  const bindings = { DEVICE: devices };
  await answerOf(ask("away", "operator", "/v1/rules", { method: "POST", body: hot, bindings }));
  expect(new Set(devices.take()).has("d1119")).toBe(false);
  expect(await pending("away")).toBe(1);
  await tick(devices);
  expect(devices.told.every(({ version }) => version === 1)).toBe(true);
  const told = devices.take();
  expect(told).toContain("d1119");
  expect(told).not.toContain("d1070");
  expect(await pending("away")).toBe(0);
});

it("[A2] of a large fleet the cron tells the rest, once", async () => {
  const names = Array.from({ length: 2_300 }, (_, i) => `d${10_000 + i}`);
  await register(
    "large",
    names.map((device) => ({ device })),
  );
  const devices = new ToldDevices();
  const bindings = { DEVICE: devices };
  await answerOf(ask("large", "operator", "/v1/rules", { method: "POST", body: hot, bindings }));
  await vi.waitFor(() => expect(devices.told.length).toBeGreaterThanOrEqual(2_000), { timeout: 30_000 });
  await vi.waitFor(async () => {
    const after = env.CONTROL.prepare("SELECT after_device FROM rules_push WHERE tenant = 'large'");
    expect(await after.first("after_device")).toBe("d11999");
  });
  await tick(devices);
  expect(devices.take()).toEqual(names);
  expect(await pending("large")).toBe(0);
});

it("[A2] a change whose version could not be raised is told by the cron", async () => {
  await register("mute", [{ device: "d1" }]);
  const devices = new ToldDevices();
  const TENANT = { idFromName: () => "", get: () => ({ fetch: () => Promise.reject(new Error("away")) }) };
  const bindings = { DEVICE: devices, TENANT };
  await answerOf(ask("mute", "operator", "/v1/session")); // so that it is known what was revoked
  await answerOf(ask("mute", "operator", "/v1/rules", { method: "POST", body: hot, bindings }));
  expect(devices.take()).toEqual([]);
  await tick(devices);
  expect(devices.told).toMatchObject([{ device: "d1", version: 1 }]);
});

it("[A1] a tenant has at most 200 rules", async () => {
  const rule = { ...hot, enabled: false, id: "one", version: 1, createdAt: 0, updatedAt: 0, updatedBy: "" };
  await env.CONTROL.prepare("INSERT INTO rule SELECT 'full', 'rule-' || value, ?2 FROM json_each(?1)")
    .bind(JSON.stringify(Array.from({ length: RULES_PER_TENANT_MAX - 1 }, (_, i) => i)), JSON.stringify(rule))
    .run();
  const post = (id: string) => ask("full", "operator", "/v1/rules", { method: "POST", body: { ...hot, id } });
  expect((await post("last")).status).toBe(201);
  expect((await problem(post("more"), 409, "conflict")).detail).toMatch(/may have 200; delete one/);
});

it("[I5] another tenant's rules do not exist for the caller", async () => {
  await answerOf(ask("owner", "operator", "/v1/rules", { method: "POST", body: { ...hot, id: "hot" } }));
  expect(await answerOf(ask("stranger", "admin", "/v1/rules"))).toEqual({ rules: [] });
  await problem(ask("stranger", "admin", "/v1/rules/hot"), 404, "rule_not_found");
  const put = ask("stranger", "admin", "/v1/rules/hot", { method: "PUT", body: hot });
  await problem(put, 404, "rule_not_found");
  await problem(ask("stranger", "admin", "/v1/rules/hot", { method: "DELETE" }), 404, "rule_not_found");
  expect(await answerOf(ask("owner", "viewer", "/v1/rules"))).toMatchObject({ rules: [{ version: 1 }] });
});

it("[A46] a preview says when the rule would have fired on what the device has, also one that is disabled", async () => {
  const device = env.DEVICE.getByName("preview/d1");
  const at = (minute: number) => T0 + minute * 60_000;
  const temps = [20, 90, 95, 30, 85, 20, 20];
  await device.report(
    packed(...temps.map((temp, i) => [at(i), { temp }] as [number, object & { temp: number }])),
    at(9),
  );
  await rowsOnceKnown(device);
  const preview = (rule: object, range: object = {}) =>
    answerOf<PreviewAnswer>(
      ask("preview", "viewer", "/v1/rules/preview", {
        method: "POST",
        body: { rule, from: new Date(T0).toISOString(), to: at(60), ...range },
        headers: { "telltale-clock": String(at(120)) },
      }),
    );
  const found = await preview({ ...hot, cooldownMs: 0, enabled: false });
  expect(found).toMatchObject({ readings: 7, partial: false });
  expect(found.devices).toMatchObject([
    {
      device: "d1",
      episodes: [
        { firedAt: at(1), reading: { at: at(1), value: 90 }, resolvedAt: at(3), clearedBy: { value: 30 } },
        { firedAt: at(4), reading: { at: at(4), value: 85 }, resolvedAt: at(5), clearedBy: { value: 20 } },
      ],
    },
  ]);
  const half = await preview({ ...hot, cooldownMs: 0 }, { from: at(4) });
  expect(half.devices[0]!.episodes.map(({ firedAt }) => firedAt)).toEqual([at(4)]);
  const silent = await preview({ name: "Silent", condition: { type: "no_data", afterMs: 10 * 60_000 } });
  expect(silent.devices[0]!.episodes).toMatchObject([{ firedAt: at(16), resolvedAt: null }]);
});

it("[A77] a hot rule is stored, and a preview of one is refused with what to ask instead", async () => {
  const rule = { name: "Sends too much", condition: { type: "hot" }, forMs: 300_000 };
  const post = (path: string, body: object) =>
    ask("hot-rules", "operator", path, { method: "POST", body: JSON.stringify(body) });
  expect((await post("/v1/rules", rule)).status).toBe(201);
  expect((await post("/v1/rules", { ...rule, count: 2 })).status).toBe(400);
  const refused = await post("/v1/rules/preview", { rule, from: 1, to: 2 });
  expect(refused.status).toBe(400);
  expect(await refused.json()).toMatchObject({
    code: "invalid_body",
    detail: expect.stringContaining("GET /v1/devices?hot=true"),
  });
});

it("[A74] a preview looks at the first 50,000 readings, and says of which device it left out what", async () => {
  const name = "d1";
  const hours = [0, 1, 2];
  const stepMs = 150; // 24,000 readings an hour
  for (const hour of hours) {
    const startMs = T0 - 10 * HOUR_MS + hour * HOUR_MS;
    const temp = Array.from({ length: HOUR_MS / stepMs }, (_, i): [number, number] => [
      startMs + i * stepMs,
      20,
    ]);
    const message = blockMessageOf("preview-big", name, startMs, { temp });
    await storeBlocks(env.WARM_0, env.COLD, [{ ...message, block: decodeBlock(message.block) }]);
  }
  await register("preview-big", [{ device: name, zone: "roof" }]);
  const startMs = T0 - 10 * HOUR_MS;
  const found = await answerOf<PreviewAnswer>(
    ask("preview-big", "viewer", "/v1/rules/preview", {
      method: "POST",
      body: { rule: hot, from: startMs, to: startMs + 3 * HOUR_MS },
      headers: { "telltale-clock": String(T0) },
    }),
  );
  expect(found.readings).toBe(50_000);
  const untilMs = startMs + 50_000 * stepMs;
  expect(found.leftOut).toEqual([{ device: name, fromMs: untilMs, toMs: startMs + 3 * HOUR_MS }]);
});

it("[A46] of many devices the first ten are tried, and the answer says so", async () => {
  await register(
    "many",
    Array.from({ length: 11 }, (_, i) => ({ device: `d${10 + i}`, zone: "roof" })),
  );
  const body = { rule: { ...hot, scope: { zone: "roof" } }, from: T0, to: T0 + 60_000 };
  const preview = (sent: object) =>
    answerOf<PreviewAnswer>(
      ask("many", "viewer", "/v1/rules/preview", {
        method: "POST",
        body: { ...body, ...sent },
        headers: { "telltale-clock": String(T0 + 3_600_000) },
      }),
    );
  const { devices, partial } = await preview({});
  expect([devices.length, devices[0]!.device, partial]).toEqual([10, "d10", true]);
  expect(await preview({ device: "d20" })).toMatchObject({ devices: [{ device: "d20" }], partial: false });
});
