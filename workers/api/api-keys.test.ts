// API keys at every door: made, used, revoked, guessed, and when the tenant's object is away.
import { createExecutionContext, env } from "cloudflare:test";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { ApiKeyList, ApiKeyMade } from "../../schemas/api-key.ts";
import type { AuditEntry } from "../../schemas/http.ts";
import type { ServerFrame } from "../../schemas/reading.ts";
import type { SessionAnswer } from "../../schemas/token.ts";
import { TenantObject } from "../aggregate/tenant/tenant-object.ts";
import type { IngestEnv } from "../ingest/env.ts";
import { send } from "../ingest/ingest-test-support.ts";
import { ingest } from "../ingest/worker.ts";
import { held, problem, TestEvents, TestSocket, upgrade } from "../test-support.ts";
import { answerOf, apiEnv, ask, register } from "./api-test-support.ts";
import { api } from "./worker.ts";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const later = (ms: number) => vi.setSystemTime(Date.now() + ms);
const make = (tenant: string, body: object, headers = {}) =>
  answerOf<ApiKeyMade>(ask(tenant, "admin", "/v1/api-keys", { method: "POST", body, headers }));
const list = async (tenant: string) =>
  (await answerOf<ApiKeyList>(ask(tenant, "admin", "/v1/api-keys"))).apiKeys;
const drop = (tenant: string, id: string) => ask(tenant, "admin", `/v1/api-keys/${id}`, { method: "DELETE" });
const bearerOf = (key: string) => ({ authorization: `Bearer ${key}` });
const asks = (key: string, path = "/v1/session", more = {}) =>
  ask("nobody", "viewer", path, { headers: { ...bearerOf(key), ...more } });
const body = JSON.stringify({ device: "d1", metrics: { a: 1 } });
const sends = (key: string, ip?: string) =>
  send({ body, headers: { ...bearerOf(key), ...(ip && { "cf-connecting-ip": ip }) } });
const connect = (key: string) =>
  ingest.fetch(upgrade("/v1/connect", bearerOf(key)), env as unknown as IngestEnv, createExecutionContext());
const frame = (seq: number) => ({ type: "report", seq, device: "d1", metrics: { a: seq } });

it("[I56] a key is shown once, listed without itself, and kept as a hash", async () => {
  const made = await make("shown", { name: "CI", role: "viewer", days: 1 });
  expect(made).toMatchObject({
    name: "CI",
    role: "viewer",
    madeBy: "admin",
    madeAt: Date.now(),
    lastUsedAt: null,
  });
  expect(made.expiresAt).toBe(Date.now() + 86_400_000);
  expect(made.apiKey).toMatch(/^tt_shown_[0-9a-f]{64}$/);
  const { apiKey, ...entry } = made;
  expect(await list("shown")).toEqual([entry]);
  const audit = await answerOf<{ entries: AuditEntry[] }>(ask("shown", "admin", "/v1/audit"));
  const settings = await ask("shown", "admin", "/v1/tenant");
  for (const text of [JSON.stringify(audit), await settings.text()])
    expect(text).not.toContain(apiKey.slice(-64));
  expect(audit.entries).toMatchObject([{ action: "POST", target: "/v1/api-keys", after: { name: "CI" } }]);
});

it("[I56] a key lasts as long as it says, and a tenant has a hundred that do", async () => {
  const short = await make("many", { name: "short", role: "viewer", days: 1 });
  for (let i = 1; i < 100; i++) await make("many", { name: `k${i}`, role: "gateway" });
  const one = { name: "more", role: "gateway" };
  await problem(ask("many", "admin", "/v1/api-keys", { method: "POST", body: one }), 409, "conflict");
  expect((await asks(short.apiKey)).status).toBe(200);
  later(86_400_000);
  await problem(asks(short.apiKey), 401, "token_expired");
  expect((await list("many")).length).toBe(99);
  await make("many", one);
});

it.each([
  ["no name", { role: "viewer" }],
  ["a name of two lines", { name: "a\nb", role: "viewer" }],
  ["the role of a device, which has a token", { name: "a", role: "device" }],
  ["longer than a token", { name: "a", role: "viewer", days: 3_651 }],
  ["a key that means nothing", { name: "a", role: "viewer", ttl: 1 }],
])("[I56] %s is refused", async (_what, wrong) => {
  await problem(ask("wrong", "admin", "/v1/api-keys", { method: "POST", body: wrong }), 400, "invalid_body");
});

