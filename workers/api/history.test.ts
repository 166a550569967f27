import { env } from "cloudflare:test";
import { expect, it, vi } from "vitest";
import { encodeBlock } from "../../core/block/encode.ts";
import { quantileOf, summarise } from "../../core/window/summary.ts";
import type { HistoryAnswer, RawPoint, WindowPoint } from "../../schemas/query.ts";
import type { AggregateEnv } from "../aggregate/env.ts";
import { consumeBlocks } from "../aggregate/queues/consume-blocks.ts";
import {
  batchOf,
  blockMessageOf,
  type DeviceStub,
  HOUR_MS,
  KeptQueue,
  packed,
  problem,
  T0,
} from "../test-support.ts";
import { answerOf, apiEnv, ask } from "./api-test-support.ts";
import type { ApiEnv } from "./env.ts";
import { readHistory } from "./history.ts";

vi.setConfig({ testTimeout: 60_000 });

const MINUTE_MS = 60_000;
const aggregateEnv = env as unknown as AggregateEnv;

const history = (tenant: string, query: string) =>
  ask(tenant, "viewer", `/v1/devices/d1/history?metric=a&${query}`);
const answered = (tenant: string, query: string) => answerOf<HistoryAnswer>(history(tenant, query));
const range = (fromMs: number, toMs: number) => `from=${fromMs}&to=${toMs}`;

/** One reading a minute, its value the minute's number. */
async function reportMinutes(device: DeviceStub, from: number, to: number) {
  const reports = Array.from({ length: to - from }, (_, i): [number, Record<string, number>] => [
    T0 + (from + i) * MINUTE_MS,
    { a: from + i },
  ]);
  await device.report(packed(...reports), T0 + to * MINUTE_MS);
}

/** Three hours: the first two stored, the third in the device only. */
async function threeHours(tenant: string): Promise<DeviceStub> {
  const device = env.DEVICE.getByName(`${tenant}/d1`);
  const queue = await new KeptQueue().into(device);
  await reportMinutes(device, 0, 120);
  await device.seal();
  await consumeBlocks(batchOf(...queue.sent), aggregateEnv);
  await reportMinutes(device, 120, 170);
  return device;
}

const expectedHour = (hour: number, minutes: number): WindowPoint => {
  const values = Array.from({ length: minutes }, (_, i) => hour * 60 + i);
  const sum = values.reduce((a, b) => a + b, 0);
  const mean = sum / minutes;
  return {
    startMs: T0 + hour * HOUR_MS,
    endMs: T0 + (hour + 1) * HOUR_MS,
    count: minutes,
    min: values[0]!,
    max: values.at(-1)!,
    mean,
    sum,
    stddev: expect.closeTo(Math.sqrt((minutes ** 2 - 1) / 12), 6) as unknown as number,
    first: values[0]!,
    last: values.at(-1)!,
    ...Object.fromEntries([50, 95, 99].map((p) => [`p${p}`, quantileOf(summarise(values, values), p / 100)])),
  };
};

it("[Q1] [Q3] hourly windows: what is settled from D1, the rest from the device, no hour missing or twice", async () => {
  await threeHours("stitched");
  const answer = await answered("stitched", `${range(T0, T0 + 3 * HOUR_MS)}&resolution=1h`);
  expect(answer.segments).toEqual([
    { source: "warm", startMs: T0, endMs: T0 + 2 * HOUR_MS },
    { source: "hot", startMs: T0 + 2 * HOUR_MS, endMs: T0 + 3 * HOUR_MS },
  ]);
  expect(answer).toMatchObject({ source: "mixed", resolution: "1h", device: "d1", metric: "a" });
  expect(answer.points).toEqual([expectedHour(0, 60), expectedHour(1, 60), expectedHour(2, 50)]);
});

it("[Q1] a settled hour that takes a late reading is asked of the device again, and then of D1 again", async () => {
  const device = await threeHours("reopened");
  const queue = await new KeptQueue().into(device);
  await device.report(packed([T0 + 90 * MINUTE_MS + 1, { a: 1000 }]), T0 + 170 * MINUTE_MS);
  const query = `${range(T0, T0 + 3 * HOUR_MS)}&resolution=1h`;
  const open = await answered("reopened", query);
  expect(open.segments[0]).toMatchObject({ source: "warm", endMs: T0 + HOUR_MS });
  expect((open.points as WindowPoint[]).map(({ count, max }) => [count, max])).toEqual([
    [60, 59],
    [61, 1000],
    [50, 169],
  ]);
  await device.seal();
  await consumeBlocks(batchOf(...queue.sent), aggregateEnv);
  const settled = await answered("reopened", query);
  expect(settled).toMatchObject({ source: "warm" });
  expect(settled.points).toEqual(open.points);
});

