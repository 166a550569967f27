import { createExecutionContext, env } from "cloudflare:test";
import { expect, it, vi } from "vitest";
import type { ZoneFrame } from "../../schemas/live.ts";
import type { ObjectProfile } from "../../schemas/message.ts";
import type { DeviceEntry, LatestAnswer, NamesAnswer } from "../../schemas/query.ts";
import { defaultSettings, tenantAnswer } from "../../schemas/tenant.ts";
import type { AggregateEnv } from "../aggregate/env.ts";
import { consumeBlocks } from "../aggregate/queues/consume-blocks.ts";
import {
  batchOf,
  bearer,
  blockMessageOf,
  HOUR_MS,
  packed,
  problem,
  rowsOnceKnown,
  T0,
  TestEvents,
  TestSocket,
} from "../test-support.ts";
import { answerOf, apiEnv, ask, named, register } from "./api-test-support.ts";
import { api } from "./worker.ts";

vi.setConfig({ testTimeout: 60_000 });

interface Page {
  devices: DeviceEntry[];
  next: string | null;
}

async function reporting(tenant: string, device: string) {
  const stub = env.DEVICE.getByName(`${tenant}/${device}`);
  await stub.report(packed([T0, { a: 1 }]), T0);
  await rowsOnceKnown(stub);
  return stub;
}

it("[I25] a session is what the token says; a device's is told why it cannot look", async () => {
  const { authorization } = await named("session", "operator", "Jörg 李");
  const { exp } = JSON.parse(atob(authorization.split(".")[1]!)) as { exp: number };
  const own = await answerOf(ask("session", "viewer", "/v1/session", { headers: { authorization } }));
  expect(own).toEqual({
    tenant: "session",
    role: "operator",
    name: "Jörg 李",
    expiresAt: exp * 1_000,
  });
  expect(await answerOf(ask("session", "viewer", "/v1/session"))).toMatchObject({
    role: "viewer",
    name: null,
  });
  await problem(ask("session", "device", "/v1/session"), 403, "forbidden");
  const bad = { authorization: "Bearer garbage" };
  await problem(ask("session", "viewer", "/v1/session", { headers: bad }), 401, "token_invalid");
});

it("[W13] a device of 1,000 metrics leaves room for those of others in the names, which say how many are left out", async () => {
  const flood = Object.fromEntries(Array.from({ length: 1_000 }, (_, i) => [`!${i}`, 1]));
  for (const [device, metrics] of Object.entries({ a1: flood, b1: { temperature: 1, rpm: 1 } })) {
    const stub = env.DEVICE.getByName(`names-flood/${device}`);
    await stub.report(packed([T0, metrics]), T0);
    await rowsOnceKnown(stub);
  }
  const names = await answerOf<NamesAnswer>(ask("names-flood", "viewer", "/v1/fleet/names"));
  expect(names.metrics.slice(0, 2)).toEqual(["rpm", "temperature"]);
  expect([names.metrics.length, names.metricsLeftOut]).toEqual([200, 802]);
});

