// What is revoked is void from the next message on, at every door: over HTTPS, on a socket, in a stream.
import { createExecutionContext, env, evictDurableObject } from "cloudflare:test";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { signToken } from "../../core/token/sign.ts";
import type { ZoneFrame } from "../../schemas/live.ts";
import type { TenantRules } from "../../schemas/message.ts";
import type { ServerFrame } from "../../schemas/reading.ts";
import type { RevokeAnswer, Role, TokenList } from "../../schemas/token.ts";
import { pushRulesPending } from "../aggregate/chores/push-rules-pending.ts";
import { DeviceObject } from "../aggregate/device/device-object.ts";
import type { AggregateEnv } from "../aggregate/env.ts";
import { TenantObject } from "../aggregate/tenant/tenant-object.ts";
import type { IngestEnv } from "../ingest/env.ts";
import { ingest } from "../ingest/worker.ts";
import { tellEach } from "../push-rules.ts";
import { changeSettings, readSettings, revokeTokens } from "../tenant.ts";
import { held, problem, rowsOnceKnown, TestEvents, TestSocket, upgrade } from "../test-support.ts";
import { answerOf, apiEnv, register } from "./api-test-support.ts";
import { api } from "./worker.ts";

const START = Date.now();

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"], now: START });
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

/** The clock goes on, as it does between any two requests of a real day. */
const later = (ms = 1) => vi.setSystemTime(Date.now() + ms);

const tokenOf = async (tenant: string, role: Role, device?: string, ttlSeconds = 3_600) => {
  const token = await signToken({ tenant, role, device, ttlSeconds }, env.TOKEN_SECRET, Date.now());
  later();
  return token;
};

const asked = (token: string, path: string, init: RequestInit = {}) => {
  const headers = { authorization: `Bearer ${token}`, ...(init.headers as Record<string, string>) };
  return new Request(`https://telltale.test${path}`, { ...init, headers });
};
const ask = async (token: string, path: string, init?: RequestInit) =>
  await api.fetch(asked(token, path, init), apiEnv, createExecutionContext());
const send = async (token: string, ...reports: object[]) => {
  const body = new TextEncoder().encode(JSON.stringify(reports));
  const request = asked(token, "/v1/telemetry", { method: "POST", body });
  return await ingest.fetch(request, env as unknown as IngestEnv, createExecutionContext());
};
const connect = async (token: string, query = "") => {
  const headers = { authorization: `Bearer ${token}` };
  const request = upgrade(`/v1/connect${query}`, headers);
  return await ingest.fetch(request, env as unknown as IngestEnv, createExecutionContext());
};
const reading = (value: number, device?: string) => ({ device, metrics: { a: value } });
const frame = (seq: number, device?: string) => ({ type: "report", seq, device, metrics: { a: seq } });
const revokeAll = async (tenant: string, body?: string) => {
  const answered = await ask(await tokenOf(tenant, "admin"), "/v1/tokens/revoke", {
    method: "POST",
    ...(body === undefined ? {} : { body }),
  });
  const answer = await answerOf<RevokeAnswer>(answered);
  later();
  return answer;
};
const revokeDevice = async (tenant: string, device: string) => {
  const path = `/v1/devices/${device}/revoke`;
  await answerOf(ask(await tokenOf(tenant, "admin"), path, { method: "POST" }));
  later();
};

it("[I34] what a tenant issued before now is void at every door, and what it issues after that holds", async () => {
  const tenant = "revoked";
  const tokens = async () => ({
    device: await tokenOf(tenant, "device", "d1"),
    gateway: await tokenOf(tenant, "gateway"),
    viewer: await tokenOf(tenant, "viewer"),
    admin: await tokenOf(tenant, "admin"),
  });
  const old = await tokens();
  const rival = await tokenOf("revoked-rival", "device", "d1");
  expect((await send(old.device, reading(1))).status).toBe(200);
  expect((await send(old.gateway, reading(2, "d1"), reading(2, "d2"))).status).toBe(200);
  await register(tenant, [{ device: "d3", zone: "roof" }]);
  for (const body of [undefined, "{}"]) {
    expect(await revokeAll(tenant, body)).toMatchObject({ told: true, own: true });
  }
  await problem(send(old.device, reading(3)), 401, "token_revoked");
  await problem(send(old.gateway, reading(3, "d2")), 401, "token_revoked");
  await problem(send(old.gateway, reading(3, "d4")), 401, "token_revoked"); // which nobody knew
  await problem(connect(old.device), 401, "token_revoked");
  for (const path of [
    "/v1/session",
    "/v1/devices",
    "/v1/zones/default/snapshot",
    "/v1/zones/default/stream",
  ]) {
    await problem(ask(old.viewer, path), 401, "token_revoked");
  }
  await problem(ask(old.admin, "/v1/tokens/revoke", { method: "POST" }), 401, "token_revoked");
  const renewed = await tokens();
  expect((await send(renewed.device, reading(4))).status).toBe(200);
  expect((await send(renewed.gateway, reading(4, "d2"))).status).toBe(200);
  expect((await ask(renewed.viewer, "/v1/devices")).status).toBe(200);
  expect((await ask(renewed.admin, "/v1/session")).status).toBe(200);
  expect((await send(rival, reading(1))).status).toBe(200);
  expect((await held(env.DEVICE.getByName(`${tenant}/d1`), "a")).map(([, value]) => value)).not.toContain(3);
});

