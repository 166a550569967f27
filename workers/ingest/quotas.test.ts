import { env } from "cloudflare:test";
import { expect, it, vi } from "vitest";
import type { DeviceEntry } from "../../schemas/query.ts";
import type { TelemetryAnswer } from "../../schemas/reading.ts";
import type { QuotaAnswer } from "../../schemas/tenant.ts";
import { pushRulesPending } from "../aggregate/chores/push-rules-pending.ts";
import { storageQuota } from "../aggregate/chores/storage-quota.ts";
import type { AggregateEnv } from "../aggregate/env.ts";
import { answerOf, ask } from "../api/api-test-support.ts";
import { changeSettings, readUse } from "../tenant.ts";
import { bearer, problem, T0, upgrade } from "../test-support.ts";
import { ingestEnv, send } from "./ingest-test-support.ts";
import { ingest } from "./worker.ts";

const post = async (tenant: string, devices: readonly string[], at = T0) =>
  await send({
    body: JSON.stringify(devices.map((device) => ({ device, at, metrics: { a: 1 } }))),
    headers: await bearer(tenant, "gateway"),
  });
const names = (count: number) => Array.from({ length: count }, (_, i) => `d${i}`);
const listed = async (tenant: string) =>
  (await answerOf<{ devices: { device: string }[] }>(ask(tenant, "viewer", "/v1/devices"))).devices.length;

it("[F9] of a gateway's twenty new devices exactly as many are let in as the tenant may have", async () => {
  await changeSettings(env.TENANT, "crowd", { limits: { devices: 5 } });
  const response = await post("crowd", names(20));
  const answer = (await problem(response, 429, "quota_devices")) as unknown as TelemetryAnswer;
  expect(answer).toMatchObject({ stored: 5, refused: 15 });
  expect(answer.limitedReports!.reduce((sum, [from, to]) => sum + to - from, 0)).toBe(15);
  await vi.waitFor(async () => expect(await listed("crowd")).toBe(5), { timeout: 10_000 });
  const refused = answer.problems.map(({ index }) => index);
  const known = names(20).filter((_, index) => !refused.includes(index));
  expect(await (await post("crowd", known, T0 + 1)).json()).toMatchObject({ stored: 5, refused: 0 });
  expect(await env.DEVICE.getByName(`crowd/d${refused[0]}`).latest()).toBeNull();
});

it("[F9] deleting a device makes room at once; one made ahead has its place", async () => {
  await changeSettings(env.TENANT, "room", { limits: { devices: 2 } });
  expect((await post("room", ["d0"])).status).toBe(200);
  const ahead = { method: "PUT", body: { name: "Ahead" } };
  await answerOf(ask("room", "operator", "/v1/devices/ahead", ahead));
  await problem(ask("room", "operator", "/v1/devices/third", ahead), 429, "quota_devices");
  await problem(post("room", ["third"]), 429, "quota_devices");
  expect((await post("room", ["ahead"])).status).toBe(200);
  expect((await ask("room", "admin", "/v1/devices/d0", { method: "DELETE" })).status).toBe(202);
  await vi.waitFor(async () => expect((await post("room", ["third"])).status).toBe(200), { timeout: 5_000 });
  await problem(post("room", ["d0"]), 429, "quota_devices");
});

it("[F9] [F49] devices made ahead together are made or refused together, and warn of the limit", async () => {
  await changeSettings(env.TENANT, "bulk", { limits: { devices: 3 } });
  const make = (...names: string[]) =>
    ask("bulk", "operator", "/v1/devices", {
      method: "POST",
      body: { devices: names.map((device) => ({ device })) },
    });
  expect(await answerOf(make("a", "b"))).toMatchObject({ made: 2 });
  expect((await readUse(env.TENANT, "bulk")).warned).toEqual([]);
  await problem(make("b", "c", "d"), 429, "quota_devices");
  expect(await answerOf(make("a", "b", "c"))).toMatchObject({ made: 1, exists: 2 });
  expect((await readUse(env.TENANT, "bulk")).warned).toEqual(["devices"]);
});

it("[F9] a device that is one too many is refused its socket, too", async () => {
  await changeSettings(env.TENANT, "shut", { limits: { devices: 0 } });
  const headers = await bearer("shut", "device", "d1");
  const refused = await ingest.fetch(upgrade("/v1/connect", headers), ingestEnv, {} as ExecutionContext);
  await problem(refused, 429, "quota_devices");
});