it("[A53] names are what there is in a scope, of ten devices at most, and say when there is more", async () => {
  for (const device of ["a1", "a2", "b1"]) {
    const metrics = { temperature: 1, ...(device === "a2" ? { rpm: 1 } : {}) };
    const stub = env.DEVICE.getByName(`names/${device}`);
    await stub.report(packed([T0, metrics]), T0);
    await rowsOnceKnown(stub);
  }
  const put = (device: string, body: object) =>
    answerOf(ask("names", "operator", `/v1/devices/${device}`, { method: "PUT", body }));
  await put("a1", { name: "Pump A", model: "M3" });
  await put("b1", { model: "M4", zone: "roof" });
  const names = (query: string) => answerOf<NamesAnswer>(ask("names", "viewer", `/v1/fleet/names${query}`));
  expect(await names("")).toEqual({
    devices: [
      { device: "a1", name: "Pump A" },
      { device: "a2", name: null },
      { device: "b1", name: null },
    ],
    models: ["M3", "M4"],
    metrics: ["temperature", "rpm"],
    metricsLeftOut: 0,
    partial: false,
  });
  expect(await names("?zone=roof")).toMatchObject({ devices: [{ device: "b1" }], models: ["M4"] });
  expect(await names("?model=M3")).toMatchObject({
    devices: [{ device: "a1" }],
    models: ["M3", "M4"],
    metrics: ["temperature"],
  });
  expect(await names("?device=a")).toMatchObject({ devices: [{ device: "a1" }, { device: "a2" }] });
  expect(await names("?device=a1")).toMatchObject({ metrics: ["temperature"] });
  expect(await names("?zone=nowhere")).toEqual({
    devices: [],
    models: [],
    metrics: [],
    metricsLeftOut: 0,
    partial: false,
  });
  await register(
    "names",
    Array.from({ length: 1_100 }, (_, i) => ({ device: `c${i}` })),
  );
  const many = await names("");
  expect([many.devices.length, many.partial]).toEqual([200, true]);
});

it("[I5] another tenant's devices, files and settings do not exist for the caller", async () => {
  await reporting("owner", "d1");
  await consumeBlocks(
    batchOf(blockMessageOf("owner", "d1", T0, { a: [[T0, 1]] })),
    env as unknown as AggregateEnv,
  );
  const { files } = await answerOf<{ files: { key: string }[] }>(ask("owner", "viewer", "/v1/archive"));
  expect(files).toHaveLength(1);
  for (const path of ["/v1/devices/d1", "/v1/devices/d1/latest", "/v1/devices/d1/history?metric=a"]) {
    expect((await ask("owner", "viewer", path)).status).toBe(200);
    await problem(ask("stranger", "admin", path), 404, "device_not_found");
  }
  expect(await answerOf(ask("stranger", "admin", "/v1/devices"))).toEqual({ devices: [], next: null });
  expect(await answerOf(ask("stranger", "admin", "/v1/archive"))).toEqual({ files: [], next: null });
  expect(await answerOf(ask("stranger", "admin", "/v1/zones/default/snapshot"))).toMatchObject({
    devices: [],
  });
  expect((await ask("owner", "viewer", `/v1/archive/${files[0]!.key}`)).status).toBe(200);
  await problem(ask("stranger", "admin", `/v1/archive/${files[0]!.key}`), 404, "not_found");
});

it("[Q7] devices come in pages, by zone too; every one appears once", async () => {
  for (let i = 0; i < 25; i++) {
    const zone = i % 3 === 0 ? "north" : "south";
    const response = await ask("pages", "operator", `/v1/devices/d${i}`, { method: "PUT", body: { zone } });
    expect(response.status).toBe(200);
  }
  const walk = async (query: string) => {
    const found: string[] = [];
    for (let after: string | null = ""; after !== null; ) {
      const cursor: string = after === "" ? "" : `&after=${after}`;
      const page: Page = await answerOf<Page>(ask("pages", "viewer", `/v1/devices?limit=4${query}${cursor}`));
      expect(page.devices.length).toBeLessThanOrEqual(4);
      found.push(...page.devices.map(({ device }) => device));
      after = page.next;
    }
    return found;
  };
  const names = Array.from({ length: 25 }, (_, i) => `d${i}`).toSorted();
  expect(await walk("")).toEqual(names);
  expect(await walk("&zone=north")).toEqual(names.filter((name) => Number(name.slice(1)) % 3 === 0));
  expect(await walk("&zone=nowhere")).toEqual([]);
  expect(await answerOf(ask("pages", "viewer", "/v1/fleet"))).toEqual({
    tenant: "pages",
    devices: 25,
    zones: [
      { zone: "north", devices: 9 },
      { zone: "south", devices: 16 },
    ],
  });
});

