// The two doors, used well: bodies in every form, batches for many devices, sockets of devices and gateways.
import { gzipSync } from "node:zlib";
import { expect, it } from "vitest";
import { type ServerFrame, telemetryAnswer } from "../../schemas/reading.ts";
import { FrameSocket } from "./frame-socket.ts";
import { problemOf } from "./tenant-client.ts";
import { eachSharedTopology } from "./topology.ts";
import { until } from "./until.ts";

const START = Date.now() - 60_000;
const reports = (count: number) =>
  Array.from({ length: count }, (_, i) => ({ at: START + i, metrics: { temp: i } }));
const lines = (items: object[]) => items.map((item) => JSON.stringify(item)).join("\n");
const NDJSON = { "content-type": "application/x-ndjson" };

eachSharedTopology((server) => {
  const acme = () => server.tenant("acme");
  const socketOf = async (token: string, search = "") =>
    FrameSocket.open<ServerFrame>(`${acme().url}/v1/connect${search}`, { token });

  it.each([
    ["one report", JSON.stringify(reports(1)[0]), {}, 1],
    ["an array", JSON.stringify(reports(3)), {}, 3],
    ["an array of none", "[]", {}, 0],
    ["NDJSON", lines(reports(4)), NDJSON, 4],
    [
      "NDJSON by its other name and case",
      lines(reports(4)),
      { "content-type": "Application/JSONL; charset=utf-8" },
      4,
    ],
    ["JSON after a byte order mark", `\uFEFF${JSON.stringify(reports(2))}`, {}, 2],
    ["gzip", new Uint8Array(gzipSync(JSON.stringify(reports(5)))), { "content-encoding": "gzip" }, 5],
    [
      "NDJSON in gzip",
      new Uint8Array(gzipSync(lines(reports(6)))),
      { ...NDJSON, "content-encoding": "GZIP" },
      6,
    ],
  ] as [string, string | Uint8Array<ArrayBuffer>, Record<string, string>, number][])(
    "[I14] [I8] %s is read",
    async (what, body, headers, count) => {
      const device = what.replaceAll(/\W/g, "-");
      const { status, body: answer } = await acme().post(body, device, headers);
      const none = { duplicate: 0, corrected: 0, late: 0, quarantined: 0, refused: 0, problems: [] };
      expect({ status, answer }).toEqual({ status: 200, answer: { stored: count, ...none } });
      if (count > 0)
        expect(await acme().readings(device, "temp")).toEqual(
          reports(count).map(({ at, metrics }) => [at, metrics.temp]),
        );
    },
  );

  it("[I14] a body without a content type is read as JSON", async () => {
    const headers = { authorization: `Bearer ${await acme().token("device", "typeless")}` };
    const body = new TextEncoder().encode('{"metrics":{"temp":1}}');
    const response = await fetch(`${acme().url}/v1/telemetry`, { method: "POST", headers, body });
    expect(telemetryAnswer.parse(await response.json())).toMatchObject({ stored: 1 });
  });

  it("[I12] instants as ISO 8601, with and without an offset, and with fractions; absent is the arrival", async () => {
    const day = new Date(START - 86_400_000).toISOString().slice(0, 10);
    const noon = Date.parse(`${day}T12:00:00Z`);
    const written = [`${day}T12:00`, `${day}T12:00:00.0019Z`, `${day}T14:00:02+02:00`, noon + 3_000.75];
    await acme().send(
      written.map((at, temp) => ({ at, metrics: { temp } })),
      "clocks",
    );
    expect(await acme().readings("clocks", "temp")).toEqual([
      [noon, 0],
      [noon + 1, 1],
      [noon + 2_000, 2],
      [noon + 3_000, 3],
    ]);
    const before = Date.now();
    await acme().send({ metrics: { temp: 9 } }, "clocks");
    const { at, receivedAt } = (await acme().latest("clocks")).metrics.temp!;
    expect(at).toBe(receivedAt);
    expect(at).toBeGreaterThanOrEqual(before);
    expect(at).toBeLessThanOrEqual(Date.now());
  });

  it("[I15] a batch over 120 devices reaches each; its problems come back in the order of the request", async () => {
    const batch = Array.from({ length: 600 }, (_, i) => ({
      device: `fan-${i % 120}`,
      at: i % 50 === 7 ? START - 30 * 86_400_000 : START + i,
      metrics: { rpm: i % 50 === 3 ? "fast" : i },
    }));
    const answer = await acme().send(batch);
    const places = batch.flatMap((_, i) =>
      i % 50 === 3 ? [[i, "not_a_number"]] : i % 50 === 7 ? [[i, "too_old"]] : [],
    );
    expect(answer).toMatchObject({ stored: 576, refused: 24 });
    expect(answer.problems.map(({ index, code }) => [index, code])).toEqual(places);
    expect(await acme().readings("fan-119", "rpm")).toEqual(
      [119, 239, 359, 479, 599].map((i) => [START + i, i]),
    );
    expect(await acme().send(batch)).toMatchObject({ stored: 0, duplicate: 576, refused: 24 });
  });

  it("[Q7] the registry lists those devices by name in pages, every one once", async () => {
    const names: string[] = [];
    for (let after = ""; ; after = `&after=${names.at(-1)}`) {
      const { body } = await acme().get(`/v1/devices?limit=50${after}`);
      const { devices, next } = body as { devices: { device: string }[]; next: string | null };
      names.push(...devices.map(({ device }) => device));
      if (next === null) break;
      expect(next).toBe(names.at(-1));
    }
    expect(names).toEqual([...new Set(names)].sort());
    expect(names.filter((name) => name.startsWith("fan-"))).toHaveLength(120);
    expect(problemOf(await acme().get("/v1/devices?limit=5000"))).toMatchObject({
      status: 400,
      code: "invalid_query",
    });
  });

  it("[D6] [D15] [D19] a device's socket: a report, its acknowledgement; the same again is a duplicate", async () => {
    const socket = await socketOf(await acme().token("device", "pump-1"));
    socket.send({ type: "report", seq: 1, at: START, metrics: { temp: 1, rpm: 2 } });
    expect(await socket.next("ack", ({ seq }) => seq === 1)).toMatchObject({
      stored: 2,
      duplicate: 0,
      refused: 0,
    });
    socket.send({ type: "report", seq: 2, at: START, metrics: { temp: 1, rpm: 3 } });
    expect(await socket.next("ack", ({ seq }) => seq === 2)).toMatchObject({
      stored: 0,
      duplicate: 1,
      corrected: 1,
    });
    expect(await acme().latest("pump-1")).toMatchObject({ connected: true, metrics: { rpm: { value: 3 } } });
    const entry = await until("pump-1 in the registry", async () => {
      const { status, body } = await acme().get("/v1/devices/pump-1");
      return status === 200 ? body : undefined;
    });
    expect(entry).toMatchObject({ device: "pump-1", zone: "default", firstSeenAt: expect.any(Number) });
    await socket.close();
    expect(await acme().latest("pump-1")).toMatchObject({ connected: false });
  });

  it("[D5] [D6] with commitEveryMs one acknowledgement covers all that was held; closing commits it", async () => {
    const token = await acme().token("device", "pump-2");
    const socket = await socketOf(token, "?commitEveryMs=600000");
    for (const [seq, { at, metrics }] of reports(100).entries())
      socket.send({ type: "report", seq, at, metrics });
    socket.send({ type: "flush" });
    expect(await socket.next("ack")).toMatchObject({ seq: 99, stored: 100 });
    expect(socket.frames).toHaveLength(1);
    socket.send({ type: "report", seq: 100, at: START + 100, metrics: { temp: 100 } });
    await socket.close();
    expect(await acme().send({ at: START + 100, metrics: { temp: 100 } }, "pump-2")).toMatchObject({
      duplicate: 1,
    });
    expect(await acme().readings("pump-2", "temp")).toHaveLength(101);
  });

  it("[I6] a device's socket speaks for its device only, and says so", async () => {
    const socket = await socketOf(await acme().token("device", "pump-3"));
    socket.send({ type: "report", seq: 1, device: "pump-4", metrics: { temp: 1 } });
    expect(await socket.next("problem")).toMatchObject({
      seq: 1,
      index: 0,
      code: "device_mismatch",
      message: expect.stringMatching(/pump-3.*gateway/),
    });
    expect(await socket.next("ack")).toMatchObject({ seq: 1, stored: 0, refused: 1 });
    await socket.close();
    expect((await acme().get("/v1/devices/pump-4/latest")).status).toBe(404);
  });

  it("[I19] a gateway's socket acknowledges each frame in its order, whatever device it was for", async () => {
    const socket = await socketOf(await acme().token("gateway"));
    const count = 200;
    for (let seq = 0; seq < count; seq++) {
      const device = seq === 50 ? {} : { device: `valve-${seq % 30}` };
      socket.send({ type: "report", seq, ...device, at: START + seq, metrics: { open: seq } });
    }
    await socket.next("ack", ({ seq }) => seq === count - 1);
    const acks = socket.frames.flatMap((frame) => (frame.type === "ack" ? [frame] : []));
    expect(acks.map(({ seq }) => seq)).toEqual(Array.from({ length: count }, (_, seq) => seq));
    expect(acks.filter(({ stored }) => stored === 1)).toHaveLength(count - 1);
    expect(acks[50]).toMatchObject({ stored: 0, refused: 1 });
    expect(await socket.next("problem")).toMatchObject({ seq: 50, index: 0, code: "device_missing" });
    await socket.close();
    expect(await acme().readings("valve-29", "open")).toEqual(
      [29, 59, 89, 119, 149, 179].map((i) => [START + i, i]),
    );
  });
});
