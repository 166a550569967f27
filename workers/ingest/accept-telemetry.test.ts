import { env } from "cloudflare:test";
import { expect, it } from "vitest";
import { signToken } from "../../core/token/sign.ts";
import type { TelemetryAnswer } from "../../schemas/reading.ts";
import { bearer, held, problem, T0 } from "../test-support.ts";
import { ingestEnv, report, send } from "./ingest-test-support.ts";

const readings = (answer: TelemetryAnswer) =>
  answer.stored + answer.duplicate + answer.corrected + answer.late + answer.quarantined + answer.refused;

it("[I1] a device's report is stored as its own, and so is what a gateway says of several", async () => {
  const own = await send({ body: JSON.stringify(report(1)), headers: await bearer("front", "device", "d1") });
  expect(await own.json()).toEqual({
    stored: 1,
    duplicate: 0,
    corrected: 0,
    late: 0,
    quarantined: 0,
    refused: 0,
    problems: [],
  });
  const several = ["d1", "d2", "d3"].map((device) => report(1, { device }));
  const gateway = await send({ body: JSON.stringify(several), headers: await bearer("front", "gateway") });
  expect(await gateway.json()).toMatchObject({ stored: 2, duplicate: 1 });
  expect(await held(env.DEVICE.getByName("front/d3"), "a")).toEqual([[T0, 1]]);
});

it("[I2] [I3] [I4] who may not send is told why, and nothing is stored", async () => {
  const sign = (role: "device" | "viewer" | "gateway", ttlSeconds: number, secret = env.TOKEN_SECRET) =>
    signToken(
      { tenant: "shut", role, ttlSeconds, ...(role === "device" ? { device: "d1" } : {}) },
      secret,
      Date.now(),
    );
  const tryWith = async (token: string | undefined) =>
    await send({
      body: JSON.stringify(report(1, { device: "d1" })),
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    });
  const missing = await tryWith(undefined);
  expect(missing.headers.get("www-authenticate")).toContain("Bearer");
  await problem(missing, 401, "token_missing");
  await problem(tryWith(await sign("device", 0)), 401, "token_expired");
  await problem(
    tryWith(await sign("device", 3600, "another secret, as long as a secret should be")),
    401,
    "token_invalid",
  );
  await problem(tryWith("not.a.token"), 401, "token_invalid");
  await problem(tryWith(await sign("viewer", 3600)), 403, "forbidden");
  await problem(send({ body: "{}", env: { ...ingestEnv, TOKEN_SECRET: undefined } }), 503, "not_configured");
  expect(await env.DEVICE.getByName("shut/d1").latest()).toBeNull();
});

it("[I5] the tenant is the token's, whatever the request says", async () => {
  const headers = { ...(await bearer("mine", "gateway")), tenant: "theirs", "x-tenant": "theirs" };
  await send({
    body: JSON.stringify(report(1, { device: "d1", tenant: "theirs" })),
    headers,
    path: "/v1/telemetry?tenant=theirs",
  });
  expect(await held(env.DEVICE.getByName("mine/d1"), "a")).toHaveLength(1);
  expect(await env.DEVICE.getByName("theirs/d1").latest()).toBeNull();
});

it("[I6] another device's report is refused; when none is its own the request is 403", async () => {
  const headers = await bearer("strict", "device", "d1");
  const mixed = await send({ body: JSON.stringify([report(1), report(2, { device: "d2" })]), headers });
  expect(await mixed.json()).toMatchObject({
    stored: 1,
    refused: 1,
    problems: [{ index: 1, code: "device_mismatch" }],
  });
  await problem(
    send({ body: JSON.stringify([report(2, { device: "d2" })]), headers }),
    403,
    "device_mismatch",
  );
  expect(await env.DEVICE.getByName("strict/d2").latest()).toBeNull();
});

it("[I8] [I10] the six counts add up to the readings sent, whatever became of them", async () => {
  const headers = await bearer("sums", "gateway");
  await send({ body: JSON.stringify(report(1, { device: "d1" })), headers });
  const lines = [
    JSON.stringify({ at: T0, device: "d1", metrics: { a: 1, b: 2, c: "x" } }), // duplicate, stored, refused
    '{"at":1,"metr', // one
    JSON.stringify({ at: T0, device: "d1", metrics: { a: 5 } }), // corrected
    `{"at":${T0},"device":"d2","metrics":{"a":NaN,"b":1e999,"c":3}}`, // two refused, one stored
    JSON.stringify({ at: T0 - 90 * 86_400_000, device: "d2", metrics: { a: 1, b: 2 } }), // too old by the device
    JSON.stringify({ at: T0, metrics: { a: 1 } }), // no device
    "[]", // one
  ];
  const answer = await (
    await send({ body: lines.join("\n"), headers: { ...headers, "content-type": "application/x-ndjson" } })
  ).json<TelemetryAnswer>();
  expect(readings(answer)).toBe(3 + 1 + 1 + 3 + 2 + 1 + 1);
  expect(answer).toMatchObject({ stored: 2, duplicate: 1, corrected: 1, refused: 8 });
  expect(answer.problems.map(({ index, code }) => [index, code])).toEqual([
    [0, "not_a_number"],
    [1, "malformed_json"],
    [3, "not_finite"],
    [3, "not_finite"],
    [4, "too_old"],
    [5, "device_missing"],
    [6, "invalid_report"],
  ]);
});