it("[I34] a device's own tokens are void, also those it never used; the gateway's and other devices' are not", async () => {
  const old = await tokenOf("one", "device", "d1");
  const other = await tokenOf("one", "device", "d2");
  const gateway = await tokenOf("one", "gateway");
  const unused = await tokenOf("one", "device", "d3");
  await send(old, reading(1));
  for (const device of ["d1", "d3"]) await revokeDevice("one", device);
  await evictDurableObject(env.DEVICE.getByName("one/d1"));
  await evictDurableObject(env.DEVICE.getByName("one/d3"));
  await problem(send(old, reading(2)), 401, "token_revoked");
  await problem(send(unused, reading(2)), 401, "token_revoked");
  expect(await env.DEVICE.getByName("one/d3").latest()).toBeNull();
  expect((await send(other, reading(2))).status).toBe(200);
  expect((await send(gateway, reading(3, "d1"))).status).toBe(200);
  expect((await send(await tokenOf("one", "device", "d1"), reading(4))).status).toBe(200);
});

it("[I34] a token whose time of issue is in whole seconds is taken, and void when its second had begun", async () => {
  const whole = async () => {
    vi.setSystemTime(Math.ceil(Date.now() / 1_000) * 1_000);
    return await tokenOf("seconds", "device", "d1");
  };
  const token = await whole();
  expect((await send(token, reading(1))).status).toBe(200);
  await revokeDevice("seconds", "d1");
  await problem(send(token, reading(2)), 401, "token_revoked");
  expect((await send(await whole(), reading(3))).status).toBe(200);
});

it.each(["the device", "the tenant"])(
  "[I35] %s revokes: its socket ends at once, with what it held acknowledged",
  async (who) => {
    const tenant = `sockets-${who.replace(" ", "-")}`;
    const token = await tokenOf(tenant, "device", "d1");
    await send(token, reading(0)); // so that the registry knows it
    await vi.waitFor(async () =>
      expect((await ask(await tokenOf(tenant, "viewer"), "/v1/devices/d1")).status).toBe(200),
    );
    const socket = new TestSocket<ServerFrame>(await connect(token, "?commitEveryMs=600000"));
    socket.send(frame(1));
    await vi.waitFor(async () => {
      const latest = await env.DEVICE.getByName(`${tenant}/d1`).latest();
      expect(latest?.metrics.a?.value).toBe(1);
    });
    if (who === "the tenant") await revokeAll(tenant);
    else await revokeDevice(tenant, "d1");
    expect(await socket.closed).toBe(4401);
    expect(socket.frames).toMatchObject([{ type: "ack", seq: 1, stored: 1 }]);
    await problem(connect(token), 401, "token_revoked");
    expect((await connect(await tokenOf(tenant, "device", "d1"))).status).toBe(101);
  },
);

it("[I35] a gateway's socket ends with its next frame, of which nothing is taken", async () => {
  const socket = new TestSocket<ServerFrame>(await connect(await tokenOf("gate-revoked", "gateway")));
  socket.send(frame(1, "d1"));
  await socket.until(({ type }) => type === "ack");
  await vi.waitFor(async () =>
    expect((await ask(await tokenOf("gate-revoked", "viewer"), "/v1/devices/d1")).status).toBe(200),
  );
  await revokeAll("gate-revoked");
  socket.send(frame(2, "d1"));
  socket.send(frame(3, "d2"));
  expect(await socket.closed).toBe(4401);
  expect(socket.frames).toMatchObject([{ type: "ack", seq: 1 }]);
  expect((await held(env.DEVICE.getByName("gate-revoked/d1"), "a")).map(([, value]) => value)).toEqual([1]);
  expect(await env.DEVICE.getByName("gate-revoked/d2").latest()).toBeNull();
});

