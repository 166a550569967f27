import { env } from "cloudflare:test";
import { drizzle } from "drizzle-orm/d1";
import { afterEach, expect, it, vi } from "vitest";
import { archiveFile } from "../../schemas/tables.ts";
import { packed, problem } from "../test-support.ts";
import { apiEnv, ask } from "./api-test-support.ts";

vi.setConfig({ testTimeout: 60_000 });
afterEach(() => vi.restoreAllMocks());

const BYTES = new Uint8Array(1_000).map((_, index) => (index * 7) % 251);

/** A file of the tenant's archive. */
async function file(tenant: string) {
  const key = `raw/tenant=${tenant}/date=2026-01-10/00112233445566778899aabbccddeeff.parquet`;
  const { httpEtag: etag, uploaded } = (await env.COLD.put(key, BYTES))!;
  await drizzle(env.WARM_0)
    .insert(archiveFile)
    .values({
      key,
      tenant,
      kind: "raw",
      date: "2026-01-10",
      fromMs: 0,
      toMs: 1,
      rows: 1,
      minDevice: "d1",
      maxDevice: "d1",
      blocks: "",
      bytes: BYTES.length,
      createdAt: 0,
    })
    .onConflictDoNothing();
  const get = (headers: Record<string, string> = {}, method = "GET", bindings = {}) =>
    ask(tenant, "viewer", `/v1/archive/${key}`, { method, headers, bindings });
  const modified = new Date(Math.floor(uploaded.getTime() / 1_000) * 1_000).toUTCString();
  return { get, etag, modified, uploadedMs: uploaded.getTime() };
}

const bytesOf = async (response: Response) => new Uint8Array(await response.arrayBuffer());

it("[Q37] a file is sent with its length, tag and date; HEAD says the same and sends and reads nothing", async () => {
  const { get, etag, modified } = await file("plain");
  const known = {
    "content-type": "application/vnd.apache.parquet",
    "accept-ranges": "bytes",
    "content-length": "1000",
    etag,
    "last-modified": modified,
  };
  const whole = await get();
  expect(whole.status).toBe(200);
  expect(Object.fromEntries(whole.headers)).toMatchObject(known);
  expect(await bytesOf(whole)).toEqual(BYTES);
  const read = vi.fn();
  const COLD = { head: (key: string) => apiEnv.COLD.head(key), get: read };
  for (const range of ["", "bytes=0-1", "bytes=5000-"]) {
    const head = await get({ range }, "HEAD", { COLD });
    expect([head.status, head.body]).toEqual([200, null]);
    expect(Object.fromEntries(head.headers)).toMatchObject(known);
  }
  expect(read).not.toHaveBeenCalled();
});

it.each([
  ["bytes=0-9", 0, 10],
  ["bytes=990-", 990, 1_000],
  ["bytes=990-5000", 990, 1_000],
  ["bytes=-4", 996, 1_000],
  ["bytes=-5000", 0, 1_000],
])("[Q35] %s is 206, and only that is read", async (range, start, end) => {
  const { get, etag } = await file("part");
  const asked = vi.fn((key: string, options?: R2GetOptions) => apiEnv.COLD.get(key, options as object));
  const COLD = { head: (key: string) => apiEnv.COLD.head(key), get: asked };
  const response = await get({ range }, "GET", { COLD });
  expect(response.status).toBe(206);
  expect(Object.fromEntries(response.headers)).toMatchObject({
    "content-range": `bytes ${start}-${end - 1}/1000`,
    "content-length": String(end - start),
    "accept-ranges": "bytes",
    etag,
  });
  expect(await bytesOf(response)).toEqual(BYTES.slice(start, end));
  expect(asked.mock.calls.map(([, options]) => options?.range)).toEqual([
    { offset: start, length: end - start },
  ]);
});

it.each(["bytes=1000-", "bytes=5000-6000", "bytes=-0"])(
  "[Q35] %s is beyond the file: 416 with its length, as wget -c and curl -C - take it",
  async (range) => {
    const { get, etag } = await file("beyond");
    const response = await get({ range });
    expect(response.headers.get("content-range")).toBe("bytes */1000");
    expect(response.headers.get("etag")).toBe(etag);
    await problem(response, 416, "range_not_satisfiable");
  },
);

it.each(["bytes=5-2", "bytes=abc", "bytes=-", "lines=0-3", "bytes=0-1,4-5", "bytes=1000-,0-1"])(
  "[Q35] %s is ignored: 200 with the whole file",
  async (range) => {
    const { get } = await file("odd");
    const response = await get({ range });
    expect([response.status, response.headers.get("content-range")]).toEqual([200, null]);
    expect(response.headers.get("content-length")).toBe("1000");
    expect(await bytesOf(response)).toEqual(BYTES);
  },
);

