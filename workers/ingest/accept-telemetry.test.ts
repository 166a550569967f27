import { env } from "cloudflare:test";
import { expect, it, vi } from "vitest";
import { signToken } from "../../core/token/sign.ts";
import type { TelemetryAnswer } from "../../schemas/reading.ts";
import { bearer, held, problem, T0 } from "../test-support.ts";
import { ingestEnv, report, send } from "./ingest-test-support.ts";

const OLD = T0 - 90 * 86_400_000;
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
  const body = JSON.stringify(report(1, { device: "d1", tenant: "theirs" }));
  await problem(send({ body, headers, path: "/v1/telemetry?tenant=theirs" }), 400, "invalid_query");
  expect(await env.DEVICE.getByName("mine/d1").latest()).toBeNull();
  await send({ body, headers });
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

const bytesOf = async (text: string) => new Uint8Array(await new Response(gzip(text)).arrayBuffer());
const joined = async (...parts: (Uint8Array | Promise<Uint8Array>)[]) =>
  new Uint8Array(await new Blob(await Promise.all(parts)).arrayBuffer());
const zipped = async (tenant: string, bytes: BodyInit, encoding = "gzip") =>
  await send({
    body: bytes,
    headers: {
      ...(await bearer(tenant, "device", "d1")),
      "content-type": "application/json",
      "content-encoding": encoding,
    },
  });

it("[I30] gzip members one after another are one body, and zeros may fill up its end", async () => {
  const [first, second] = ['{"metrics":', '{"a":1}}'].map(bytesOf) as [
    Promise<Uint8Array>,
    Promise<Uint8Array>,
  ];
  const empty = await bytesOf("");
  for (const [i, parts] of [
    [first, second],
    [first, empty, second, empty],
    [first, second, new Uint8Array(512)],
    [empty, first, second, new Uint8Array(1)],
  ].entries()) {
    const answer = await zipped(`members-${i}`, await joined(...parts));
    expect(await answer.json()).toMatchObject({ stored: 1, problems: [] });
  }
});

it.each(["x-gzip", "X-GZIP", "gzip, identity", " identity ,GZip", "gzip,"])(
  "[I30] content-encoding %j is gzip",
  async (encoding) => {
    expect((await zipped("names", await bytesOf('{"metrics":{"a":1}}'), encoding)).status).toBe(200);
  },
);

it.each(["br", "deflate", "zstd", "gzip, gzip", "compress", "x".repeat(5_000)])(
  "[I14] content-encoding %s is 415",
  async (encoding) => {
    const { detail } = await problem(
      zipped("names", await bytesOf('{"metrics":{"a":1}}'), encoding),
      415,
      "unsupported_media_type",
    );
    expect(detail).toMatch(/send gzip/);
    expect(detail.length).toBeLessThan(200);
  },
);

it("[I30] what is no member after a member, or half of one, is 400, and nothing of it is stored", async () => {
  const whole = await bytesOf('{"metrics":{"a":1}}');
  const text = new TextEncoder().encode("and more");
  const wrong = whole.slice();
  wrong[wrong.length - 6]! ^= 1; // of its checksum
  for (const parts of [
    [whole, text],
    [whole, new Uint8Array(3), text],
    [whole, new Uint8Array(3), whole],
    [whole, whole.subarray(0, 1)],
    [whole, whole.subarray(0, 8)],
    [whole, whole.subarray(0, whole.length - 1)],
    [whole.subarray(0, whole.length - 1)],
    [wrong],
    [new Uint8Array(20)],
  ]) {
    const { detail } = await problem(zipped("torn", await joined(...parts)), 400, "malformed_json");
    expect(detail).toMatch(/inflated as gzip: .*after a member come others, or zeros/);
  }
  await problem(zipped("torn", new Uint8Array()), 400, "empty_body");
  expect(await env.DEVICE.getByName("torn/d1").latest()).toBeNull();
});

it("[I30] [I13] the limit holds for all members together, however many and small they are", async () => {
  const megabyte = bytesOf(" ".repeat(1024 * 1024));
  const report = bytesOf('{"metrics":{"a":1}}');
  const spaces = bytesOf(" ".repeat(1024 * 1024 - '{"metrics":{"a":1}}'.length));
  const three = [megabyte, megabyte, megabyte];
  expect((await zipped("limit", await joined(report, spaces, ...three))).status).toBe(200);
  for (const more of [bytesOf(" "), megabyte]) {
    const over = await joined(report, spaces, ...three, more);
    await problem(zipped("limit", over), 413, "payload_too_large");
  }
  const empty = await bytesOf("");
  const crowd = new Uint8Array(Math.floor((4 * 1024 * 1024) / empty.length) * empty.length);
  for (let at = 0; at < crowd.length; at += empty.length) crowd.set(empty, at);
  await problem(zipped("limit", crowd), 400, "empty_body");
});