it("[I35] streams of zones and of the fleet end at once, and those opened with a newer token stay", async () => {
  await register("streams-revoked", [{ device: "d1", zone: "roof" }]);
  const paths = ["/v1/zones/roof/stream", "/v1/fleet/stream"];
  const open = async (token: string) => ({
    sockets: await Promise.all(
      paths.map(
        async (path) =>
          new TestSocket<ZoneFrame>(await ask(token, path, { headers: { upgrade: "websocket" } })),
      ),
    ),
    events: await Promise.all(
      paths.map(
        async (path) =>
          new TestEvents<ZoneFrame>(await ask(token, path, { headers: { accept: "text/event-stream" } })),
      ),
    ),
  });
  const old = await open(await tokenOf("streams-revoked", "viewer"));
  for (const socket of old.sockets) await socket.until(({ type }) => type === "snapshot");
  for (const events of old.events) await events.next();
  await revokeAll("streams-revoked");
  for (const socket of old.sockets) expect(await socket.closed).toBe(4401);
  for (const events of old.events) await expect(events.next()).rejects.toThrow("the stream ended");
  const renewed = await open(await tokenOf("streams-revoked", "viewer"));
  for (const socket of renewed.sockets) await socket.until(({ type }) => type === "snapshot");
  await env.ZONE.getByName("streams-revoked/roof").leave("d1");
});

/** Devices that note who was told, but for those that are real, and the objects that tell shares of them. */
class ToldFleet {
  readonly told: string[] = [];
  readonly sharesAway = new Set<string>();
  readonly away = new Set<string>();
  readonly #tenant: string;
  readonly #real: string | undefined;

  constructor(tenant: string, real?: string) {
    this.#tenant = tenant;
    this.#real = real;
  }