it("[Q36] conditions: 304 to who has it, 412 to who means another, If-Range chooses part or whole", async () => {
  const { get, etag, modified, uploadedMs } = await file("conditions");
  const before = new Date(uploadedMs - 60_000).toUTCString();
  const has = await get({ "if-none-match": `"x", W/${etag}`, range: "bytes=0-1" });
  expect([has.status, has.body, has.headers.get("etag")]).toEqual([304, null, etag]);
  for (const [name, value] of [
    ["if-none-match", "*"],
    ["if-modified-since", modified],
  ] as const) {
    const headers = { [name]: value };
    expect((await get(headers)).status).toBe(304);
    expect((await get(headers, "HEAD")).status).toBe(304);
  }
  expect((await get({ "if-modified-since": before })).status).toBe(200);
  await problem(get({ "if-match": '"x"' }), 412, "precondition_failed");
  await problem(get({ "if-unmodified-since": before, range: "bytes=0-1" }), 412, "precondition_failed");
  expect((await get({ "if-match": "*" })).status).toBe(200);
  const range = "bytes=0-1";
  expect((await get({ range, "if-range": etag })).status).toBe(206);
  expect((await get({ range, "if-range": modified })).status).toBe(206);
  for (const other of ['"x"', `W/${etag}`, before]) {
    const whole = await get({ range, "if-range": other });
    expect([whole.status, (await bytesOf(whole)).length]).toEqual([200, 1_000]);
  }
  const beyond = await get({ range: "bytes=1000-", "if-range": '"x"' });
  expect(beyond.status).toBe(200);
});

it("[Q38] HEAD of any GET is its status and headers; of a stream it asks no device and leaves no viewer", async () => {
  const { get } = await file("heads");
  expect((await get({}, "HEAD")).status).toBe(200);
  for (const path of ["/v1/devices", "/v1/zones", "/v1/archive", "/v1/rules", "/v1/session", "/healthz"]) {
    const head = await ask("heads", "viewer", path, { method: "HEAD" });
    expect([path, head.status, head.body]).toEqual([path, 200, null]);
    expect(head.headers.get("content-type")).toMatch(/^application\/json/);
  }
  await env.DEVICE.getByName("heads/d1").report(packed([Date.now(), { a: 1 }]), Date.now());
  const cancelled = vi.spyOn(ReadableStream.prototype, "cancel");
  const csv = await ask("heads", "viewer", "/v1/devices/d1/history/export?metric=a&format=csv", {
    method: "HEAD",
  });
  expect([csv.status, csv.body]).toEqual([200, null]);
  expect(csv.headers.get("content-type")).toMatch(/^text\/csv/);
  expect(cancelled).toHaveBeenCalled();
  const asked = vi.fn();
  const ZONE = { getByName: () => ({ fetch: asked }) };
  const headers = { accept: "text/event-stream" };
  const stream = await ask("heads", "viewer", "/v1/zones/north/stream", {
    method: "HEAD",
    headers,
    bindings: { ZONE },
  });
  expect([stream.status, stream.headers.get("content-type")]).toEqual([200, "text/event-stream"]);
  expect(asked).not.toHaveBeenCalled();
  await problem(ask("heads", "viewer", "/v1/archive/raw/none.parquet"), 404, "not_found");
});

it.each([
  ["/v1/devices/d1", "GET, HEAD, PUT, DELETE, OPTIONS"],
  ["/v1/devices/d1/seal", "POST, OPTIONS"],
  ["/v1/archive/raw/x.parquet", "GET, HEAD, OPTIONS"],
])("[Q39] OPTIONS %s is 204 and says what it takes", async (path, allow) => {
  const response = await ask("options", "viewer", path, { method: "OPTIONS" });
  expect([response.status, response.body, response.headers.get("allow")]).toEqual([204, null, allow]);
  await problem(ask("options", "viewer", "/v1/nothing", { method: "OPTIONS" }), 404, "not_found");
  await problem(ask("options", "viewer", path, { method: "PATCH" }), 405, "method_not_allowed");
});

it("[L18] a device of 8,300 characters is refused before any object hears of it, whatever the stream", async () => {
  const fetch = vi.fn();
  const bindings = { ZONE: { getByName: () => ({ fetch }) }, FLEET: { getByName: () => ({ fetch }) } };
  const long = "d".repeat(8_300);
  for (const path of [
    `/v1/zones/default/stream?device=${long}`,
    `/v1/zones/default/snapshot?device=${long}`,
    `/v1/zones/${long}/stream`,
    `/v1/fleet/stream?device=${long}`,
  ]) {
    const headers = { upgrade: "websocket" };
    const { detail } = await problem(
      ask("names", "viewer", path, { headers, bindings }),
      400,
      "invalid_query",
    );
    expect(detail.length).toBeLessThan(500);
  }
  expect(fetch).not.toHaveBeenCalled();
});