it.each([
  ["an array of empty reports", `[${"{},".repeat(1_000_000)}{}]`, "application/json"],
  ["lines of one letter", "x\n".repeat(2_000_000), "application/x-ndjson"],
  ["an array that never ends", `[${"{},".repeat(1_000_000)}`, "application/json"],
])("[I27] %s is refused as too many without being parsed", async (_what, body, type) => {
  const parse = vi.spyOn(JSON, "parse");
  const headers = { ...(await bearer("crowd", "device", "d1")), "content-type": type };
  parse.mockClear();
  const { detail } = await problem(send({ body, headers }), 413, "payload_too_large");
  expect(detail).toMatch(/20001 reports or more.*20000.*in parts/);
  // The token is JSON too.
  expect(Math.max(0, ...parse.mock.calls.map(([text]) => text.length))).toBeLessThan(1_000);
  parse.mockRestore();
});

it.each(["application/json", "application/x-ndjson"])(
  "[I27] half a million empty arrays in a report of %s are refused without being parsed",
  async (type) => {
    const headers = { ...(await bearer("crowd", "device", "d1")), "content-type": type };
    const body = `"\n{"metrics":{"a":[${"[],".repeat(500_000)}1]}}`;
    const { detail } = await problem(send({ body, headers }), 413, "payload_too_large");
    expect(detail).toMatch(/more than 200000 objects and arrays.*in parts/);
  },
);

it("[I27] a report, 160,000 line ends and an x are told from lines in a moment", async () => {
  const headers = await bearer("hint", "device", "d1");
  const { detail } = await problem(
    send({ body: `{}${"\n".repeat(4_000_000)}x`, headers }),
    400,
    "malformed_json",
  );
  expect(detail).not.toContain("ndjson");
});

it.each(["nan", "-nan", "+NaN", "inf", "-inf", "Inf", "+Infinity", "-nan(ind)", '"inf"', '"-Infinity"'])(
  "[I11] [I10] %s is refused for that reading, in JSON and in lines",
  async (word) => {
    const headers = await bearer(
      "words",
      "device",
      `d${[...word].map((letter) => letter.charCodeAt(0)).join("")}`,
    );
    const line = `{"at":${T0},"metrics":{"bad":${word},"good":1}}`;
    for (const [type, body, kept] of [
      ["application/json", line, { stored: 1 }],
      ["application/json", `[${line},{"at":${T0 + 1},"metrics":{"good":1}}]`, { stored: 1, duplicate: 1 }],
      ["application/x-ndjson", `${line}\n{"at":${T0 + 2},"metrics":{"good":1}}`, { stored: 1, duplicate: 1 }],
    ] as const) {
      const answer = await send({ body, headers: { ...headers, "content-type": type } });
      expect(answer.status).toBe(200);
      expect(await answer.json()).toMatchObject({
        ...kept,
        refused: 1,
        problems: [
          {
            index: 0,
            metric: "bad",
            code: "not_finite",
            message: expect.stringContaining(word.replaceAll('"', "")),
          },
        ],
      });
    }
  },
);

it("[I26] [I22] an integer that was rounded is stored and named; the answer is 200", async () => {
  const headers = await bearer("rounded", "device", "d1");
  const body = `[{"at":${T0},"metrics":{"a":1}},{"at":${T0 + 1},"metrics":{"a":9007199254740993,"b":9007199254740992}}]`;
  for (const [type, text] of [
    ["application/json", body],
    ["application/x-ndjson", body.slice(1, -1).replace("},{", "}\n{")],
  ] as const) {
    const answer = await send({ body: text, headers: { ...headers, "content-type": type } });
    expect(answer.status).toBe(200);
    const { problems, ...counts } = await answer.json<TelemetryAnswer>();
    expect(counts.stored + counts.duplicate).toBe(3);
    expect(counts.refused).toBe(0);
    expect(problems).toEqual([
      { index: 1, metric: "a", code: "precision_lost", message: expect.stringContaining("9007199254740993") },
    ]);
  }
  expect(await held(env.DEVICE.getByName("rounded/d1"), "a")).toEqual([
    [T0, 1],
    [T0 + 1, 2 ** 53],
  ]);
});

it("[I29] a report of a leap second is stored as of the next second, and says so", async () => {
  const headers = {
    ...(await bearer("leap", "device", "d1")),
    "telltale-clock": String(Date.UTC(2017, 0, 1, 0, 1)),
  };
  const body = '{"at":"2016-12-31T23:59:60Z","metrics":{"a":1}}';
  const answer = await send({ body, headers });
  expect(answer.status).toBe(200);
  expect(await answer.json()).toMatchObject({
    stored: 1,
    refused: 0,
    problems: [{ index: 0, code: "leap_second" }],
  });
  expect(await held(env.DEVICE.getByName("leap/d1"), "a")).toEqual([[Date.UTC(2017, 0, 1), 1]]);
  const refused = await send({ body: body.replace("12-31", "12-30"), headers });
  expect(refused.status).toBe(422);
  expect(await refused.json()).toMatchObject({ refused: 1, problems: [{ code: "invalid_at" }] });
});