  get DEVICE() {
    return {
      getByName: (name: string) => ({
        setRules: async (rules: TenantRules) => {
          const device = name.slice(this.#tenant.length + 1);
          if (this.away.has(device)) throw new Error("away");
          if (device === this.#real) await env.DEVICE.getByName(name).setRules(rules);
          this.told.push(device);
        },
      }),
    } as unknown as typeof apiEnv.DEVICE;
  }

  get FLEET() {
    return {
      getByName: (name: string) => ({
        endVoid: async () => undefined,
        tell: async (devices: string[], rules: TenantRules) => {
          if (this.sharesAway.has(name)) throw new Error("away");
          return await tellEach(this.DEVICE, this.#tenant, devices, rules);
        },
      }),
    } as unknown as typeof apiEnv.FLEET;
  }

  async revokeAll() {
    const order = asked(await tokenOf(this.#tenant, "admin"), "/v1/tokens/revoke", { method: "POST" });
    const { DEVICE, FLEET } = this;
    return await answerOf<RevokeAnswer>(
      api.fetch(order, { ...apiEnv, DEVICE, FLEET }, createExecutionContext()),
    );
  }

  /** What a turn of the cron tells. */
  async tick(): Promise<string[]> {
    this.told.length = 0;
    const own = { ...env, DEVICE: this.DEVICE } as unknown as AggregateEnv;
    await pushRulesPending({ env: own, cursor: "", untilMs: Number.MAX_SAFE_INTEGER });
    return this.told;
  }
}

/** Registers so many devices, over ten zones. Returns their names, in order. */
async function registerMany(tenant: string, devices: number): Promise<string[]> {
  const names = Array.from({ length: devices }, (_, i) => `d${10_000 + i}`);
  await register(
    tenant,
    names.map((device, i) => ({ device, zone: `zone-${i % 10}` })),
  );
  return names;
}

const pushesOf = (tenant: string) =>
  env.CONTROL.prepare("SELECT count(*) AS count FROM rules_push WHERE tenant = ?1")
    .bind(tenant)
    .first<number>("count");

it("[I74] of 2,601 devices the last is told too, and its next message refused: over HTTPS, on its socket, through a gateway", async () => {
  const tenant = "many";
  const names = await registerMany(tenant, 2_600);
  const last = "z-last";
  const device = await tokenOf(tenant, "device", last);
  const gateway = await tokenOf(tenant, "gateway");
  await send(device, reading(1));
  await rowsOnceKnown(env.DEVICE.getByName(`${tenant}/${last}`));
  const socket = new TestSocket<ServerFrame>(await connect(device));
  const gate = new TestSocket<ServerFrame>(await connect(gateway));
  const fleet = new ToldFleet(tenant, last);
  expect(await fleet.revokeAll()).toMatchObject({ told: true });
  expect(fleet.told.toSorted()).toEqual([...names, last]);
  expect(await pushesOf(tenant)).toBe(0);
  later();
  expect(await socket.closed).toBe(4401);
  gate.send(frame(1, last));
  expect(await gate.closed).toBe(4401);
  expect([...socket.frames, ...gate.frames]).toEqual([]);
  await problem(send(device, reading(2)), 401, "token_revoked");
  await problem(send(gateway, reading(2, last)), 401, "token_revoked");
  await problem(connect(device), 401, "token_revoked");
  expect((await send(await tokenOf(tenant, "device", last), reading(3))).status).toBe(200);
  const kept = await held(env.DEVICE.getByName(`${tenant}/${last}`), "a");
  expect(kept.map(([, value]) => value)).toEqual([1, 3]);
});

it("[I74] a share whose object is away stops no other, and the cron goes on from its first device", async () => {
  vi.spyOn(console, "warn").mockImplementation(() => undefined);
  const names = await registerMany("share-away", 1_600);
  const fleet = new ToldFleet("share-away");
  fleet.sharesAway.add("share-away/1");
  expect(await fleet.revokeAll()).toMatchObject({ told: false });
  expect(fleet.told.toSorted()).toEqual([...names.slice(0, 500), ...names.slice(1_000)]);
  expect(await fleet.tick()).toEqual(names.slice(500));
  expect(await pushesOf("share-away")).toBe(0);
});

it("[I74] a few devices that are away are left to the cron by name: the others are not told again", async () => {
  vi.spyOn(console, "warn").mockImplementation(() => undefined);
  const names = await registerMany("few-away", 1_100);
  const fleet = new ToldFleet("few-away");
  for (const name of [names[3]!, names[700]!]) fleet.away.add(name);
  expect(await fleet.revokeAll()).toMatchObject({ told: false });
  expect(fleet.told).toHaveLength(1_098);
  fleet.away.clear();
  expect(await fleet.tick()).toEqual([names[3], names[700]]);
  expect(await pushesOf("few-away")).toBe(0);
});

it("[I74] an object tells a share of the fleet, and says who was not told", async () => {
  vi.spyOn(console, "warn").mockImplementation(() => undefined);
  const tenant = "a-share";
  const token = await tokenOf(tenant, "device", "d1");
  await send(token, reading(1));
  await rowsOnceKnown(env.DEVICE.getByName(`${tenant}/d1`));
  const settings = await revokeTokens(env.TENANT, tenant, { notBeforeMs: Date.now() });
  later();
  const rules = { version: settings!.rulesVersion, rules: [], settings: settings! };
  expect(await env.FLEET.getByName(`${tenant}/7`).tell(["d1", "d2"], rules)).toEqual([]);
  await problem(send(token, reading(2)), 401, "token_revoked");
  vi.spyOn(DeviceObject.prototype, "setRules").mockRejectedValue(new Error("away"));
  expect(await env.FLEET.getByName(`${tenant}/7`).tell(["d1", "d2"], rules)).toEqual(["d1", "d2"]);
});

it("[I75] a socket that was opened before its device's first report ends: at once, or with its first frame a second later", async () => {
  const tenant = "before-first";
  await register(tenant, [{ device: "ahead" }]);
  const open = async (device: string) =>
    new TestSocket<ServerFrame>(await connect(await tokenOf(tenant, "device", device)));
  const ahead = await open("ahead");
  const unknown = await open("unknown");
  await revokeAll(tenant);
  expect(await ahead.closed).toBe(4401);
  later(1_001);
  unknown.send(frame(1));
  expect(await unknown.closed).toBe(4401);
  expect(unknown.frames).toEqual([]);
  expect(await env.DEVICE.getByName(`${tenant}/unknown`).latest()).toBeNull();
});

it("[I75] what is revoked while a device's first report is under way is known when it is registered", async () => {
  const tenant = "under-way";
  await changeSettings(env.TENANT, tenant, { limits: { devices: 5 } });
  const admitted = Promise.withResolvers<boolean>();
  const admits = vi.spyOn(TenantObject.prototype, "admit").mockReturnValue(admitted.promise);
  const token = await tokenOf(tenant, "device", "d1");
  const first = send(token, reading(1));
  await vi.waitFor(() => expect(admits).toHaveBeenCalled());
  expect(await revokeAll(tenant)).toMatchObject({ told: true });
  admitted.resolve(true);
  expect((await first).status).toBe(200); // it was asked before
  await rowsOnceKnown(env.DEVICE.getByName(`${tenant}/d1`));
  await problem(send(token, reading(2)), 401, "token_revoked");
});

it("[I76] settings that a device was told of while it asked are not replaced by the older answer", async () => {
  const tenant = "overtaken";
  const token = await tokenOf(tenant, "device", "d1");
  await send(token, reading(1));
  await rowsOnceKnown(env.DEVICE.getByName(`${tenant}/d1`));
  const before = await readSettings(env.TENANT, tenant);
  const answered = Promise.withResolvers<void>();
  const settings = vi.spyOn(TenantObject.prototype, "settings").mockImplementation((async () => {
    await answered.promise;
    return before;
  }) as never);
  later(3_600_001);
  const fresh = await tokenOf(tenant, "device", "d1");
  const sending = send(fresh, reading(2));
  await vi.waitFor(() => expect(settings).toHaveBeenCalled());
  await env.DEVICE.getByName(`${tenant}/d1`).setRules({
    version: before.rulesVersion,
    rules: [],
    settings: {
      ...before,
      settingsVersion: before.settingsVersion + 1,
      tokens: { notBeforeMs: Date.now(), ids: [] },
    },
  });
  answered.resolve();
  await problem(sending, 401, "token_revoked");
  await problem(send(fresh, reading(3)), 401, "token_revoked");
});

it("[I76] settings that a device had asked for itself are durable when it is told of them, and end its sockets", async () => {
  const tenant = "asked-itself";
  const token = await tokenOf(tenant, "device", "d1");
  await send(token, reading(1));
  const device = env.DEVICE.getByName(`${tenant}/d1`);
  await rowsOnceKnown(device);
  const socket = new TestSocket<ServerFrame>(await connect(token));
  const settings = await revokeTokens(env.TENANT, tenant, { notBeforeMs: Date.now() });
  later();
  await problem(connect(token), 401, "token_revoked"); // for which it asked
  await device.setRules({ version: settings!.rulesVersion, rules: [], settings: settings! });
  expect(await socket.closed).toBe(4401);
  await evictDurableObject(device);
  await problem(send(token, reading(2)), 401, "token_revoked");
});

it("[F25] no object sees a token that opened a stream, of a zone or of the fleet", async () => {
  const token = await tokenOf("unseen", "viewer");
  const seen: Request[] = [];
  const object = {
    fetch: async (request: Request) => {
      seen.push(request);
      return new Response("seen");
    },
  };
  const own = { ...apiEnv, ZONE: { getByName: () => object }, FLEET: { getByName: () => object } };
  for (const path of ["/v1/zones/default/stream", "/v1/fleet/stream"]) {
    const offered = { upgrade: "websocket", "sec-websocket-protocol": `bearer.${token}, telltale.v1` };
    for (const request of [
      asked(token, path, { headers: { accept: "text/event-stream" } }),
      upgrade(path, offered),
      upgrade(`${path}?access_token=${token}`),
    ]) {
      await api.fetch(request, own as unknown as typeof apiEnv, createExecutionContext());
    }
  }
  expect(seen).toHaveLength(6);
  for (const { url, headers } of seen) expect(JSON.stringify([url, ...headers])).not.toContain(token);
});

it("[I35] who was not told of it asks: a zone when it renews its leases, a device within the hour", async () => {
  const device = await tokenOf("untold", "device", "d1");
  await send(device, reading(1));
  const viewer = await tokenOf("untold", "viewer");
  await vi.waitFor(async () => expect((await ask(viewer, "/v1/devices/d1")).status).toBe(200));
  const stream = await ask(viewer, "/v1/zones/default/stream", { headers: { upgrade: "websocket" } });
  const socket = new TestSocket<ZoneFrame>(stream);
  await socket.until(({ type }) => type === "snapshot");
  vi.spyOn(DeviceObject.prototype, "setRules").mockRejectedValue(new Error("away"));
  vi.spyOn(console, "warn").mockImplementation(() => undefined);
  const zone = vi.spyOn((await import("../aggregate/zone/zone-object.ts")).ZoneObject.prototype, "endVoid");
  zone.mockRejectedValue(new Error("away"));
  expect(await revokeAll("untold")).toMatchObject({ told: false });
  expect((await send(device, reading(2))).status).toBe(200);
  later(6 * 60_000);
  const { runDurableObjectAlarm } = await import("cloudflare:test");
  await runDurableObjectAlarm(env.ZONE.getByName("untold/default"));
  expect(await socket.closed).toBe(4401);
  later(3_600_000);
  const again = await tokenOf("untold", "device", "d1");
  await problem(send(device, reading(3)), 401, "token_expired");
  expect((await send(again, reading(3))).status).toBe(200);
});

it("[I2] [I36] a socket ends with its token: a device's, with what it held, and a gateway's", async () => {
  const device = new TestSocket<ServerFrame>(
    await connect(await tokenOf("expiring", "device", "d1"), "?commitEveryMs=600000"),
  );
  const gateway = new TestSocket<ServerFrame>(await connect(await tokenOf("expiring", "gateway")));
  device.send(frame(1));
  gateway.send(frame(1, "d2"));
  await gateway.until(({ type }) => type === "ack");
  await vi.waitFor(async () => expect(await env.DEVICE.getByName("expiring/d1").latest()).not.toBeNull());
  await evictDurableObject(env.DEVICE.getByName("expiring/d1"));
  later(3_600_000);
  device.send(frame(2));
  gateway.send(frame(2, "d2"));
  expect(await device.closed).toBe(4401);
  expect(await gateway.closed).toBe(4401);
  expect(device.frames).toMatchObject([{ type: "ack", seq: 1, stored: 1 }]);
  expect(gateway.frames).toMatchObject([{ type: "ack", seq: 1 }]);
  for (const name of ["d1", "d2"]) {
    expect((await held(env.DEVICE.getByName(`expiring/${name}`), "a")).map(([, value]) => value)).toEqual([
      1,
    ]);
  }
});

it("[I36] a silent socket whose token has expired ends with the next sweep", async () => {
  const device = new TestSocket<ServerFrame>(await connect(await tokenOf("silent", "device", "d1")));
  later(3_600_000);
  await env.DEVICE.getByName("silent/d1").sweep();
  expect(await device.closed).toBe(4401);
});

it("[I36] a stream ends with its token: nothing is shown after it", async () => {
  const device = await tokenOf("shown", "device", "d1", 86_400);
  await send(device, reading(1));
  const viewer = await tokenOf("shown", "viewer");
  await vi.waitFor(async () => expect((await ask(viewer, "/v1/devices/d1")).status).toBe(200));
  const path = "/v1/zones/default/stream";
  const socket = new TestSocket<ZoneFrame>(await ask(viewer, path, { headers: { upgrade: "websocket" } }));
  const events = new TestEvents<ZoneFrame>(
    await ask(viewer, path, { headers: { accept: "text/event-stream" } }),
  );
  await socket.until(({ type }) => type === "snapshot");
  await events.next();
  later(3_600_000);
  await env.ZONE.getByName("shown/default").leave("d1");
  expect(await socket.closed).toBe(4401);
  await expect(events.next()).rejects.toThrow("the stream ended");
  expect(socket.frames.map(({ type }) => type)).toEqual(["snapshot"]);
});

it("[I37] while the tenant's object is away, what it said within ten minutes stands, and nobody else is let in", async () => {
  vi.spyOn(console, "error").mockImplementation(() => undefined);
  const known = await tokenOf("away-known", "viewer");
  const unknown = await tokenOf("away-unknown", "viewer");
  expect((await ask(known, "/v1/session")).status).toBe(200);
  vi.spyOn(TenantObject.prototype, "revoked").mockImplementation(() => {
    throw new Error("away");
  });
  expect((await ask(known, "/v1/session")).status).toBe(200);
  await problem(ask(unknown, "/v1/session"), 503, "unavailable");
  later(10 * 60_000);
  await problem(ask(known, "/v1/session"), 503, "unavailable");
});

it("[I38] a revocation outlives its device: with ?block=true what it had is void in the next life, else it speaks on", async () => {
  const old = await tokenOf("next", "device", "d1");
  const free = await tokenOf("next", "device", "d2");
  for (const token of [old, free]) await send(token, reading(1));
  const admin = await tokenOf("next", "admin");
  const remove = async (path: string) => {
    const { status } = await ask(admin, path, { method: "DELETE" });
    later();
    return status;
  };
  expect(await remove("/v1/devices/d1?block=true")).toBe(202);
  expect(await remove("/v1/devices/d2")).toBe(202);
  expect(await remove("/v1/devices/d3?block=true")).toBe(404);
  await problem(ask(admin, "/v1/devices/d1?block=yes", { method: "DELETE" }), 400, "invalid_query");
  await evictDurableObject(env.DEVICE.getByName("next/d1"));
  await problem(send(old, reading(2)), 401, "token_revoked");
  expect((await send(free, reading(2))).status).toBe(200);
  expect((await send(await tokenOf("next", "device", "d1"), reading(3))).status).toBe(200);
  expect((await held(env.DEVICE.getByName("next/d1"), "a")).map(([, value]) => value)).toEqual([3]);
});

it("[I34] revoking is an admin's, takes nothing else, and changes nothing when an object is away", async () => {
  const operator = await tokenOf("refusing", "operator");
  for (const path of ["/v1/tokens/revoke", "/v1/devices/d1/revoke"]) {
    await problem(ask(operator, path, { method: "POST" }), 403, "forbidden");
  }
  const admin = await tokenOf("refusing", "admin");
  await problem(ask(admin, "/v1/tokens/revoke", { method: "POST", body: '{"al":1}' }), 400, "invalid_body");
  await problem(ask(admin, "/v1/tokens/revoke", { method: "POST", body: "{" }), 400, "malformed_json");
  vi.spyOn(console, "error").mockImplementation(() => undefined);
  vi.spyOn(DeviceObject.prototype, "revoke").mockRejectedValueOnce(new Error("away"));
  vi.spyOn(TenantObject.prototype, "revoke").mockRejectedValueOnce(new Error("away"));
  for (const path of ["/v1/tokens/revoke", "/v1/devices/d1/revoke"]) {
    await problem(ask(admin, path, { method: "POST" }), 503, "unavailable");
  }
  expect((await ask(admin, "/v1/session")).status).toBe(200);
});

interface Made {
  id: string;
  token: string;
  role: Role;
  device: string | null;
}

const make = async (admin: string, body: object) => {
  const init = { method: "POST", body: JSON.stringify(body) };
  const { tokens } = await answerOf<{ tokens: Made[] }>(ask(admin, "/v1/tokens", init));
  later();
  return tokens;
};

it("[I44] tokens are made by an admin, one or many at once, work at their doors, and are shown once", async () => {
  const grace = await signToken(
    { tenant: "made", role: "admin", sub: "Grace", ttlSeconds: 60 },
    env.TOKEN_SECRET,
    Date.now(),
  );
  const [one] = await make(grace, { role: "device", device: "d1", days: 1 });
  const many = await make(grace, {
    tokens: [
      { role: "viewer", name: "Ada" },
      ...Array.from({ length: 30 }, (_, i) => ({ role: "device", device: `m${i}` })),
    ],
  });
  expect((await send(one!.token, reading(1))).status).toBe(200);
  expect((await send(many[30]!.token, reading(1))).status).toBe(200);
  expect(await answerOf(ask(many[0]!.token, "/v1/session"))).toMatchObject({ tenant: "made", name: "Ada" });
  const found: TokenList["tokens"] = [];
  for (let after = ""; ; ) {
    const page = await ask(grace, `/v1/tokens?limit=10${after}`);
    const { tokens, next } = await answerOf<TokenList>(page);
    found.push(...tokens);
    if (next === null) break;
    after = `&after=${next}`;
  }
  expect(found.map(({ id }) => id)).toEqual([...many.toReversed(), one!].map(({ id }) => id));
  expect(found.at(-1)).toEqual({
    id: one!.id,
    role: "device",
    device: "d1",
    name: null,
    issuedAt: expect.any(Number),
    issuedBy: "Grace",
    expiresAt: expect.any(Number),
    revokedAt: null,
  });
  const ofDevice = await answerOf<TokenList>(ask(grace, "/v1/tokens?device=m7"));
  expect(ofDevice.tokens.map(({ id }) => id)).toEqual([many[8]!.id]);
  const rival = await tokenOf("made-rival", "admin");
  expect(await answerOf(ask(rival, "/v1/tokens"))).toEqual({ tokens: [], next: null });
  for (const role of ["viewer", "operator"] as const) {
    const token = await tokenOf("made", role);
    await problem(ask(token, "/v1/tokens"), 403, "forbidden");
    await problem(ask(token, "/v1/tokens", { method: "POST", body: "{}" }), 403, "forbidden");
  }
  later(86_400_000);
  const next = await tokenOf("made", "admin");
  await make(next, { role: "gateway" });
  expect(await answerOf(ask(next, "/v1/tokens?device=d1"))).toEqual({ tokens: [], next: null }); // it has expired
});

it.each([
  ["no role", {}, /role/],
  ["a role nobody has", { role: "owner" }, /role/],
  ["a device's without a device", { role: "device" }, /names its device/],
  ["a person's with a device", { role: "viewer", device: "d1" }, /names its device/],
  ["a device that is a path", { role: "device", device: "a/b" }, /device/],
  ["more than 3,650 days", { role: "viewer", days: 3_651 }, /days.*3650, not 3651|days/],
  ["no days", { role: "viewer", days: 0 }, /days/],
  ["a name that is none", { role: "viewer", name: "" }, /name/],
  ["a key that is none", { role: "viewer", tenant: "rival" }, /"tenant"/],
  ["one bad among good ones", { tokens: [{ role: "viewer" }, { role: "device" }] }, /tokens\.1\.device/],
  ["none", { tokens: [] }, /tokens/],
  ["too many", { tokens: Array.from({ length: 1_001 }, () => ({ role: "viewer" })) }, /1000/],
])("[I45] %s: 400, and none is made", async (_, body, says) => {
  const admin = await tokenOf("unmade", "admin");
  const answer = ask(admin, "/v1/tokens", { method: "POST", body: JSON.stringify(body) });
  expect((await problem(answer, 400, "invalid_body")).detail).toMatch(says);
  expect(await answerOf(ask(admin, "/v1/tokens"))).toEqual({ tokens: [], next: null });
});

it("[I46] single tokens are void by their ids: a device's, a gateway's, a person's; the others go on", async () => {
  const admin = await tokenOf("single", "admin");
  const specs = [
    { role: "device", device: "d1" },
    { role: "device", device: "d1" },
    { role: "gateway" },
    { role: "gateway" },
    { role: "viewer" },
    { role: "admin" },
  ];
  const [device, device2, gateway, gateway2, viewer, ada] = await make(admin, { tokens: specs });
  await send(device!.token, reading(1));
  await vi.waitFor(async () => expect((await ask(admin, "/v1/devices/d1")).status).toBe(200));
  const gate = new TestSocket<ServerFrame>(await connect(gateway!.token));
  const path = "/v1/zones/default/stream";
  const stream = async (token: string) =>
    new TestSocket<ZoneFrame>(await ask(token, path, { headers: { upgrade: "websocket" } }));
  const streams = [await stream(viewer!.token), await stream(admin)];
  const socket = new TestSocket<ServerFrame>(await connect(device!.token));
  const revoke = (token: string, body: object) =>
    ask(token, "/v1/tokens/revoke", { method: "POST", body: JSON.stringify(body) });

  const unknown = { ids: [device!.id, "20260101-nobody"] };
  await problem(revoke(admin, unknown), 404, "token_not_found");
  await problem(revoke(await tokenOf("single-rival", "admin"), { id: device!.id }), 404, "token_not_found");
  await problem(revoke(admin, { id: "a", ids: ["b"] }), 400, "invalid_body");
  await problem(revoke(admin, { ids: [] }), 400, "invalid_body");
  expect((await send(device!.token, reading(2))).status).toBe(200);

  const ids = [device, gateway, viewer].map((token) => token!.id);
  expect(await answerOf(revoke(admin, { ids }))).toMatchObject({ told: true, own: false });
  expect(await answerOf(revoke(admin, { id: ids[0] }))).toMatchObject({ told: true, own: false });
  expect(await socket.closed).toBe(4401);
  expect(await streams[0]!.closed).toBe(4401);
  gate.send(frame(1, "d1"));
  expect(await gate.closed).toBe(4401);
  await problem(send(device!.token, reading(3)), 401, "token_revoked");
  await problem(send(gateway!.token, reading(3, "d1")), 401, "token_revoked");
  await problem(ask(viewer!.token, "/v1/session"), 401, "token_revoked");
  expect((await send(device2!.token, reading(4))).status).toBe(200);
  expect((await send(gateway2!.token, reading(4, "d1"))).status).toBe(200);
  expect(await answerOf(revoke(ada!.token, { id: ada!.id }))).toMatchObject({ told: true, own: true });
  await problem(ask(ada!.token, "/v1/session"), 401, "token_revoked");
  expect((await ask(admin, "/v1/session")).status).toBe(200);
  const { tokens } = await answerOf<TokenList>(ask(admin, "/v1/tokens"));
  expect(tokens.filter(({ revokedAt }) => revokedAt !== null).map(({ id }) => id)).toEqual(
    [ada, viewer, gateway, device].map((token) => token!.id),
  );
  await answerOf(ask(admin, "/v1/devices/d1/revoke", { method: "POST" }));
  const ofDevice = await answerOf<TokenList>(ask(admin, "/v1/tokens?device=d1"));
  expect(ofDevice.tokens.every(({ revokedAt }) => revokedAt !== null)).toBe(true);
});

it("[I46] of so many single ones at most: then the way to revoke all is named, and nothing more is void", async () => {
  const admin = await tokenOf("crowd", "admin");
  const made = await make(admin, {
    tokens: Array.from({ length: 51 }, () => ({ role: "device", device: "d1" })),
  });
  const revoke = (ids: string[]) =>
    ask(admin, "/v1/tokens/revoke", { method: "POST", body: JSON.stringify({ ids }) });
  const ids = made.map(({ id }) => id);
  await answerOf(revoke(ids.slice(0, 50)));
  const { detail } = await problem(revoke(ids), 409, "conflict");
  expect(detail).toMatch(/POST \/v1\/devices\/d1\/revoke/);
  expect((await send(made[50]!.token, reading(1))).status).toBe(200);
  await answerOf(ask(admin, "/v1/devices/d1/revoke", { method: "POST" }));
  await problem(send(made[50]!.token, reading(1)), 401, "token_revoked");
});