it("[F10] a device whose tenant does not answer is let in", async () => {
  await changeSettings(env.TENANT, "away", { limits: { devices: 0 } });
  const counted = vi.spyOn(env.CONTROL, "batch").mockRejectedValue(new Error("D1 is away"));
  const answer = await post("away", ["d1"]).finally(() => counted.mockRestore());
  expect(await answer.json()).toMatchObject({ stored: 1 });
});

it("[F8] what a tenant sends beyond its readings a second is refused whole, and taken after its time", async () => {
  await changeSettings(env.TENANT, "much", { limits: { readingsPerSecond: 1 } });
  expect((await post("much", ["d0"])).status).toBe(200); // from here on the isolate knows
  const answers: Response[] = [];
  for (let i = 1; i <= 30; i++) answers.push(await post("much", ["d0", "d1"], T0 + i));
  const refused = answers.filter(({ status }) => status === 429);
  expect(refused.length).toBeGreaterThanOrEqual(30 - 12 - 5);
  const said = (await problem(refused.at(-1)!, 429, "quota_readings")) as unknown as TelemetryAnswer;
  expect(said).toMatchObject({ stored: 0, refused: 2, limitedReports: [[0, 2]] });
  const again = async () => expect((await post("much", ["d0", "d1"], T0 + 30)).status).toBe(200);
  await vi.waitFor(again, { timeout: 10_000, interval: 300 });
});

it("[F11] [F12] who sends too much is listed, and what was refused is counted by why and by device", async () => {
  const limits = { reportsPerSecondPerDevice: 0.1, burstPerDevice: 3, devices: 2 };
  await changeSettings(env.TENANT, "busy", { limits });
  expect((await post("busy", ["calm"])).status).toBe(200);
  const mad = Array.from({ length: 50 }, () => "mad");
  await problem(post("busy", mad), 429, "rate_limited");
  await problem(post("busy", ["other"]), 429, "quota_devices");
  await vi.waitFor(async () => expect(await listed("busy")).toBe(2), { timeout: 10_000 });
  const told = async () => {
    const quota = await answerOf<QuotaAnswer>(ask("busy", "viewer", "/v1/tenant/quota"));
    expect(quota).toMatchObject({ limits, use: { devices: 2, storageBytes: 0, hotDevices: 1 } });
    expect(quota).toMatchObject({
      refused: { rate_limited: 47, quota_devices: 1 },
      refusedByDevice: { mad: 47, other: 1 },
    });
  };
  await vi.waitFor(told, { timeout: 5_000 });
  const { devices } = await answerOf<{ devices: DeviceEntry[] }>(
    ask("busy", "viewer", "/v1/devices?hot=true"),
  );
  expect(devices).toMatchObject([{ device: "mad", zone: "default" }]);
  expect(devices[0]!.reportsPerSecond).toBeCloseTo(50 / 60, 1);
});

it("[F15] a tenant that has more files than it may has its devices refused, until there is room", async () => {
  expect((await post("full", ["d0"])).status).toBe(200);
  await vi.waitFor(async () => expect(await listed("full")).toBe(1), { timeout: 10_000 });
  const put = (storageBytes: number | null) =>
    answerOf(ask("full", "admin", "/v1/tenant", { method: "PUT", body: { limits: { storageBytes } } }));
  await put(1_000);
  expect((await post("full", ["d0"], T0 + 1)).status).toBe(200);
  const file = env.WARM_0.prepare(
    `INSERT INTO archive_file (tenant, date, key, kind, from_ms, to_ms, min_device, max_device, row_count, bytes, blocks, created_at)
     VALUES ('full', '2026-01-01', 'k', 'raw', 0, 1, 'd0', 'd0', 1, 1001, '[]', 0)`,
  );
  await file.run();
  const turn = { env: env as unknown as AggregateEnv, cursor: "", untilMs: Number.POSITIVE_INFINITY };
  expect(await storageQuota(turn)).toBe("");
  await pushRulesPending(turn);
  const refused = (await problem(
    post("full", ["d0"], T0 + 2),
    429,
    "quota_storage",
  )) as unknown as TelemetryAnswer;
  expect(refused).toMatchObject({ stored: 0, refused: 1, problems: [{ code: "quota_storage" }] });
  await put(2_000);
  expect((await post("full", ["d0"], T0 + 2)).status).toBe(200);
});
