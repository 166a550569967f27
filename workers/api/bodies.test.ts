import { expect, it, vi } from "vitest";
import { BODY_BYTES_MAX, JSON_BODY_BYTES_MAX } from "../../schemas/limits.ts";
import type { TenantSettings } from "../../schemas/tenant.ts";
import { problem } from "../test-support.ts";
import { answerOf, ask } from "./api-test-support.ts";
import { api } from "./worker.ts";

vi.setConfig({ testTimeout: 60_000 });

/** Every route of the api that takes JSON. */
const TAKING: [method: string, path: string][] = [
  ["PUT", "/v1/devices/d1"],
  ["PUT", "/v1/tenant"],
  ["POST", "/v1/rules"],
  ["PUT", "/v1/rules/hot"],
  ["POST", "/v1/rules/preview"],
  ["POST", "/v1/channels"],
  ["PUT", "/v1/channels/hook"],
  ["POST", "/v1/silences"],
  ["POST", "/v1/admin/replay"],
  ["POST", "/v1/admin/import"],
  ["POST", "/v1/alerts/hot.0.1.d1/ack"],
  ["POST", "/v1/alerts/hot.0.1.d1/comment"],
  ["POST", "/v1/incidents/north.1/resolve"],
];

/** Every one that takes none. */
const BARE: [method: string, path: string][] = [
  ["POST", "/v1/devices/d1/seal"],
  ["DELETE", "/v1/devices/d1"],
  ["DELETE", "/v1/rules/hot"],
  ["DELETE", "/v1/channels/hook"],
  ["POST", "/v1/channels/hook/test"],
  ["DELETE", "/v1/silences/s"],
  ["POST", "/v1/admin/jobs/j/stop"],
  ["POST", "/v1/admin/jobs/j/resume"],
  ["POST", "/v1/admin/import/j/start"],
];

/** What takes more than 64 KB. */
const LARGE: Record<string, number> = {
  "POST /v1/devices": BODY_BYTES_MAX,
  "POST /v1/tokens": BODY_BYTES_MAX,
  "PUT /v1/admin/import/:job/parts/:part": BODY_BYTES_MAX,
};

const WRITING = [...new Map(api.routes.map((route) => [`${route.method} ${route.path}`, route])).values()]
  .filter(({ method, path }) => path.startsWith("/v1/") && method !== "ALL" && method !== "GET")
  .map(({ method, path }): [method: string, path: string, mostBytes: number] => [
    method,
    path,
    LARGE[`${method} ${path}`] ?? JSON_BODY_BYTES_MAX,
  ]);

it("[F41] there are routes that take a body, those that take a large one among them", () => {
  expect(WRITING.length).toBeGreaterThan(20);
  expect(WRITING.filter(([, , mostBytes]) => mostBytes > JSON_BODY_BYTES_MAX)).toHaveLength(
    Object.keys(LARGE).length,
  );
});

it.each(WRITING)(
  "[F41] %s %s bounds its body at %d bytes before it is read as anything",
  async (method, route, mostBytes) => {
    const tenant = `bounds-${WRITING.findIndex((row) => row[1] === route)}`;
    const made = await ask(tenant, "admin", "/v1/admin/import", { method: "POST", body: {} });
    const { id } = await made.json<{ id: string }>();
    const role = route.startsWith("/v1/tenants") ? "owner" : "admin";
    const path = route
      .replace(":job", id)
      .replace(":part", "0")
      .replace(/:\w+\{(\w+)[^}]*\}/g, "$1")
      .replace(/:\w+/g, "x");
    const body = "[".repeat(mostBytes + 1); // which as JSON would be another problem
    const sent = [body, new Blob([body]).stream(), await zipped(body)];
    const key = { authorization: `Bearer ${await provisioningKeyOf(tenant)}` };
    for (const [nth, own] of sent.entries()) {
      const headers: Record<string, string> = {
        ...(nth === 2 ? { "content-encoding": "gzip" } : {}),
        ...(route === "/v1/claim" ? key : {}),
      };
      const { detail } = await problem(
        ask(tenant, role, path, { method, body: own, headers }),
        413,
        "payload_too_large",
      );
      expect(detail).toContain(`at most ${mostBytes}`);
    }
  },
);

