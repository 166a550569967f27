import { env } from "cloudflare:test";
import { expect, it, vi } from "vitest";
import type { Rule } from "../../schemas/alert.ts";
import type { Channel } from "../../schemas/channel.ts";
import type { DeviceEntry } from "../../schemas/query.ts";
import type { TenantSettings } from "../../schemas/tenant.ts";
import { packed, problem } from "../test-support.ts";
import { answerOf, ask } from "./api-test-support.ts";

vi.setConfig({ testTimeout: 60_000 });

it.each([
  [
    "/v1/devices/d1/history?metric=a&resolutoin=1h",
    /called "resolutoin" \(did you mean "resolution"\?\); there are .*maxPoints/,
  ],
  ["/v1/devices?Limit=1", /called "Limit" \(did you mean "limit"\?\)/],
  ["/v1/devices/d1?zone=a", /there is none/],
  ["/v1/devices?limit=1&limit=2", /limit: given 2 times/],
  ["/v1/devices/d1/history?metric=a&metric=b", /metric: given 2 times/],
  ["/v1/devices/d1/history/export?metric=a&format=csv&format=csv", /format: given 2 times/],
  ["/v1/zones/north/snapshot?device=no/slash", /device/],
  ["/v1/zones/north/stream?after=yesterday", /after/],
  ["/v1/fleet/stream?device=d1", /called "device".*there are after/],
  ["/healthz?x=1", /called "x"/],
])("[Q20] GET %s is refused, saying what is taken", async (path, says) => {
  const { detail } = await problem(ask("strict", "admin", path), 400, "invalid_query");
  expect(detail).toMatch(says);
});

