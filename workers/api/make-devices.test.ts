import { env } from "cloudflare:test";
import { expect, it, vi } from "vitest";
import type { DeviceEntry, DevicesMade, LatestAnswer } from "../../schemas/query.ts";
import { packed, problem, T0 } from "../test-support.ts";
import { answerOf, ask } from "./api-test-support.ts";

const post = (tenant: string, body: unknown) =>
  ask(tenant, "operator", "/v1/devices", { method: "POST", body });

it("[I48] devices made ahead are in the registry as they were named, and know it with their first report", async () => {
  const place = { latitude: 52.5, longitude: 13.4 };
  const devices = [
    { device: "p1", zone: "roof", name: "Pump", model: "M3", location: place, gateway: "g1" },
    { device: "p2" },
  ];
  expect(await answerOf(post("ahead", { devices }))).toEqual({ made: 2, exists: 0, invalid: 0, others: [] });
  expect(await answerOf(post("ahead", { device: "p3", zone: "roof" }))).toMatchObject({ made: 1 });
  const get = (device: string) => answerOf<DeviceEntry>(ask("ahead", "viewer", `/v1/devices/${device}`));
  expect(await get("p1")).toEqual({ ...devices[0], firstSeenAt: null, limits: null });
  const none = { name: null, model: null, location: null, gateway: null, firstSeenAt: null, limits: null };
  expect(await get("p2")).toEqual({ device: "p2", zone: "default", ...none });
  await env.DEVICE.getByName("ahead/p1").report(packed([T0, { a: 1 }]), T0);
  await vi.waitFor(async () => {
    const latest = await answerOf<LatestAnswer>(ask("ahead", "viewer", "/v1/devices/p1/latest"));
    expect(latest.zone).toBe("roof");
  });
});

it("[I48] each is judged alone: what is known stays as it is, what is not in order costs no other", async () => {
  await answerOf(post("judged", { device: "known", name: "First" }));
  const devices = [
    { device: "good" },
    { device: "known", name: "Second" },
    { device: "a/b" },
    { device: "z", zoen: "roof" },
    { device: "good", name: "again" },
    { device: "self", gateway: "self" },
    null,
    { name: "nobody" },
    { device: "last" },
  ];
  const answer = await answerOf<DevicesMade>(post("judged", { devices }));
  expect(answer).toMatchObject({ made: 2, exists: 1, invalid: 6 });
  expect(answer.others.map(({ index, device, result }) => [index, device, result])).toEqual([
    [1, "known", "exists"],
    [2, "a/b", "invalid"],
    [3, "z", "invalid"],
    [4, "good", "invalid"],
    [5, "self", "invalid"],
    [6, null, "invalid"],
    [7, null, "invalid"],
  ]);
  expect(answer.others[2]!.detail).toMatch(/"zoen" \(did you mean "zone"\?\)/);
  const entry = await answerOf<DeviceEntry>(ask("judged", "viewer", "/v1/devices/known"));
  expect(entry.name).toBe("First");
});

it("[I48] 5,000 are one request; more, none, and one that is not in order alone are 400", async () => {
  const devices = Array.from({ length: 5_001 }, (_, i) => ({
    device: `d${i}`,
    name: "ü".repeat(200),
    model: "m".repeat(200),
  }));
  expect(await answerOf(post("crowd", { devices: devices.slice(1) }))).toMatchObject({ made: 5_000 });
  const first = await answerOf<DevicesMade>(post("crowd", { devices: devices.slice(0, 5_000) }));
  expect(first).toMatchObject({ made: 1, exists: 4_999 });
  await problem(post("crowd", { devices }), 400, "invalid_body");
  await problem(post("crowd", { devices: [] }), 400, "invalid_body");
  await problem(post("crowd", { device: "d", zoen: "x" }), 400, "unknown_setting");
  await problem(post("crowd", { device: "a/b" }), 400, "invalid_body");
});
