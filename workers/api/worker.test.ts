import { createExecutionContext, env } from "cloudflare:test";
import { expect, it, vi } from "vitest";
import type { ZoneFrame } from "../../schemas/live.ts";
import type { ObjectProfile } from "../../schemas/message.ts";
import type { DeviceEntry, LatestAnswer } from "../../schemas/query.ts";
import { defaultSettings } from "../../schemas/tenant.ts";
import { consumeBlocks } from "../aggregate/consume-blocks.ts";
import type { AggregateEnv } from "../aggregate/env.ts";
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
import { answerOf, apiEnv, ask } from "./api-test-support.ts";
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

it("[I4] each route takes the roles it should and no others", async () => {
  const routes: [method: string, path: string, least: "viewer" | "operator" | "admin"][] = [
    ["GET", "/v1/devices", "viewer"],
    ["GET", "/v1/devices/d1", "viewer"],
    ["GET", "/v1/devices/d1/latest", "viewer"],
    ["GET", "/v1/devices/d1/history?metric=a", "viewer"],
    ["GET", "/v1/devices/d1/history/export?metric=a", "viewer"],
    ["GET", "/v1/zones", "viewer"],
    ["GET", "/v1/zones/default/history?metric=a", "viewer"],
    ["GET", "/v1/fleet/history?metric=a", "viewer"],
    ["GET", "/v1/zones/default/snapshot", "viewer"],
    ["GET", "/v1/fleet", "viewer"],
    ["GET", "/v1/archive", "viewer"],
    ["GET", "/v1/tenant", "viewer"],
    ["PUT", "/v1/devices/d1", "operator"],
    ["POST", "/v1/devices/d1/seal", "operator"],
    ["PUT", "/v1/tenant", "admin"],
    ["GET", "/v1/rules", "viewer"],
    ["GET", "/v1/rules/hot", "viewer"],
    ["POST", "/v1/rules/preview", "viewer"],
    ["POST", "/v1/rules", "operator"],
    ["PUT", "/v1/rules/hot", "operator"],
    ["DELETE", "/v1/rules/hot", "operator"],
    ["GET", "/v1/alerts", "viewer"],
    ["GET", "/v1/alerts/hot.0.1.d1", "viewer"],
    ["POST", "/v1/alerts/hot.0.1.d1/ack", "operator"],
    ["POST", "/v1/alerts/hot.0.1.d1/assign", "operator"],
    ["POST", "/v1/alerts/hot.0.1.d1/comment", "operator"],
    ["POST", "/v1/alerts/hot.0.1.d1/resolve", "operator"],
    ["GET", "/v1/incidents", "viewer"],
    ["GET", "/v1/incidents/north.1", "viewer"],
    ["POST", "/v1/incidents/north.1/ack", "operator"],
    ["GET", "/v1/channels", "operator"],
    ["GET", "/v1/channels/hook", "operator"],
    ["POST", "/v1/channels/hook/test", "operator"],
    ["GET", "/v1/channels/hook/deliveries", "operator"],
    ["POST", "/v1/channels", "admin"],
    ["PUT", "/v1/channels/hook", "admin"],
    ["DELETE", "/v1/channels/hook", "admin"],
    ["GET", "/v1/silences", "viewer"],
    ["POST", "/v1/silences", "operator"],
    ["DELETE", "/v1/silences/s", "operator"],
  ];
  const rank = ["viewer", "operator", "admin"];
  for (const [method, path, least] of routes) {
    const missing = await api.fetch(
      new Request(`https://telltale.test${path}`, { method }),
      apiEnv,
      createExecutionContext(),
    );
    await problem(missing, 401, "token_missing");
    for (const role of ["device", "gateway", "viewer", "operator", "admin"] as const) {
      const { status } = await ask("roles", role, path, {
        method,
        ...(method === "PUT" || method === "POST" ? { body: {} } : {}),
      });
      const allowed = rank.indexOf(role) >= rank.indexOf(least);
      expect([path, role, status === 403]).toEqual([path, role, !allowed]);
      // 400: an empty body is none of these.
      if (allowed) expect([200, 404, 400]).toContain(status);
    }
  }
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
    ...defaultSettings,
    commitEveryMs: 60_000,
  });
  await problem(put({ commitEveryMs: -1 }), 400, "invalid_body");
  await problem(put({ latenessHorizonMs: 1 }), 400, "invalid_body");
  expect(await answerOf(put({ plan: "free" }))).toEqual({
    ...defaultSettings,
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
