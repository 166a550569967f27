import { createExecutionContext, env } from "cloudflare:test";
import { expect, it, vi } from "vitest";
import type { SnapshotFrame } from "../../schemas/live.ts";
import type { QuotaAnswer } from "../../schemas/tenant.ts";
import { register } from "../aggregate/zone/zone-test-support.ts";
import { FAILURES_MAX } from "../failed-sign-ins.ts";
import { changeSettings, readUse } from "../tenant.ts";
import { bearer, problem, TestEvents, TestSocket } from "../test-support.ts";
import { answerOf, apiEnv, ask } from "./api-test-support.ts";
import type { ApiEnv } from "./env.ts";
import { api } from "./worker.ts";

const open = async (tenant: string, path: string, bindings: Partial<Record<keyof ApiEnv, unknown>> = {}) =>
  await api.fetch(
    new Request(`https://telltale.test${path}`, {
      headers: { ...(await bearer(tenant, "viewer")), upgrade: "websocket" },
    }),
    { ...apiEnv, ...bindings } as ApiEnv,
    createExecutionContext(),
  );
const used = async (tenant: string) =>
  (await answerOf<QuotaAnswer>(ask(tenant, "viewer", "/v1/tenant/quota"))).use.viewers;

it("[F21] streams of all zones and of the fleet count together; one that ends makes room, and another tenant's count for nothing", async () => {
  await register("views", "north", "south");
  await changeSettings(env.TENANT, "views", { limits: { viewers: 3 } });
  const first = new TestSocket(await open("views", "/v1/zones/north/stream"));
  new TestSocket(await open("views", "/v1/fleet/stream"));
  const headers = { accept: "text/event-stream" };
  const events = new TestEvents(await ask("views", "viewer", "/v1/zones/south/stream", { headers }));
  await events.next();
  expect(await used("views")).toBe(3);
  for (const path of ["/v1/zones/north/stream", "/v1/zones/nowhere/stream", "/v1/fleet/stream"]) {
    const refused = await open("views", path);
    expect(refused.headers.get("retry-after")).toBe("10");
    expect((await problem(refused, 429, "quota_viewers")).detail).toMatch(
      /has 3 streams open and may have 3/,
    );
  }
  expect((await open("elsewhere", "/v1/zones/north/stream")).status).toBe(101);
  first.close();
  await first.closed;
  await vi.waitFor(async () => expect(await used("views")).toBe(2));
  expect((await open("views", "/v1/zones/north/stream")).status).toBe(101);
});

it("[A78] [F48] the fourth of five streams warns, and who is refused one is counted as refused", async () => {
  await register("nearly", "north");
  await changeSettings(env.TENANT, "nearly", { limits: { viewers: 5 } });
  const states = async () =>
    (await answerOf<QuotaAnswer>(ask("nearly", "viewer", "/v1/tenant/quota"))).states.viewers;
  for (let i = 0; i < 3; i++) new TestSocket(await open("nearly", "/v1/zones/north/stream"));
  expect([await states(), (await readUse(env.TENANT, "nearly")).warned]).toEqual(["ok", []]);
  new TestSocket(await open("nearly", "/v1/zones/north/stream"));
  expect([await states(), (await readUse(env.TENANT, "nearly")).warned]).toEqual(["near", ["viewers"]]);
  new TestSocket(await open("nearly", "/v1/zones/north/stream"));
  await problem(open("nearly", "/v1/fleet/stream"), 429, "quota_viewers");
  expect([await states(), (await readUse(env.TENANT, "nearly")).refusing]).toEqual(["over", ["viewers"]]);
});

it("[F21] a zone that does not answer, or a tenant's object that is away, refuses nobody", async () => {
  await register("mute", "north");
  await changeSettings(env.TENANT, "mute", { limits: { viewers: 1 } });
  new TestSocket(await open("mute", "/v1/zones/north/stream"));
  await problem(open("mute", "/v1/fleet/stream"), 429, "quota_viewers");
  const away = { getByName: () => ({ viewers: () => Promise.reject(new Error("away")) }) };
  expect((await open("mute", "/v1/fleet/stream", { ZONE: away })).status).toBe(101);
  const TENANT = { get: () => ({ fetch: () => Promise.reject(new Error("away")) }), idFromName: () => "" };
  expect((await open("mute", "/v1/zones/north/stream", { TENANT })).status).toBe(101);
});

it("[F37] to open a stream asks the tenant's object once", async () => {
  await register("once", "north");
  await changeSettings(env.TENANT, "once", { limits: { viewers: 5 } });
  let asked = 0;
  const TENANT = new Proxy(env.TENANT, {
    get(target, name) {
      if (name === "get") asked++;
      const own = Reflect.get(target, name) as unknown;
      return typeof own === "function" ? own.bind(target) : own;
    },
  });
  for (const path of ["/v1/zones/north/stream", "/v1/fleet/stream"]) {
    asked = 0;
    expect((await open("once", path, { TENANT })).status).toBe(101);
    expect(asked).toBe(1);
  }
});

it("[F23] who guesses tokens is told to stop, and a good one of the same address is taken", async () => {
  const asked = (authorization: string) =>
    api.fetch(
      new Request("https://telltale.test/v1/session", {
        headers: { authorization, "cf-connecting-ip": "192.0.2.7" },
      }),
      apiEnv,
      createExecutionContext(),
    );
  for (let i = 0; i < FAILURES_MAX; i++) await problem(asked("Bearer x.y.z"), 401, "token_invalid");
  const refused = await asked("Bearer x.y.z");
  expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
  await problem(refused, 429, "too_many_failures");
  const { authorization } = await bearer("shared", "viewer");
  expect((await asked(authorization)).status).toBe(200);
});

it("[L28] a page is asked with a limit, and one device has none", async () => {
  const ofZone = (query: string) => ask("paging", "viewer", `/v1/zones/north/snapshot${query}`);
  expect(await answerOf<SnapshotFrame>(ofZone("?limit=5&after=d1"))).toMatchObject({
    devices: [],
    next: null,
  });
  expect((await answerOf<SnapshotFrame>(ofZone(""))).next).toBeUndefined();
  await problem(ofZone("?limit=501"), 400, "invalid_query");
  expect((await problem(ofZone("?device=d1&limit=5"), 400, "invalid_query")).detail).toMatch(/has no pages/);
});