it("[Q7] the archive's files come in pages and by day; each can be fetched", async () => {
  const days = Array.from({ length: 5 }, (_, i) => T0 + i * 24 * HOUR_MS);
  for (const startMs of days) {
    for (const device of ["d1", "d2"]) {
      await consumeBlocks(
        batchOf(blockMessageOf("files", device, startMs, { a: [[startMs, 1]] })),
        env as unknown as AggregateEnv,
      );
    }
  }
  interface Files {
    files: { key: string; date: string }[];
    next: string | null;
  }
  const found: Files["files"] = [];
  for (let after = ""; ; ) {
    const page = await answerOf<Files>(ask("files", "viewer", `/v1/archive?limit=3${after}`));
    found.push(...page.files);
    if (page.next === null) break;
    after = `&after=${encodeURIComponent(page.next)}`;
  }
  expect(new Set(found.map(({ key }) => key)).size).toBe(10);
  expect(found).toHaveLength(10);
  const two = await answerOf<Files>(ask("files", "viewer", "/v1/archive?from=2026-11-23&to=2026-11-24"));
  expect(two.files.map(({ date }) => date)).toEqual(["2026-11-23", "2026-11-23", "2026-11-24", "2026-11-24"]);
  const file = await ask("files", "viewer", `/v1/archive/${found[0]!.key}`);
  expect(new TextDecoder().decode((await file.arrayBuffer()).slice(0, 4))).toBe("PAR1");
  await problem(
    ask("files", "viewer", "/v1/archive/raw/tenant=files/date=2026-11-22/nothing.parquet"),
    404,
    "not_found",
  );
});

it("[Q7] [S14] a file that others replaced is no longer listed, and is to be had until it is deleted", async () => {
  const block = blockMessageOf("replaced", "d1", T0, { a: [[T0, 1]] });
  await consumeBlocks(batchOf(block), env as unknown as AggregateEnv);
  const list = () =>
    answerOf<{ files: { key: string; kind: string }[] }>(ask("replaced", "viewer", "/v1/archive"));
  const [file] = (await list()).files;
  expect(file).toMatchObject({ kind: "raw" });
  await env.WARM_0.prepare("UPDATE archive_file SET replaced_at = 1 WHERE key = ?").bind(file!.key).run();
  expect(await list()).toEqual({ files: [], next: null });
  expect((await ask("replaced", "viewer", `/v1/archive/${file!.key}`)).status).toBe(200);
});

it("[Q6] what is no address, name, number or body is said so", async () => {
  await problem(ask("odd", "admin", "/v1/nothing"), 404, "not_found");
  await problem(ask("odd", "admin", "/v1/devices/d1/nothing"), 404, "not_found");
  await problem(ask("odd", "admin", "/v1/devices/never"), 404, "device_not_found");
  await problem(ask("odd", "admin", "/v1/devices/never/latest"), 404, "device_not_found");
  await problem(ask("odd", "admin", "/v1/devices/-odd-/latest"), 400, "invalid_query");
  await problem(ask("odd", "admin", "/v1/devices?limit=0"), 400, "invalid_query");
  await problem(ask("odd", "admin", "/v1/devices?limit=many"), 400, "invalid_query");
  await problem(ask("odd", "admin", "/v1/archive?from=yesterday"), 400, "invalid_query");
  const put = (body: unknown) => ask("odd", "admin", "/v1/devices/d1", { method: "PUT", body });
  await problem(put("{"), 400, "malformed_json");
  await problem(put({ zone: "no/slash" }), 400, "invalid_body");
  await problem(put({ location: { latitude: 91, longitude: 0 } }), 400, "invalid_body");
  await problem(put({ gateway: "no/slash" }), 400, "invalid_body");
  expect((await problem(put({ gateway: "d1" }), 400, "invalid_body")).detail).toMatch(/not its own gateway/);
  expect(await env.DEVICE.getByName("odd/never").latest()).toBeNull();
});

