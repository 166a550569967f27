import { env } from "cloudflare:test";
import { expect, it, vi } from "vitest";
import type { DeviceEntry, DevicesMade, DevicesMadeOfLines, LatestAnswer } from "../../schemas/query.ts";
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

const csv = (tenant: string, body: string, headers: Record<string, string> = {}) =>
  ask(tenant, "operator", "/v1/devices", {
    method: "POST",
    body,
    headers: { "content-type": "text/csv; charset=utf-8", ...headers },
  });

it("[I49] a CSV file is answered by its own lines, each judged alone", async () => {
  await answerOf(post("lines", { device: "known", name: "First" }));
  const text = [
    "\ufeffdevice;zone;name;model;latitude;longitude;gateway",
    "p-1;roof;Pump;M3;52,5;13,4;g-1",
    "",
    "known;;Second;;;;",
    "p-1;cellar;;;;;",
    "a/b;;;;;;",
    "p-2;roof",
    "p-3;;;;91;0;",
    "p-4;;;;;;p-4",
    ";roof;;;;;",
    "p-5;;;;;;",
  ].join("\r\n");
  const answer = await answerOf<DevicesMadeOfLines>(csv("lines", text));
  expect(answer).toMatchObject({ made: 2, exists: 1, invalid: 6 });
  expect(answer.lines.map(({ line, device, result, detail }) => [line, device, result, detail])).toEqual([
    [2, "p-1", "made", null],
    [4, "known", "exists", expect.stringContaining("left as it is")],
    [5, "p-1", "invalid", expect.stringContaining("is named before, in line 2")],
    [6, "a/b", "invalid", expect.stringMatching(/^device: .*"a\/b"/)],
    [7, null, "invalid", "the row has 2 cells, the header 7"],
    [8, "p-3", "invalid", expect.stringContaining("location.latitude")],
    [9, "p-4", "invalid", expect.stringContaining("is not its own gateway")],
    [10, null, "invalid", expect.stringMatching(/^device: /)],
    [11, "p-5", "made", null],
  ]);
  const entry = await answerOf<DeviceEntry>(ask("lines", "viewer", "/v1/devices/p-1"));
  const location = { latitude: 52.5, longitude: 13.4 };
  expect(entry).toMatchObject({ zone: "roof", name: "Pump", model: "M3", location, gateway: "g-1" });
});

it("[I49] whoever accepts CSV is answered in CSV, safe for spreadsheets", async () => {
  const answer = await csv("sheet", "device\np-1\n=HYPERLINK(1)\n", { accept: "text/csv" });
  expect(answer.headers.get("content-type")).toMatch(/^text\/csv/);
  const [header, made, refused, end] = (await answer.text()).split("\r\n");
  expect([header, made, end]).toEqual(["line,device,result,detail", "2,p-1,made,", ""]);
  expect(refused).toMatch(/^3,"'=HYPERLINK\(1\)",invalid,"device: .*"$/);
});

it("[I50] 5,000 lines are one request and no object's; more are 413, and none and a wrong header 400", async () => {
  const lines = Array.from({ length: 5_001 }, (_, i) => `d${i}`);
  const counted = countingRows();
  const made = ask("mass", "operator", "/v1/devices", {
    method: "POST",
    body: `device\n${lines.slice(1).join("\n")}\n`,
    headers: { "content-type": "text/csv" },
    bindings: { CONTROL: counted.database, DEVICE: undefined, ZONE: undefined },
  });
  expect(await answerOf<DevicesMadeOfLines>(made)).toMatchObject({ made: 5_000, exists: 0, invalid: 0 });
  expect(counted.rowsWritten()).toBe(15_000);
  const tooMany = await problem(csv("mass", `device\n${lines.join("\n")}`), 413, "payload_too_large");
  expect(tooMany.detail).toMatch(/5000/);
  await problem(csv("mass", "device\n"), 400, "empty_body");
  await problem(csv("mass", ""), 400, "invalid_body");
  await problem(csv("mass", "device,zoen\nd,roof"), 400, "invalid_body");
});

it("[I50] a file with more new devices than the tenant may have makes none", async () => {
  await answerOf(ask("few", "admin", "/v1/tenant", { method: "PUT", body: { limits: { devices: 2 } } }));
  await problem(csv("few", "device\na\nb\nc"), 429, "quota_devices");
  expect(await answerOf(csv("few", "device\na\nb\nb"))).toMatchObject({ made: 2, invalid: 1 });
  expect(await answerOf(csv("few", "device\na\nb"))).toMatchObject({ exists: 2 });
});

/** The database, and how many rows its batches wrote. */
function countingRows() {
  let rows = 0;
  const database = new Proxy(env.CONTROL, {
    get(target, name) {
      if (name !== "batch") return (target[name as keyof D1Database] as () => unknown).bind(target);
      return async (statements: D1PreparedStatement[]) => {
        const results = await target.batch(statements);
        rows += results.reduce((sum, { meta }) => sum + meta.rows_written, 0);
        return results;
      };
    },
  });
  return { database, rowsWritten: () => rows };
}