async function provisioningKeyOf(tenant: string): Promise<string> {
  const body = { maxDevices: 1, ttlSeconds: 60 };
  const made = await ask(tenant, "admin", "/v1/provisioning-keys", { method: "POST", body });
  return (await made.json<{ provisioningKey: string }>()).provisioningKey;
}

const zipped = (text: string) =>
  new Response(new Blob([text]).stream().pipeThrough(new CompressionStream("gzip"))).bytes();

it.each([...TAKING, ...BARE])(
  "[Q32] %s %s takes 64 KB and no more: told of its length, in pieces, or out of a gzip",
  async (method, path) => {
    const long = `{"name":"${"x".repeat(JSON_BODY_BYTES_MAX)}"}`;
    const pieces = new Blob([long]).stream();
    const gzip = { "content-encoding": "gzip" };
    const sent: [body: BodyInit, headers: Record<string, string>][] = [
      [long, { "content-length": String(long.length) }],
      [pieces, {}],
      [await zipped(long), gzip],
    ];
    for (const [body, headers] of sent) {
      const { detail } = await problem(
        ask("long", "admin", path, { method, body, headers }),
        413,
        "payload_too_large",
      );
      expect(detail).toMatch(/at most 65536/);
    }
  },
);

it.each([...TAKING, ...BARE])(
  "[Q32] %s %s: bytes that are no UTF-8, or no gzip, are refused",
  async (method, path) => {
    const body = new Uint8Array([0x7b, 0xff, 0xfe, 0x7d]);
    expect(
      (await problem(ask("odd", "admin", path, { method, body }), 400, "malformed_json")).detail,
    ).toMatch(/UTF-8/);
    const asked = ask("odd", "admin", path, { method, body, headers: { "content-encoding": "gzip" } });
    expect((await problem(asked, 400, "malformed_json")).detail).toMatch(/gzip/);
    const encoded = ask("odd", "admin", path, { method, body, headers: { "content-encoding": "br" } });
    await problem(encoded, 415, "unsupported_media_type");
  },
);

it.each(BARE)(
  "[Q33] %s %s takes no body: one that comes is refused and nothing done, an empty object is none",
  async (method, path) => {
    for (const body of ["x", '{"a":1}', "[]", "null", "0"]) {
      const { detail } = await problem(ask("bare", "admin", path, { method, body }), 400, "invalid_body");
      expect(detail).toMatch(/takes no body/);
    }
    for (const body of [undefined, "", " \n", "{}", "{ }"]) {
      const { status } = await ask("bare", "admin", path, {
        method,
        ...(body === undefined ? {} : { body }),
      });
      expect([200, 404]).toContain(status);
    }
  },
);

const put = (body: string | Uint8Array, headers: Record<string, string>) =>
  ask("typed", "admin", "/v1/tenant", { method: "PUT", body, headers });

it.each([
  "application/json",
  "application/json; charset=UTF-8",
  'application/json;charset="utf-8"',
  "application/merge-patch+json",
  "text/plain;charset=UTF-8",
  "application/x-www-form-urlencoded",
  "",
])("[Q34] a body said to be %j is read as JSON", async (type) => {
  const settings = await answerOf<TenantSettings>(put('{"plan":"free"}', { "content-type": type }));
  expect(settings).toMatchObject({ plan: "free" });
});

it.each([
  "application/xml",
  "application/x-ndjson",
  "application/octet-stream",
  "multipart/form-data; boundary=x",
  "application/json; charset=iso-8859-1",
])("[Q34] a body said to be %j is 415, with what to send", async (type) => {
  const { detail } = await problem(
    put('{"plan":"free"}', { "content-type": type }),
    415,
    "unsupported_media_type",
  );
  expect(detail).toMatch(/send application\/json/);
});

it("[Q34] gzip is taken, and nothing at all is named", async () => {
  const gzip = { "content-encoding": "x-gzip" };
  expect(await answerOf(put(await zipped('{"plan":"free"}'), gzip))).toMatchObject({ plan: "free" });
  for (const nothing of ["", " \n "]) await problem(put(nothing, {}), 400, "empty_body");
});