it("[D19] what an operator says of a device is kept, what is not named stays, and its object knows at once", async () => {
  await reporting("profile", "d1");
  const put = (body: object) =>
    answerOf<DeviceEntry>(ask("profile", "operator", "/v1/devices/d1", { method: "PUT", body }));
  expect(await put({ zone: "roof", name: "On the roof" })).toMatchObject({
    zone: "roof",
    name: "On the roof",
    firstSeenAt: T0,
  });
  expect(await put({ location: { latitude: 40, longitude: 116 } })).toMatchObject({
    zone: "roof",
    name: "On the roof",
  });
  expect(await put({ name: null })).toMatchObject({
    zone: "roof",
    name: null,
    location: { latitude: 40, longitude: 116 },
  });
  expect(await answerOf<LatestAnswer>(ask("profile", "viewer", "/v1/devices/d1/latest"))).toMatchObject({
    zone: "roof",
  });
  await vi.waitFor(async () => {
    const snapshot = ask("profile", "viewer", "/v1/zones/roof/snapshot");
    expect(await answerOf(snapshot)).toMatchObject({ devices: [{ device: "d1" }], missing: [] });
  });
});

it("[A26] the gateway an operator names is in the registry, and its object is told; null takes it away", async () => {
  const told: [string, ObjectProfile][] = [];
  const DEVICE = {
    getByName: (name: string) => ({
      setProfile: async (profile: ObjectProfile) => void told.push([name, profile]),
    }),
  };
  const put = (gateway: string | null) => {
    const body = { gateway };
    const asked = { method: "PUT", body, bindings: { DEVICE } };
    return answerOf<DeviceEntry>(ask("gateway", "operator", "/v1/devices/d1", asked));
  };
  expect(await put("gate-1")).toMatchObject({ gateway: "gate-1" });
  expect(told).toMatchObject([["gateway/d1", { zone: "default", gateway: "gate-1" }]]);
  const get = () => answerOf<DeviceEntry>(ask("gateway", "viewer", "/v1/devices/d1"));
  expect(await get()).toMatchObject({ gateway: "gate-1" });
  expect(await put(null)).toMatchObject({ gateway: null });
  expect(told[1]).toMatchObject(["gateway/d1", { gateway: null }]);
});

it("[S9] an admin changes settings, one by one; values out of their limits are refused", async () => {
  const put = (body: unknown) => ask("settings", "admin", "/v1/tenant", { method: "PUT", body });
  expect(await answerOf(put({ commitEveryMs: 60_000 }))).toEqual({
    ...tenantAnswer.parse(defaultSettings),
    commitEveryMs: 60_000,
  });
  await problem(put({ commitEveryMs: -1 }), 400, "invalid_body");
  await problem(put({ latenessHorizonMs: 1 }), 400, "invalid_body");
  expect(await answerOf(put({ plan: "free" }))).toEqual({
    ...tenantAnswer.parse(defaultSettings),
    commitEveryMs: 60_000,
    plan: "free",
  });
  expect(await answerOf(ask("settings", "viewer", "/v1/tenant"))).toMatchObject({ plan: "free" });
});

it("[L8] a zone's stream through the API, as WebSocket with the token in the protocol, and as server-sent events", async () => {
  await reporting("streams", "d1");
  const { authorization } = await bearer("streams", "viewer");
  const token = authorization.slice("Bearer ".length);
  const path = "https://telltale.test/v1/zones/default/stream";
  const asked = (url: string, headers: Record<string, string>) =>
    api.fetch(new Request(url, { headers }), apiEnv, createExecutionContext());
  const socket = new TestSocket<ZoneFrame>(
    await asked(path, { upgrade: "websocket", "sec-websocket-protocol": `telltale.v1, bearer.${token}` }),
  );
  expect(await socket.until(() => true)).toMatchObject({ type: "snapshot", devices: [{ device: "d1" }] });
  const events = new TestEvents<ZoneFrame>(
    await asked(`${path}?access_token=${token}`, { accept: "text/event-stream" }),
  );
  expect(await events.next()).toMatchObject({ type: "snapshot", devices: [{ device: "d1" }] });
  await problem(asked(path, { authorization, accept: "application/json" }), 426, "upgrade_required");
});
