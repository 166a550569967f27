import { env, runInDurableObject } from "cloudflare:test";
import { expect, it } from "vitest";
import { VERDICTS } from "../../schemas/codes.ts";
import type { TelemetryAnswer } from "../../schemas/reading.ts";
import type { DeviceObject } from "../aggregate/device/device-object.ts";
import { changeSettings } from "../tenant.ts";
import { bearer, held, problem, T0 } from "../test-support.ts";
import { ingestEnv, type Sent, send } from "./ingest-test-support.ts";

const ask = async (tenant: string, body: unknown, more: Sent & { device?: string } = {}) => {
  const { device, headers, ...sent } = more;
  return await send({
    body: typeof body === "string" ? body : JSON.stringify(body),
    headers: { ...(await bearer(tenant, device === undefined ? "gateway" : "device", device)), ...headers },
    path: "/v1/telemetry?verdicts=each",
    ...sent,
  });
};

/** The verdicts of an answer, of which there are as many as its counts say. */
const verdictsOf = async (response: Response, status = 200) => {
  const answer = await response.json<TelemetryAnswer>();
  expect(response.status).toBe(status);
  const told = VERDICTS.map((verdict) => answer.verdicts!.filter((one) => one.verdict === verdict).length);
  expect(told).toEqual(VERDICTS.map((verdict) => answer[verdict]));
  for (const { verdict, code } of answer.verdicts!) expect(code !== undefined).toBe(verdict === "refused");
  return answer.verdicts!.map(({ index, metric, verdict, code }) => `${index} ${metric} ${code ?? verdict}`);
};

it("[F16] every reading of a mixed request has its verdict, in the order of the reports", async () => {
  await ask("each", [{ device: "d1", at: T0, metrics: { a: 1, b: 1 } }]);
  const lines = [
    JSON.stringify({ device: "d2", at: T0, metrics: { z: 1, y: 2 } }),
    '{"device":"d1",',
    JSON.stringify({ device: "d1", at: T0, metrics: { a: 1, b: 2, c: "x", d: 4 } }),
    JSON.stringify({ at: T0, metrics: { a: 1 } }),
    JSON.stringify({ device: "d1", at: T0 - 90 * 86_400_000, metrics: { a: 1 } }),
    JSON.stringify({ device: "d2", at: T0 - 3 * 3_600_000, metrics: { z: 5 } }),
  ];
  const type = { "content-type": "application/x-ndjson" };
  expect(await verdictsOf(await ask("each", lines.join("\n"), { headers: type }))).toEqual([
    "0 z stored",
    "0 y stored",
    "1 undefined malformed_json",
    "2 c not_a_number",
    "2 a duplicate",
    "2 b corrected",
    "2 d stored",
    "3 a device_missing",
    "4 a too_old",
    "5 z late",
  ]);
});

it("[F16] so have those that came too fast, and those over a quota", async () => {
  const limits = { reportsPerSecondPerDevice: 0.001, burstPerDevice: 1 };
  await changeSettings(env.TENANT, "each-fast", { limits });
  const two = [0, 1].map((i) => ({ at: T0 + i, metrics: { a: i, b: i } }));
  expect(await verdictsOf(await ask("each-fast", two, { device: "d1" }), 429)).toEqual([
    "0 a stored",
    "0 b stored",
    "1 a rate_limited",
    "1 b rate_limited",
  ]);
  await changeSettings(env.TENANT, "each-many", { limits: { devices: 0 } });
  expect(await verdictsOf(await ask("each-many", two, { device: "d1" }), 429)).toEqual(
    ["0 a", "0 b", "1 a", "1 b"].map((reading) => `${reading} quota_devices`),
  );
});

it("[F16] so have those of a request that is refused whole, for its tenant has sent all it may", async () => {
  await changeSettings(env.TENANT, "each-sum", { limits: { readingsPerSecond: 1 } });
  const post = (count: number) => {
    const metrics = Object.fromEntries(Array.from({ length: count }, (_, i) => [`m${i}`, i]));
    return ask("each-sum", [{ at: T0, metrics }], { device: "d1" });
  };
  for (const count of [1, 900]) expect((await post(count)).status).toBe(200); // told of the quota, then beyond it
  expect(await verdictsOf(await post(2), 429)).toEqual(["0 m0 quota_readings", "0 m1 quota_readings"]);
});

it("[F16] and those of an object that is away, beside those of one that is not", async () => {
  const away = {
    ...ingestEnv,
    DEVICE: {
      getByName: (name: string) =>
        name.endsWith("/away")
          ? { report: () => Promise.reject(new Error("moved")) }
          : ingestEnv.DEVICE.getByName(name),
    } as unknown as typeof ingestEnv.DEVICE,
  };
  const body = ["away", "here"].map((device) => ({ device, at: T0, metrics: { a: 1 } }));
  expect(await verdictsOf(await ask("each-away", body, { env: away }), 503)).toEqual([
    "0 a unavailable",
    "1 a stored",
  ]);
});

it("[F16] a request that took no reading has them too", async () => {
  const response = await ask("each-none", { device: "d", at: T0 - 90 * 86_400_000, metrics: { a: 1 } });
  expect(await verdictsOf(response, 422)).toEqual(["0 a too_old"]);
});

it("[F16] requests that share a commit are told apart, and who does not ask is told no verdicts", async () => {
  const posts = Array.from({ length: 8 }, (_, i) =>
    ask(
      "each-group",
      { at: T0 + (i >> 1), metrics: { a: 1 } },
      {
        device: "d1",
        ...(i % 2 === 0 ? {} : { path: "/v1/telemetry" }),
      },
    ),
  );
  const answers = await Promise.all(posts);
  for (const [i, answer] of answers.entries()) {
    if (i % 2 === 0) expect(await verdictsOf(answer)).toHaveLength(1);
    else expect(await answer.json()).not.toHaveProperty("verdicts");
  }
  const commits = await runInDurableObject<DeviceObject, number>(
    env.DEVICE.getByName("each-group/d1"),
    (object) => object.rowsWritten,
  );
  expect(commits).toBeLessThan(posts.length);
});

it("[F16] more than 10,000 readings are 400, whoever refuses them, and none of them is taken", async () => {
  const metrics = Object.fromEntries(Array.from({ length: 1_000 }, (_, i) => [`m${i}`, 1]));
  const full = Array.from({ length: 10 }, (_, i) => ({ at: T0 + i, metrics }));
  const device = env.DEVICE.getByName("each-large/d1");
  for (const more of [{ at: T0, metrics: { a: 1 } }, { at: "x", metrics: { a: 1 } }, 1]) {
    const refused = await problem(ask("each-large", [more, ...full], { device: "d1" }), 400, "invalid_query");
    expect(refused.detail).toMatch(/10000 .* 10001/);
  }
  expect(await held(device, "a")).toEqual([]);
  expect(await verdictsOf(await ask("each-large", full, { device: "d1" }))).toHaveLength(10_000);
});

it("[F16] another word than each is 400", async () => {
  const path = "/v1/telemetry?verdicts=all";
  await problem(ask("each", [], { path }), 400, "invalid_query");
});