it("[I27] of twenty thousand devices' refusals the first hundred are told, in the order of the request", async () => {
  const headers = await bearer("old", "gateway");
  const metrics = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`m${i}`, i]));
  const reports = Array.from({ length: 60 }, (_, i) => ({ device: `d${i % 30}`, at: OLD + i, metrics }));
  const answer = await (await send({ body: JSON.stringify(reports), headers })).json<TelemetryAnswer>();
  expect(answer.refused).toBe(6_000);
  expect(answer.problems.length).toBeLessThanOrEqual(100);
  expect(answer.problems.map(({ index }) => index)).toEqual([...answer.problems.keys()]);
});

it.each(["1767225600", "now", "-1", "0", "20260101", "1767225600000000"])(
  "[I31] a local run told that it is %s is 400, at each door",
  async (clock) => {
    const headers = { ...(await bearer("told", "device", "d1")), "telltale-clock": clock };
    const { detail } = await problem(send({ body: "{}", headers }), 400, "invalid_query");
    expect(detail).toMatch(/telltale-clock: the time in epoch ms/);
    await problem(send({ method: "GET", path: "/v1/connect", headers }), 400, "invalid_query");
    const real = await send({
      body: JSON.stringify({ metrics: { a: 1 } }),
      headers,
      env: { ...ingestEnv, CLOCK: undefined },
    });
    expect(real.status).toBe(200);
  },
);

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

it("[I21] fields that mean nothing are named once a report, cost no reading, and hide no refusal", async () => {
  const headers = await bearer("fields", "device", "d1");
  const one = await send({ body: JSON.stringify({ ...report(1), unit: "C", metricz: {} }), headers });
  expect(one.status).toBe(200);
  const answer = await one.json<TelemetryAnswer>();
  expect(answer).toMatchObject({ stored: 1, refused: 0 });
  expect(answer.problems).toEqual([
    {
      index: 0,
      code: "unknown_field",
      message:
        'no field is called "unit", "metricz" (did you mean "metrics"?); there are at, device, metrics',
    },
  ]);
  // Two hundred reports with a field too many, and a refusal after them all.
  const many = Array.from({ length: 200 }, (_, i) => ({ at: T0 + i, metrics: { a: i }, unit: "C" }));
  const body = JSON.stringify([...many, { at: T0, metrics: { b: "x" }, unit: "C" }]);
  const crowd = await (await send({ body, headers })).json<TelemetryAnswer>();
  expect(crowd).toMatchObject({ stored: 199, duplicate: 0, corrected: 1, refused: 1 });
  expect(readings(crowd)).toBe(201);
  expect(crowd.problems.map(({ index }) => index)).toEqual([...Array(99).keys(), 200]);
  expect(crowd.problems.at(-1)).toMatchObject({ code: "not_a_number" });
  expect(await held(env.DEVICE.getByName("fields/d1"), "a")).toHaveLength(200);
});

it("[I21] what hides a report's readings is named beside the refusal", async () => {
  const headers = await bearer("hidden", "device", "d1");
  const { problems } = await problem(send({ body: '{"metricz":{"a":1}}', headers }), 400, "invalid_report");
  expect(problems).toMatchObject([
    { index: 0, code: "invalid_report" },
    { index: 0, code: "unknown_field", message: expect.stringContaining('did you mean "metrics"') },
  ]);
});

it.each([
  ["refused by the device", { at: OLD, metrics: { a: 1, b: 2 } }, { refused: 2 }],
  ["refused at the door", { metrics: { a: "x" } }, { refused: 1 }],
  ["not in its place", { metrics: {}, temperature: 21 }, { refused: 0 }],
])(
  "[I22] no reading was taken, for each was %s: 422 with the same body, or the 200 asked for",
  async (what, sent, counts) => {
    const headers = await bearer("none", "device", what.replaceAll(" ", "-"));
    const body = JSON.stringify(sent);
    const answers = await Promise.all([
      send({ body, headers }),
      send({ body, headers, path: "/v1/telemetry?status=200" }),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([422, 200]);
    const [refused, asked] = await Promise.all(answers.map((answer) => answer.json<TelemetryAnswer>()));
    expect(refused).toMatchObject({ stored: 0, ...counts, problems: [{ index: 0 }] });
    expect(asked).toEqual(refused);
    await problem(send({ body, headers, path: "/v1/telemetry?status=204" }), 400, "invalid_query");
  },
);

it("[I22] one reading taken, also one known already, is 200, and so is a request without any", async () => {
  const headers = await bearer("some", "device", "d1");
  const good = { at: T0, metrics: { a: 1 } };
  const bad = { at: OLD, metrics: { a: 1 } };
  const statusOf = async (body: unknown) => (await send({ body: JSON.stringify(body), headers })).status;
  expect(await statusOf([bad, good])).toBe(200); // stored
  expect(await statusOf([bad, good])).toBe(200); // a duplicate
  expect(await statusOf([bad, { at: T0, metrics: { a: 2 } }])).toBe(200); // a correction
  expect(await statusOf([bad])).toBe(422);
  expect(await statusOf({ metrics: {} })).toBe(200);
  expect(await statusOf([])).toBe(200);
});
