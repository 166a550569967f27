import { env } from "cloudflare:test";
import { expect, it, vi } from "vitest";
import type { HistoryAnswer, WindowPoint } from "../../schemas/query.ts";
import type { ServerFrame, TelemetryAnswer } from "../../schemas/reading.ts";
import type { QuotaAnswer } from "../../schemas/tenant.ts";
import type { AggregateEnv } from "../aggregate/env.ts";
import { consumeBlocks } from "../aggregate/queues/consume-blocks.ts";
import { answerOf, ask } from "../api/api-test-support.ts";
import { changeSettings } from "../tenant.ts";
import { batchOf, bearer, HOUR_MS, held, KeptQueue, T0, TestSocket, upgrade } from "../test-support.ts";
import { ingestEnv, send } from "./ingest-test-support.ts";
import { ingest } from "./worker.ts";

/** Devices of a tenant may send so many reports, and then none while a test runs; the others are thinned. */
const sample = (tenant: string, burstPerDevice: number) =>
  changeSettings(env.TENANT, tenant, {
    excess: "sample",
    limits: { reportsPerSecondPerDevice: 0.001, burstPerDevice },
  });

const post = async (tenant: string, reports: unknown, device?: string) => {
  const headers = await bearer(tenant, device === undefined ? "gateway" : "device", device);
  const response = await send({ body: JSON.stringify(reports), headers });
  return { status: response.status, answer: await response.json<TelemetryAnswer>() };
};

const history = (tenant: string, query: string) =>
  answerOf<HistoryAnswer>(
    ask(tenant, "viewer", `/v1/devices/d1/history?metric=a&from=${T0}&to=${T0 + HOUR_MS}&${query}`),
  );

/** A hundred reports within a minute; their values go up and down between -50 and 49. */
const hundred = Array.from({ length: 100 }, (_, i) => ({
  at: T0 + i * 100,
  metrics: { a: ((i * 37) % 100) - 50 },
}));

it("[F33] over HTTPS all is taken: 200, six verdicts that add up, and how many readings are thinned; sent again it adds nothing", async () => {
  await sample("sampled", 10);
  const { status, answer } = await post("sampled", hundred, "d1");
  expect([status, answer]).toEqual([
    200,
    {
      stored: 100,
      duplicate: 0,
      corrected: 0,
      late: 0,
      quarantined: 0,
      refused: 0,
      problems: [],
      thinned: 90,
    },
  ]);
  const device = env.DEVICE.getByName("sampled/d1");
  const kept = await held(device, "a");
  expect(kept.length).toBeLessThanOrEqual(12);
  const again = await post("sampled", hundred, "d1");
  expect([again.status, again.answer]).toMatchObject([200, { stored: 0, duplicate: 100, thinned: 100 }]);
  expect(await held(device, "a")).toEqual(kept);
});

it("[F32] [F34] history says how many were thinned, from the device and, after the seal, from D1; the extremes are there", async () => {
  await sample("told", 10);
  const device = env.DEVICE.getByName("told/d1");
  const queue = await new KeptQueue().into(device);
  await post("told", hundred, "d1");
  const kept = (await held(device, "a")).length;
  const figures = { count: kept, thinned: 100 - kept, min: -50, max: 49 };
  const raw = await history("told", "resolution=raw");
  expect([raw.points.length, raw.leftOut, raw.thinned]).toEqual([kept, 100 - kept, undefined]);
  for (const resolution of ["1m", "5m", "1h", "1d"]) {
    const { points, leftOut } = await history("told", `resolution=${resolution}`);
    expect([points, leftOut]).toMatchObject([[figures], 100 - kept]);
  }
  await device.seal();
  await consumeBlocks(batchOf(...queue.sent), env as unknown as AggregateEnv);
  const warm = await history("told", "resolution=1h&source=warm");
  expect([warm.points, warm.leftOut, warm.source]).toMatchObject([[figures], 100 - kept, "warm"]);
  const cold = await history("told", "resolution=raw&source=cold");
  expect(cold.points).toEqual(raw.points);
  const [window] = (await history("told", "resolution=1h")).points as WindowPoint[];
  expect(window).toMatchObject(figures);
});