const SECONDS = 1_767_225_600;
/** No instant, and what the refusal says. */
const NO_INSTANTS: [given: number | string, says: RegExp][] = [
  [SECONDS, /seconds.*× 1000.*not "?1767225600/],
  [SECONDS * 1e6, /micro- or nanoseconds/],
  [202601010600, /digits of a date.*2026-01-01T06:00:00Z/],
  ["2026-01-01", /a day is no instant, write 2026-01-01T00:00Z/],
];

it.each(
  [
    "devices/d1/history?metric=a",
    "devices/d1/history/export?metric=a",
    "fleet/history?metric=a",
    "zones/north/history?metric=a",
    "alerts?limit=1",
    "incidents?limit=1",
  ].flatMap((path) => ["from", "to"].map((bound) => [path, bound] as const)),
)("[Q27] GET /v1/%s: %s is refused as at would be", async (path, bound) => {
  for (const [given, says] of NO_INSTANTS) {
    const { detail } = await problem(
      ask("units", "viewer", `/v1/${path}&${bound}=${given}`),
      400,
      "invalid_query",
    );
    expect(detail).toMatch(new RegExp(`^${bound}: .*${says.source}`));
  }
});

const [FROM, TO] = [Date.UTC(2026, 0, 1), Date.UTC(2026, 0, 2)];

it.each([
  [
    "rules/preview",
    { rule: { name: "Hot", condition: { type: "threshold", metric: "a", above: 1 } }, from: FROM, to: TO },
    ["from", "to"],
  ],
  ["admin/replay", { from: FROM, to: TO }, ["from", "to"]],
  ["silences", { comment: "work", startsAt: FROM, endsAt: TO }, ["startsAt", "endsAt"]],
] as const)("[Q27] POST /v1/%s: so is one of a body", async (path, body, bounds) => {
  for (const bound of bounds) {
    for (const [given, says] of NO_INSTANTS) {
      const sent = { method: "POST", body: { ...body, [bound]: given } };
      const { detail } = await problem(ask("units", "admin", `/v1/${path}`, sent), 400, "invalid_body");
      expect(detail).toMatch(new RegExp(`^${bound}: .*${says.source}`));
    }
  }
});

it("[Q27] a silence may be told by ISO 8601 too, and is answered in epoch ms", async () => {
  const endsAt = Date.now() + 3_600_000;
  const body = {
    comment: "work",
    startsAt: new Date(endsAt - 1_000).toISOString(),
    endsAt: new Date(endsAt).toISOString(),
  };
  const answer = await answerOf(ask("units", "operator", "/v1/silences", { method: "POST", body }));
  expect(answer).toMatchObject({ startsAt: endsAt - 1_000, endsAt });
});

it("[Q21] [I27] a value of 30,000 levels is refused as any that does not fit", async () => {
  const body = `{"name":${"[".repeat(30_000)}${"]".repeat(30_000)}}`;
  const { detail } = await problem(
    ask("units", "admin", "/v1/devices/d1", { method: "PUT", body }),
    400,
    "invalid_body",
  );
  expect(detail).toMatch(/^name: .*not an array$/);
});

it("[Q20] several metrics of an export are meant", async () => {
  const answer = await ask("strict", "viewer", "/v1/devices/d1/history/export?metric=a&metric=b");
  await problem(answer, 404, "device_not_found");
});

const RULE = { name: "Hot", condition: { type: "threshold", metric: "a", above: 1 } };
const CHANNEL = { name: "Hook", target: { type: "webhook", url: "http://127.0.0.1:1/" } };
const DAY = { from: "08:00", to: "09:00" };

it.each([
  [
    "PUT",
    "/v1/devices/d1",
    { nmae: "Pump" },
    "unknown_setting",
    /^no key is called "nmae" \(did you mean "name"\?\)/,
  ],
  [
    "PUT",
    "/v1/devices/d1",
    { location: { latitude: 1, longitude: 1, altitude: 1 } },
    "unknown_setting",
    /^location: .*"altitude"/,
  ],
  ["PUT", "/v1/tenant", { commitEveryMS: 1 }, "unknown_setting", /did you mean "commitEveryMs"/],
  [
    "PUT",
    "/v1/tenant",
    { retention: { rawDays: 1, hourlyDays: 1, archiveDays: null, dead: 1 } },
    "unknown_setting",
    /^retention: .*"dead"/,
  ],
  ["POST", "/v1/rules", { ...RULE, colour: "red" }, "invalid_rule", /"colour"/],
  [
    "POST",
    "/v1/rules",
    { ...RULE, condition: { ...RULE.condition, abvoe: 1 } },
    "invalid_rule",
    /^condition: .*did you mean "above"/,
  ],
  [
    "POST",
    "/v1/rules",
    { ...RULE, escalation: [{ afterMs: 60_000, channel: "x" }] },
    "invalid_rule",
    /^escalation\.0: .*did you mean "channels"/,
  ],
  [
    "POST",
    "/v1/rules/preview",
    { rule: RULE, from: 0, to: 1, devcie: "d1" },
    "invalid_body",
    /did you mean "device"/,
  ],
  [
    "POST",
    "/v1/channels",
    { ...CHANNEL, target: { ...CHANNEL.target, secert: "s" } },
    "invalid_body",
    /^target: .*did you mean "secret"\?\); there are type, url, secret$/,
  ],
  [
    "POST",
    "/v1/silences",
    { comment: "c", endsAt: null, hours: [{ ...DAY, tz: "UTC" }] },
    "invalid_body",
    /^hours\.0: .*"tz"/,
  ],
  ["POST", "/v1/alerts/hot.0.1.d1/ack", { txet: "t" }, "invalid_body", /did you mean "text"/],
  ["POST", "/v1/admin/replay", { from: 0, to: 1, sorce: "blocks" }, "invalid_body", /did you mean "source"/],
  ["POST", "/v1/admin/import", { zoen: "north" }, "invalid_body", /did you mean "zone"/],
] as const)("[Q21] %s %s %j: %s", async (method, path, body, code, says) => {
  expect((await problem(ask("strict", "admin", path, { method, body }), 400, code)).detail).toMatch(says);
});

it("[Q21] the key that is unknown is named, not the one it stands for", async () => {
  const { name: nmae, ...rest } = RULE;
  const asked = ask("strict", "admin", "/v1/rules", { method: "POST", body: { ...rest, nmae } });
  expect((await problem(asked, 400, "invalid_rule")).detail).toMatch(/"nmae" \(did you mean "name"\?\)/);
});

it.each([
  [
    { limits: { burstPerDevise: 5 } },
    "unknown_setting",
    /limits: no key is called "burstPerDevise" \(did you mean "burstPerDevice"\?\)/,
  ],
  [{ limits: { reportsPerSecondPerDevice: 0 } }, "invalid_body", /limits.reportsPerSecondPerDevice.*0\.001/],
  [{ limits: { burstPerDevice: 1e9 } }, "invalid_body", /limits.burstPerDevice.*1000000/],
  [{ retention: { rawDays: 7, hourlyDays: 30, archiveDays: 1e9 } }, "invalid_body", /archiveDays.*100000/],
] as const)("[F7] the tenant cannot choose %o", async (body, code, says) => {
  const asked = ask("bounds", "admin", "/v1/tenant", { method: "PUT", body });
  expect((await problem(asked, 400, code)).detail).toMatch(says);
});