it("[I9] a body of which nothing can be read is 400", async () => {
  const headers = await bearer("unread", "device", "d1");
  await problem(send({ body: '{"metrics":', headers }), 400, "malformed_json");
  await problem(send({ body: "  ", headers }), 400, "empty_body");
  const listed = await problem(send({ body: '[1, {"metrics":[]}, null]', headers }), 400, "invalid_report");
  expect(listed.problems!.map(({ index }) => index)).toEqual([0, 1, 2]);
  const two = await problem(
    send({ body: '{"metrics":{"a":1}}\n{"metrics":{"a":2}}', headers }),
    400,
    "malformed_json",
  );
  expect(two.detail).toContain("application/x-ndjson");
});

it("[I13] a body over 4 MiB and over 20,000 reports is 413, inflated or not", async () => {
  const headers = await bearer("large", "device", "d1");
  const large = " ".repeat(4 * 1024 * 1024) + JSON.stringify(report(1));
  await problem(send({ body: large, headers }), 413, "payload_too_large");
  await problem(
    send({ body: "{}", headers: { ...headers, "content-length": "5000000" } }),
    413,
    "payload_too_large",
  );
  const reports = Array.from({ length: 20_001 }, () => '{"metrics":{"a":1}}');
  await problem(send({ body: `[${reports.join()}]`, headers }), 413, "payload_too_large");
  await problem(
    send({ body: gzip(large), headers: { ...headers, "content-encoding": "gzip" } }),
    413,
    "payload_too_large",
  );
});

const gzip = (text: string) => new Blob([text]).stream().pipeThrough(new CompressionStream("gzip"));

it("[I14] gzip and NDJSON are read, other types and encodings are 415, and what is not what it says is 400", async () => {
  const headers = await bearer("types", "device", "d1");
  const body = JSON.stringify(report(1));
  const typed = (type: string) => send({ body, headers: { ...headers, "content-type": type } });
  for (const type of [
    "application/json",
    "Application/JSON; charset=utf-8",
    "application/x-ndjson",
    "application/jsonl",
  ]) {
    expect((await typed(type)).status).toBe(200);
  }
  await problem(typed("text/csv"), 415, "unsupported_media_type");
  const encoded = (encoding: string, bytes: BodyInit) =>
    send({
      body: bytes,
      headers: { ...headers, "content-type": "application/json", "content-encoding": encoding },
    });
  expect((await encoded("gzip", gzip(body))).status).toBe(200);
  expect((await encoded("GZIP", gzip(body))).status).toBe(200);
  expect((await encoded("identity", body)).status).toBe(200);
  await problem(encoded("br", body), 415, "unsupported_media_type");
  await problem(encoded("gzip", body), 400, "malformed_json");
  await problem(send({ body: new Uint8Array([0x7b, 0xff, 0x7d]), headers }), 400, "malformed_json");
});

it("[I14] a report without any content type is read as JSON", async () => {
  const headers = await bearer("untyped", "device", "d1");
  expect((await send({ body: new TextEncoder().encode(JSON.stringify(report(1))), headers })).status).toBe(
    200,
  );
});

it("[I20] without CLOCK what a request says of the time is ignored", async () => {
  const later = Date.now() + 3_600_000;
  const headers = { ...(await bearer("clock", "device", "d1")), "telltale-clock": String(later) };
  const body = JSON.stringify({ at: later, metrics: { a: 1 } });
  const real = await send({ body, headers, env: { ...ingestEnv, CLOCK: undefined } });
  expect(await real.json()).toMatchObject({ refused: 1, problems: [{ code: "at_in_future" }] });
  expect(await (await send({ body, headers })).json()).toMatchObject({ stored: 1 });
});

it("[I4] other methods are 405, other addresses 404, a connect without a WebSocket 426", async () => {
  const headers = await bearer("paths", "device", "d1");
  await problem(send({ method: "GET", headers }), 405, "method_not_allowed");
  await problem(send({ method: "DELETE", headers }), 405, "method_not_allowed");
  await problem(send({ path: "/v1/connect", headers }), 405, "method_not_allowed");
  await problem(send({ path: "/v1/elsewhere", headers }), 404, "not_found");
  await problem(send({ method: "GET", path: "/v1/connect", headers }), 426, "upgrade_required");
});