it("[I57] a key may what its role may, of its tenant, under its name", async () => {
  const { apiKey: viewer } = await make("roles-k", { name: "Reader", role: "viewer" });
  const { apiKey: operator } = await make("roles-k", { name: "Bot", role: "operator" });
  const { apiKey: gateway } = await make("roles-k", { name: "Gate", role: "gateway" });
  expect(await answerOf<SessionAnswer>(asks(viewer))).toMatchObject({
    tenant: "roles-k",
    role: "viewer",
    name: "Reader",
  });
  const silence = (key: string) =>
    ask("nobody", "viewer", "/v1/silences", {
      method: "POST",
      body: { comment: "x", endsAt: Date.now() + 1 },
      headers: bearerOf(key),
    });
  await problem(silence(viewer), 403, "forbidden");
  expect(await answerOf(silence(operator))).toMatchObject({ createdBy: "Bot" });
  expect((await sends(gateway)).status).toBe(200);
  await problem(sends(operator), 403, "forbidden");
  await problem(asks(gateway), 403, "forbidden");
  expect(
    (await ask("nobody", "viewer", `/v1/session?access_token=${viewer}`, { headers: { authorization: "" } }))
      .status,
  ).toBe(200);
  const { entries } = await answerOf<{ entries: AuditEntry[] }>(ask("roles-k", "admin", "/v1/audit"));
  expect(entries).toContainEqual(
    expect.objectContaining({ who: "Bot", role: "operator", target: "/v1/silences" }),
  );
});

it("[I58] a key that is revoked does nothing from the next message on: HTTPS, sockets, streams", async () => {
  await register("ended", [{ device: "d9", zone: "roof" }]);
  const viewer = await make("ended", { name: "Reader", role: "viewer" });
  const gateway = await make("ended", { name: "Gate", role: "gateway" });
  const other = await make("ended", { name: "Other", role: "gateway" });
  const socket = new TestSocket<ServerFrame>(await connect(gateway.apiKey));
  socket.send(frame(1));
  await socket.until(({ type }) => type === "ack");
  await vi.waitFor(async () => expect((await ask("ended", "viewer", "/v1/devices/d1")).status).toBe(200));
  const events = new TestEvents(
    await asks(viewer.apiKey, "/v1/zones/roof/stream", { accept: "text/event-stream" }),
  );
  await events.next();
  for (const { id, name } of [gateway, viewer])
    expect(await answerOf(drop("ended", id))).toEqual({ id, name, told: true, own: false });
  socket.send(frame(2));
  expect(await socket.closed).toBe(4401);
  await expect(events.next()).rejects.toThrow("the stream ended");
  // The isolate still knows them, and they are void there too.
  await problem(sends(gateway.apiKey), 401, "token_revoked");
  await problem(asks(viewer.apiKey), 401, "token_revoked");
  expect((await sends(other.apiKey)).status).toBe(200);
  later(60_000);
  await problem(sends(gateway.apiKey), 401, "token_invalid");
  await problem(asks(viewer.apiKey), 401, "token_invalid");
  expect((await list("ended")).map(({ id }) => id)).toEqual([other.id]);
  await problem(drop("ended", viewer.id), 404, "api_key_not_found");
  expect((await held(env.DEVICE.getByName("ended/d1"), "a")).map(([, value]) => value)).not.toContain(2);
});

it("[I58] an admin's key may revoke itself; what voids the tenant's tokens ends its keys", async () => {
  const admin = await make("all-ended", { name: "Robot", role: "admin" });
  const { apiKey } = await make("all-ended", { name: "Gate", role: "gateway" });
  const gone = ask("nobody", "viewer", `/v1/api-keys/${admin.id}`, {
    method: "DELETE",
    headers: bearerOf(admin.apiKey),
  });
  expect(await answerOf(gone)).toMatchObject({ own: true });
  await problem(asks(admin.apiKey), 401, "token_revoked");
  expect((await sends(apiKey)).status).toBe(200);
  later(1);
  await answerOf(ask("all-ended", "admin", "/v1/tokens/revoke", { method: "POST" }));
  await problem(sends(apiKey), 401, "token_revoked");
  later(1);
  expect(await list("all-ended")).toEqual([]);
  const renewed = await make("all-ended", { name: "Gate", role: "gateway" });
  expect((await sends(renewed.apiKey)).status).toBe(200);
});