it("[Q2] [Q3] raw readings from the device, from the archive, and both the same", async () => {
  await threeHours("raw");
  const query = `${range(T0 + 30 * MINUTE_MS, T0 + 90 * MINUTE_MS)}&resolution=raw`;
  const hot = await answered("raw", query);
  expect(hot).toMatchObject({ source: "hot", resolution: "raw" });
  expect(hot.points).toEqual(
    Array.from({ length: 60 }, (_, i): RawPoint => ({ at: T0 + (30 + i) * MINUTE_MS, value: 30 + i })),
  );
  const cold = await answered("raw", `${query}&source=cold`);
  expect(cold).toMatchObject({ source: "cold", segments: [{ source: "cold" }] });
  expect(cold.bytesRead).toBeGreaterThan(0);
  expect(cold.points).toEqual(hot.points);
});

it("[W9] [Q1] the hours of a longer block are windows of their own, also where the range begins inside the block", async () => {
  await ask("long", "operator", "/v1/devices/d1", { method: "PUT", body: {} });
  const [startMs, endMs] = [T0, T0 + 6 * HOUR_MS];
  const at = Array.from({ length: 72 }, (_, i) => startMs + i * 5 * MINUTE_MS);
  const value = at.map((_, i) => i);
  const block = encodeBlock({ startMs, endMs, columns: [{ metric: "a", at, value }] });
  const message = { ...blockMessageOf("long", "d1", startMs, {}), endMs, block };
  const next = blockMessageOf("long", "d1", endMs, { a: [[endMs, 72]] });
  await consumeBlocks(batchOf(message, next), aggregateEnv);
  const hours = async (fromMs: number, toMs: number) =>
    ((await answered("long", `${range(fromMs, toMs)}&resolution=1h`)).points as WindowPoint[]).map(
      ({ startMs, count, first, p50 }) => [startMs, count, first, Math.round(p50!)],
    );
  const all = [0, 1, 2, 3, 4, 5].map((hour) => [T0 + hour * HOUR_MS, 12, hour * 12, hour * 12 + 5]);
  expect(await hours(startMs, endMs + HOUR_MS)).toEqual([...all, [endMs, 1, 72, 72]]);
  expect(await hours(startMs + 2 * HOUR_MS, startMs + 4 * HOUR_MS)).toEqual(all.slice(2, 4));
  expect(await hours(startMs + 5 * HOUR_MS, endMs)).toEqual(all.slice(5));
  expect(await hours(endMs, endMs + HOUR_MS)).toEqual([[endMs, 1, 72, 72]]);
});

it("[Q2] a range the device holds is one call to it", async () => {
  const device = await threeHours("one-call");
  let calls = 0;
  const counted = {
    readings(...asked: Parameters<DeviceStub["readings"]>) {
      calls++;
      return device.readings(...asked);
    },
  };
  const bindings = { ...apiEnv, DEVICE: { getByName: () => counted } } as unknown as ApiEnv;
  for (const resolution of ["raw", "1m"] as const) {
    const query = {
      metric: "a",
      from: T0,
      to: T0 + 2 * HOUR_MS,
      resolution,
      source: "auto",
      thin: "lttb",
    } as const;
    const answer = await readHistory(bindings, "one-call", "d1", query, T0);
    expect(answer).toMatchObject({ source: "hot", points: { length: 120 } });
  }
  expect(calls).toBe(2);
});

it("[Q2] what the device never held comes from the archive", async () => {
  await ask("old", "operator", "/v1/devices/d1", { method: "PUT", body: {} });
  const points = Array.from({ length: 20 }, (_, i): [number, number] => [T0 + i * 1000, i / 3]);
  await consumeBlocks(batchOf(blockMessageOf("old", "d1", T0, { a: points, b: points })), aggregateEnv);
  const minutes = await answered("old", `${range(T0, T0 + HOUR_MS)}&resolution=1m&source=cold`);
  expect(minutes).toMatchObject({ source: "cold", resolution: "1m" });
  expect((minutes.points as WindowPoint[]).map(({ count, last }) => [count, last])).toEqual([[20, 19 / 3]]);
});

it("[Q1] [Q4] every resolution of every tier that has it gives the same sums, and auto chooses by the range", async () => {
  const device = await threeHours("agree");
  const queue = await new KeptQueue().into(device);
  await device.seal();
  await consumeBlocks(batchOf(...queue.sent), aggregateEnv);
  const total = (points: HistoryAnswer["points"]) =>
    (points as WindowPoint[]).reduce(
      (sum, point) => sum + ("sum" in point ? point.sum : (point as RawPoint).value),
      0,
    );
  const whole = range(T0, T0 + 3 * HOUR_MS);
  for (const resolution of ["raw", "1m", "5m", "1h", "1d"]) {
    const isHourly = resolution === "1h" || resolution === "1d";
    // The hourly files are those of test/flow/year-from-cold.test.ts.
    for (const source of ["auto", "hot", isHourly ? "warm" : "cold"]) {
      const answer = await answered("agree", `${whole}&resolution=${resolution}&source=${source}`);
      expect([resolution, source, total(answer.points)]).toEqual([resolution, source, (169 * 170) / 2]);
    }
  }
  expect(await answered("agree", whole)).toMatchObject({ resolution: "raw" });
  expect(await answered("agree", range(T0, T0 + 7 * HOUR_MS))).toMatchObject({ resolution: "1m" });
  expect(await answered("agree", range(T0, T0 + 60 * 24 * HOUR_MS))).toMatchObject({ resolution: "1h" });
});