it("[F33] of a gateway's request each device is thinned by its own rate", async () => {
  await sample("gate", 10);
  const calm = { device: "calm", at: T0, metrics: { a: 1 } };
  const { answer } = await post("gate", [calm, ...hundred.map((report) => ({ ...report, device: "mad" }))]);
  expect(answer).toMatchObject({ stored: 101, refused: 0, thinned: 90 });
});

it("[F35] on a socket nothing is slow for the device's own rate, and the acknowledgement says how many are thinned", async () => {
  await sample("socket", 11); // one for the connection
  const response = await ingest.fetch(
    upgrade("/v1/connect?commitEveryMs=60000", await bearer("socket", "device", "d1")),
    ingestEnv,
  );
  const socket = new TestSocket<ServerFrame>(response);
  const minuteMs = Math.floor(Date.now() / 60_000 - 2) * 60_000; // a socket's reports are judged by the wall clock
  for (const [seq, { metrics }] of hundred.entries())
    socket.send({ type: "report", seq, at: minuteMs + seq * 100, metrics });
  socket.send({ type: "flush" });
  const ack = await socket.until((got) => got.type === "ack" && got.seq === 99);
  expect(socket.frames).toEqual([ack]);
  expect(ack).toMatchObject({ stored: 100, refused: 0, thinned: 90 });
  const kept = await held(env.DEVICE.getByName("socket/d1"), "a");
  expect(kept.length).toBeLessThanOrEqual(12);
  const values = kept.map(([, value]) => value);
  expect([Math.min(...values), Math.max(...values)]).toEqual([-50, 49]);
});

it("[F36] latest is of the newest reading, also where that is thinned", async () => {
  await sample("newest", 1);
  await post("newest", [...hundred, { at: T0 + 50_000, metrics: { a: 0 } }], "d1");
  await post("newest", [{ at: T0 + 55_000, metrics: { a: 1 } }], "d1");
  const latest = await env.DEVICE.getByName("newest/d1").latest();
  expect(latest!.metrics.a).toMatchObject({ at: T0 + 55_000, value: 1 });
  expect((await held(env.DEVICE.getByName("newest/d1"), "a")).some(([at]) => at === T0 + 55_000)).toBe(false);
});

it("[F39] the quota counts what was thinned by device, over HTTPS and a socket, told at once and then once a minute", async () => {
  vi.useFakeTimers({ toFake: ["Date"] });
  await sample("counted", 10);
  const used = () => answerOf<QuotaAnswer>(ask("counted", "viewer", "/v1/tenant/quota"));
  const told = async (thinnedByDevice: Record<string, number>) => {
    const thinned = Object.values(thinnedByDevice).reduce((sum, readings) => sum + readings, 0);
    await vi.waitFor(
      async () => expect(await used()).toMatchObject({ thinned, thinnedByDevice, refused: {} }),
      {
        timeout: 10_000,
      },
    );
  };
  await post("counted", hundred, "d1");
  await told({ d1: 90 });
  await post("counted", hundred, "d1");
  await post("counted", hundred, "d1");
  const request = upgrade("/v1/connect?commitEveryMs=60000", await bearer("counted", "device", "d2"));
  const socket = new TestSocket<ServerFrame>(await ingest.fetch(request, ingestEnv)); // which counts as a report
  const nowMs = Date.now();
  for (let seq = 0; seq < 10; seq++)
    socket.send({ type: "report", seq, at: nowMs - seq, metrics: { a: seq, b: 1 } });
  socket.send({ type: "flush" });
  await socket.until((got) => got.type === "ack" && got.seq === 9);
  vi.setSystemTime(nowMs + 61_000);
  await post("counted", hundred.slice(0, 1), "d1");
  socket.send({ type: "report", seq: 10, at: nowMs, metrics: { a: 1 } });
  await told({ d1: 291, d2: 3 });
  vi.useRealTimers();
});