it("[I59] the tenant's object is asked once a minute; a key made meanwhile holds at once", async () => {
  const first = await make("asked", { name: "one", role: "gateway" });
  const reads = vi.spyOn(TenantObject.prototype, "apiKeys");
  const before = reads.mock.calls.length;
  await Promise.all(Array.from({ length: 30 }, () => sends(first.apiKey)));
  for (let i = 0; i < 5; i++) expect((await sends(first.apiKey)).status).toBe(200);
  const second = await make("asked", { name: "two", role: "gateway" });
  expect((await sends(second.apiKey)).status).toBe(200);
  // What making and noting ask within the object itself is no request: those are few too.
  expect(reads.mock.calls.length - before).toBeLessThan(12);
});

it("[I59] while the tenant's object is away, what it said stands for ten minutes, and nothing else", async () => {
  vi.spyOn(console, "error").mockImplementation(() => undefined);
  vi.spyOn(console, "warn").mockImplementation(() => undefined);
  const used = await make("away-k", { name: "one", role: "gateway" });
  const unused = await make("away-k", { name: "two", role: "gateway" });
  expect((await sends(used.apiKey)).status).toBe(200);
  const away = vi.spyOn(TenantObject.prototype, "apiKeys").mockImplementation(() => {
    throw new Error("away");
  });
  later(9 * 60_000);
  expect((await sends(used.apiKey)).status).toBe(200);
  await problem(sends(`tt_away-k_${"0".repeat(64)}`), 503, "unavailable");
  later(2 * 60_000);
  await problem(sends(used.apiKey), 503, "unavailable");
  away.mockRestore();
  for (const { apiKey } of [used, unused]) expect((await sends(apiKey)).status).toBe(200);
});

it("[I59] keys that are none do not keep the tenant's object busy, nor a known one out", async () => {
  vi.spyOn(console, "error").mockImplementation(() => undefined);
  const good = await make("flooded", { name: "one", role: "gateway" });
  expect((await sends(good.apiKey)).status).toBe(200);
  later(60_000);
  const reads = vi.spyOn(TenantObject.prototype, "apiKeys");
  const statuses = new Map<number, number>();
  for (let i = 0; i < 40; i++) {
    const { status } = await sends(`tt_flooded_${i.toString(16).padStart(64, "0")}`);
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
  }
  expect(reads.mock.calls.length).toBe(10);
  expect(Object.fromEntries(statuses)).toEqual({ 401: 10, 503: 30 });
  expect((await sends(good.apiKey)).status).toBe(200);
});

it("[I60] a key that is none is refused, and its address after 600 of a minute; a good one of it is taken", async () => {
  vi.spyOn(console, "warn").mockImplementation(() => undefined);
  const good = await make("guessed", { name: "one", role: "gateway" });
  await problem(sends(`tt_guessed_${"0".repeat(64)}`), 401, "token_invalid");
  await problem(sends(good.apiKey.replace("guessed", "guessed-rival")), 401, "token_invalid");
  for (let i = 0; i < 600; i++) await sends("tt_half", "203.0.113.77");
  await problem(sends("tt_half", "203.0.113.77"), 429, "too_many_failures");
  expect((await sends(good.apiKey, "203.0.113.77")).status).toBe(200);
});

it("[I61] when a key was last used is noted once an hour, and fails nothing when it cannot be", async () => {
  const { apiKey } = await make("used", { name: "one", role: "gateway" });
  const lastUsed = async () => (await list("used"))[0]!.lastUsedAt;
  expect(await lastUsed()).toBeNull();
  const first = Date.now();
  await sends(apiKey);
  expect(await lastUsed()).toBe(first);
  later(59 * 60_000);
  await sends(apiKey);
  expect(await lastUsed()).toBe(first);
  later(60_000);
  const notes = vi.spyOn(TenantObject.prototype, "useApiKey").mockRejectedValue(new Error("away"));
  vi.spyOn(console, "warn").mockImplementation(() => undefined);
  expect((await sends(apiKey)).status).toBe(200);
  notes.mockRestore();
  later(60_000);
  await sends(apiKey);
  expect(await lastUsed()).toBe(Date.now());
  const missing = new Request("https://telltale.test/v1/api-keys");
  await problem(api.fetch(missing, apiEnv, createExecutionContext()), 401, "token_missing");
});