it("[F6] a device that reports already has a new limit at once", async () => {
  const device = env.DEVICE.getByName("told/d1");
  await device.report(packed([Date.now(), { a: 1 }]), Date.now());
  await vi.waitFor(async () => await answerOf(ask("told", "viewer", "/v1/devices/d1")), { timeout: 10_000 });
  const settings = await answerOf<TenantSettings>(ask("told", "viewer", "/v1/tenant"));
  const limits = { reportsPerSecondPerDevice: 0.001, burstPerDevice: 2 };
  for (let i = 0; i < 2; i++) {
    const put = ask("told", "admin", "/v1/tenant", { method: "PUT", body: { ...settings, limits } });
    expect(await answerOf(put)).toEqual({ ...settings, limits: { ...settings.limits, ...limits } });
  }
  const answer = await device.report(
    packed(...[1, 2, 3].map((i): [number, Record<string, number>] => [Date.now() + i, { a: i }])),
    Date.now(),
  );
  expect(answer).toMatchObject({ counts: [2, 0, 0, 0, 0, 1], limited: { taken: 2 } });
});

it("[Q21] what is refused changed nothing", async () => {
  const put = (body: object) => ask("same", "admin", "/v1/tenant", { method: "PUT", body });
  await problem(put({ plan: "free", plam: "paid" }), 400, "unknown_setting");
  expect(await answerOf<TenantSettings>(ask("same", "viewer", "/v1/tenant"))).toMatchObject({ plan: "paid" });
});

it("[Q22] what GET answered can be edited and PUT back, whole; what only we write cannot be changed", async () => {
  const put = (path: string, body: object) => ask("back", "admin", path, { method: "PUT", body });
  const post = (path: string, body: object) => ask("back", "admin", path, { method: "POST", body });
  const get = <Answer>(path: string) => answerOf<Answer>(ask("back", "admin", path));
  const conflicts = async (path: string, body: object, says: RegExp) =>
    expect((await problem(put(path, body), 409, "conflict")).detail).toMatch(says);

  await answerOf(put("/v1/devices/d1", { zone: "north" }));
  const device = await get<DeviceEntry>("/v1/devices/d1");
  expect(await answerOf(put("/v1/devices/d1", { ...device, name: "Pump" }))).toEqual({
    ...device,
    name: "Pump",
  });
  await conflicts(
    "/v1/devices/d1",
    { ...device, device: "d2" },
    /^device: it is "d1", and cannot be set to "d2"/,
  );
  await conflicts("/v1/devices/d1", { ...device, firstSeenAt: 5 }, /^firstSeenAt: it is null/);
  expect(await answerOf(put("/v1/devices/new", { device: "new", firstSeenAt: null }))).toMatchObject({
    device: "new",
  });

  await answerOf(post("/v1/rules", { ...RULE, id: "hot" }));
  const settings = await get<TenantSettings>("/v1/tenant");
  expect(settings.rulesVersion).toBe(1);
  expect(await answerOf(put("/v1/tenant", { ...settings, plan: "free" }))).toEqual({
    ...settings,
    plan: "free",
  });
  await conflicts(
    "/v1/tenant",
    { ...settings, rulesVersion: 9 },
    /^rulesVersion: it is 1, and cannot be set to 9; leave it out/,
  );
  expect(await get<TenantSettings>("/v1/tenant")).toMatchObject({ rulesVersion: 1, plan: "free" });

  const rule = await get<Rule>("/v1/rules/hot");
  await conflicts("/v1/rules/hot", { ...rule, updatedBy: "somebody" }, /^updatedBy/);
  expect(await answerOf(put("/v1/rules/hot", { ...rule, name: "Hotter" }))).toMatchObject({
    name: "Hotter",
    version: 2,
  });

  await answerOf(post("/v1/channels", { ...CHANNEL, id: "hook" }));
  const channel = await get<Channel>("/v1/channels/hook");
  await conflicts("/v1/channels/hook", { ...channel, createdAt: 1 }, /^createdAt/);
  expect(await answerOf(put("/v1/channels/hook", { ...channel, name: "Hooked" }))).toMatchObject({
    name: "Hooked",
  });
});