it("[Q6] a question that cannot be answered is 400 and says what to ask instead", async () => {
  await threeHours("refused");
  await problem(history("refused", range(T0, T0)), 400, "invalid_query");
  await problem(history("refused", range(T0 + 1, T0)), 400, "invalid_query");
  await problem(history("refused", "from=soon"), 400, "invalid_query");
  await problem(history("refused", "resolution=2m"), 400, "invalid_query");
  await problem(ask("refused", "viewer", "/v1/devices/d1/history"), 400, "invalid_query");
  const raw = await problem(
    history("refused", `${range(T0, T0 + 1000)}&resolution=raw&source=warm`),
    400,
    "invalid_query",
  );
  expect(raw.detail).toContain("ask hot or cold");
  await problem(
    history("refused", `${range(T0, T0 + 1000)}&resolution=5m&source=warm`),
    400,
    "invalid_query",
  );
});

it("[Q6] too many points is 400 and says what to ask instead", async () => {
  const device = env.DEVICE.getByName("many/d1");
  for (let part = 0; part < 6; part++) {
    const reports = Array.from({ length: 10_000 }, (_, i): [number, Record<string, number>] => [
      T0 + (part * 10_000 + i) * 50,
      { a: i },
    ]);
    await device.report(packed(...reports), T0 + HOUR_MS);
  }
  const refused = await problem(
    history("many", `${range(T0, T0 + HOUR_MS)}&resolution=raw`),
    400,
    "invalid_query",
  );
  expect(refused.detail).toContain("coarser");
  const { points } = await answered("many", `${range(T0, T0 + HOUR_MS)}&resolution=1m`);
  expect((points as WindowPoint[]).reduce((sum, { count }) => sum + count, 0)).toBe(60_000);
});

it("[Q30] a spike of one reading is in what auto answers, whatever the range and however few points", async () => {
  const device = env.DEVICE.getByName("spike/d1");
  const spikeAt = T0 + 1_801 * 1_000;
  const reports = Array.from({ length: 7_200 }, (_, i): [number, Record<string, number>] => {
    const at = T0 + i * 1_000;
    return [at, { a: at === spikeAt ? 95 : 20 + (i % 7), low: at === spikeAt ? -95 : 20 + (i % 7) }];
  });
  await device.report(packed(...reports), T0 + 2 * HOUR_MS);
  const toMs = T0 + 2 * HOUR_MS;
  for (const hours of [2, 24, 24 * 7, 24 * 60, 24 * 365]) {
    for (const bound of ["", "&maxPoints=1000", "&maxPoints=100", "&maxPoints=3"]) {
      for (const [metric, greatest] of [["a", 95] as const, ["low", -95] as const]) {
        const query = `metric=${metric}&${range(toMs - hours * HOUR_MS, toMs)}${bound}`;
        const answer = await answerOf<HistoryAnswer>(
          ask("spike", "viewer", `/v1/devices/d1/history?${query}`),
        );
        const figures = answer.points.flatMap((point) =>
          "at" in point ? point.value : [point.min, point.max],
        );
        expect([query, answer.resolution, figures.includes(greatest)]).toEqual([
          query,
          answer.resolution,
          true,
        ]);
        if (bound !== "") expect(answer.points.length).toBeLessThanOrEqual(Number(bound.split("=")[1]));
      }
    }
  }
  const shape = await answered("spike", `${range(T0, toMs)}&resolution=raw&maxPoints=100&thin=lttb`);
  expect(shape).toMatchObject({ thinned: { method: "lttb", from: 7_200 }, points: { length: 100 } });
});

it("[Q5] of a large file only the footer and the row groups that can hold the answer are read", async () => {
  const device = (name: string, startMs: number) =>
    blockMessageOf("groups", name, startMs, {
      a: Array.from({ length: 3_600 }, (_, i): [number, number] => [
        startMs + i * 1000,
        Math.sin(i * 12.9898) * 43_758.5453,
      ]),
    });
  const messages = Array.from({ length: 40 }, (_, i) => device(`d${i}`, T0));
  await consumeBlocks(batchOf(...messages), aggregateEnv);
  const { files } = await answerOf<{ files: { bytes: number; rows: number }[] }>(
    ask("groups", "viewer", "/v1/archive"),
  );
  expect(files).toMatchObject([{ rows: 40 * 3_600 }]);
  await ask("groups", "operator", "/v1/devices/d1", { method: "PUT", body: {} });
  const answer = await answered("groups", `${range(T0, T0 + HOUR_MS)}&resolution=raw&source=cold`);
  expect(answer.points).toHaveLength(3_600);
  expect(answer.bytesRead).toBeLessThan(files[0]!.bytes / 2);
});
