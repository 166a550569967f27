import { createExecutionContext, env, runInDurableObject } from "cloudflare:test";
import { beforeAll, describe, expect, it, vi } from "vitest";
import type { HistoryAnswer, RawPoint, WindowPoint } from "../../schemas/query.ts";
import type { DeviceObject } from "../aggregate/device/device-object.ts";
import type { AggregateEnv } from "../aggregate/env.ts";
import { consumeBlocks } from "../aggregate/queues/consume-blocks.ts";
import { changeSettings } from "../tenant.ts";
import {
  batchOf,
  bearer,
  type DeviceStub,
  HOUR_MS,
  KeptQueue,
  packed,
  problem,
  T0,
} from "../test-support.ts";
import { answerOf, apiEnv, ask } from "./api-test-support.ts";
import type { ApiEnv } from "./env.ts";
import { api } from "./worker.ts";

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const DAY_MS = 24 * HOUR_MS;
const TENANT = "pages";
const COUNT = 200_000;
/** Four days around the instant where the device's readings become the archive's only. */
const FROM = T0 - 9 * DAY_MS;
const STEP_MS = 1_728;
const TO = FROM + COUNT * STEP_MS;
const RANGE = `from=${FROM}&to=${TO}`;

const MODEL = Array.from(
  { length: COUNT },
  (_, i): RawPoint => ({ at: FROM + i * STEP_MS, value: ((i * 7_919) % 4_001) / 8 }),
);

const path = (query: string) => `/v1/devices/d1/history?metric=a&${query}`;
const answered = (query: string) => answerOf<HistoryAnswer>(ask(TENANT, "viewer", path(query)));

let device: DeviceStub;
beforeAll(async () => {
  await changeSettings(env.TENANT, TENANT, { limits: { reportsPerSecondPerDevice: null } });
  device = env.DEVICE.getByName(`${TENANT}/d1`);
  const queue = await new KeptQueue().into(device);
  for (let start = 0; start < COUNT; start += 10_000) {
    const part = MODEL.slice(start, start + 10_000);
    await device.report(
      packed(...part.map(({ at, value }): [number, Record<string, number>] => [at, { a: value }])),
      part.at(-1)!.at,
    );
  }
  await device.seal();
  await consumeBlocks(batchOf(...queue.sent), env as unknown as AggregateEnv);
  await device.report(packed([T0, { b: 1 }]), T0);
  // An hour that is not stored yet.
  await device.report(
    packed(...[1, 2, 3].map((i): [number, Record<string, number>] => [T0 + i, { a: i }])),
    T0 + 3,
  );
});

async function pagesOf<P extends RawPoint | WindowPoint>(query: string, between?: () => Promise<void>) {
  const points: P[] = [];
  const sizes: number[] = [];
  const sources = new Set<string>();
  for (let after = ""; ; ) {
    const page = await answered(query + after);
    for (const point of page.points as P[]) points.push(point);
    for (const { source } of page.segments) sources.add(source);
    sizes.push(page.points.length);
    await between?.();
    if (page.next === null) return { points, sizes, sources };
    after = `&after=${encodeURIComponent(page.next)}`;
  }
}

describe("two hundred thousand readings of archive and device", () => {
  it("[Q12] pages of readings are together all of them, each once", async () => {
    const { points, sizes, sources } = await pagesOf<RawPoint>(`${RANGE}&resolution=raw&limit=30000`);
    expect(points).toEqual(MODEL);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(30_000);
    expect([...sources]).toEqual(["cold", "hot"]);
  });

  it.each(["1m", "5m", "1h", "1d"])("[Q12] pages of %s windows are the whole answer", async (resolution) => {
    const whole = await answered(`${RANGE}&resolution=${resolution}`);
    expect((whole.points as WindowPoint[]).reduce((sum, { count }) => sum + count, 0)).toBe(COUNT);
    const limit = Math.ceil(whole.points.length / 3);
    const { points, sizes } = await pagesOf<WindowPoint>(`${RANGE}&resolution=${resolution}&limit=${limit}`);
    expect(points).toEqual(whole.points);
    expect(sizes.length).toBeGreaterThanOrEqual(3);
  });

  it("[Q12] without a range the pages are those of the range the first one had", async () => {
    const headers = { "telltale-clock": String(T0 + 1_000) };
    const first = await answerOf<HistoryAnswer>(ask(TENANT, "viewer", path("limit=2"), { headers }));
    expect(first).toMatchObject({ resolution: "raw", points: [{ at: T0 + 1 }, { at: T0 + 2 }] });
    const rest = await answered(`limit=2&after=${first.next}`);
    expect(rest).toMatchObject({ points: [{ at: T0 + 3 }], next: null });
  });

  it("[Q12] a page of a few reads a part of a file, not days of them", async () => {
    const whole = await answered(`${RANGE}&resolution=1h&source=cold&limit=1`).catch((error) =>
      String(error),
    );
    expect(whole).toBeDefined();
    const some = await answered(`${RANGE}&resolution=raw&source=cold&limit=100`);
    expect(some.points).toEqual(MODEL.slice(0, 100));
    expect(some.segments.at(-1)!.endMs).toBeLessThanOrEqual(FROM + HOUR_MS);
  });

  it("[Q6] [Q12] a cursor that is none, and a page that shall be thinned too, are refused", async () => {
    await problem(ask(TENANT, "viewer", path("after=tomorrow")), 400, "invalid_query");
    await problem(ask(TENANT, "viewer", path("after=2m_1_2")), 400, "invalid_query");
    await problem(ask(TENANT, "viewer", path("limit=0")), 400, "invalid_query");
    await problem(ask(TENANT, "viewer", path("limit=50001")), 400, "invalid_query");
    const both = await problem(ask(TENANT, "viewer", path("limit=10&maxPoints=10")), 400, "invalid_query");
    expect(both.detail).toContain("ask one of them");
    const many = await problem(ask(TENANT, "viewer", path(`${RANGE}&resolution=raw`)), 400, "invalid_query");
    for (const remedy of ["shorter", "coarser", "maxPoints", "limit", "export"])
      expect(many.detail).toContain(remedy);
  });

  it.each(["lttb", "minmax"])(
    "[Q10] thinned by %s, an answer has some of the readings and says so",
    async (thin) => {
      const answer = await answered(`${RANGE}&resolution=raw&maxPoints=1000&thin=${thin}`);
      expect(answer.thinned).toEqual({ method: thin, from: COUNT });
      expect(answer.points.length).toBeLessThanOrEqual(1_000);
      expect(answer.points.length).toBeGreaterThan(900);
      const model = new Map(MODEL.map(({ at, value }) => [at, value]));
      for (const { at, value } of answer.points as RawPoint[]) expect(model.get(at)).toBe(value);
      expect(answer.points.at(-1)).toEqual(MODEL.at(-1));
    },
  );

  it("[Q10] auto takes the finest resolution that keeps to maxPoints", async () => {
    const ask = async (maxPoints: number) => {
      const { resolution, points, thinned } = await answered(`${RANGE}&maxPoints=${maxPoints}`);
      return { resolution, count: points.length, thinned };
    };
    expect(await ask(5_760)).toEqual({ resolution: "1m", count: 5_760, thinned: undefined });
    expect(await ask(1_500)).toMatchObject({ resolution: "5m", thinned: undefined });
    expect(await ask(100)).toEqual({ resolution: "1h", count: 96, thinned: undefined });
    expect(await ask(5)).toMatchObject({ resolution: "1d", thinned: undefined });
    expect(await ask(3)).toMatchObject({ resolution: "1d", thinned: { method: "minmax", from: 5 } });
  });
});

describe("export", () => {
  const exported = async (query: string, headers = {}, bindings: ApiEnv = apiEnv) => {
    const own = await bearer(TENANT, "viewer");
    const url = `https://telltale.test/v1/devices/d1/history/export?${query}`;
    return await api.fetch(
      new Request(url, { headers: { ...own, ...headers } }),
      bindings,
      createExecutionContext(),
    );
  };

  it("[Q11] every reading once, in order, as NDJSON; and metric by metric", async () => {
    const response = await exported(`metric=b&metric=a&${RANGE.replace(String(TO), String(T0 + 2))}`);
    expect(response.headers.get("content-type")).toBe("application/x-ndjson");
    expect(response.headers.get("content-disposition")).toBe('attachment; filename="d1-raw.ndjson"');
    const lines = (await response.text()).split("\n");
    expect(lines.pop()).toBe("");
    expect(JSON.parse(lines.shift()!)).toEqual({ metric: "b", at: T0, value: 1 });
    const rows = lines.map((line) => JSON.parse(line) as RawPoint & { metric: string });
    expect(rows.every(({ metric }) => metric === "a")).toBe(true);
    const points = rows.map(({ at, value }) => ({ at, value }));
    expect(points).toEqual([...MODEL, { at: T0 + 1, value: 1 }]);
  });

  it("[Q11] windows as CSV, by the Accept header, equal the answer's", async () => {
    const response = await exported(`metric=a&${RANGE}&resolution=1h`, { accept: "text/csv" });
    expect(response.headers.get("content-type")).toMatch(/^text\/csv/);
    const [head, ...lines] = (await response.text()).split("\r\n");
    expect(lines.pop()).toBe("");
    const names = head!.split(",").slice(1);
    const rows = lines.map((line) =>
      Object.fromEntries(
        line
          .split(",")
          .slice(1)
          .flatMap((text, i) => (text === "" ? [] : [[names[i], Number(text)]])),
      ),
    );
    expect(rows).toEqual((await answered(`${RANGE}&resolution=1h`)).points);
  });

  it("[Q11] what cannot be answered at all is a problem document", async () => {
    await problem(exported(RANGE), 400, "invalid_query");
    await problem(exported(`metric=a&from=${TO}&to=${FROM}`), 400, "invalid_query");
    await problem(exported("metric=a&resolution=auto"), 400, "invalid_query");
    await problem(exported("metric=a&format=xml"), 400, "invalid_query");
    const nobody = ask(TENANT, "viewer", "/v1/devices/nobody/history/export?metric=a");
    await problem(nobody, 404, "device_not_found");
  });

  it.each(["ndjson", "csv"])("[Q11] %s that fails under way does not look complete", async (format) => {
    let gets = 0;
    const cold = {
      get: (...asked: Parameters<R2Bucket["get"]>) => {
        if (++gets > 4) throw new Error("R2 is away");
        return apiEnv.COLD.get(...asked);
      },
    } as unknown as R2Bucket;
    const response = await exported(`metric=a&${RANGE}&format=${format}`, {}, { ...apiEnv, COLD: cold });
    expect(response.status).toBe(200);
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    const read = async () => {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        text += value;
      }
    };
    await expect(read()).rejects.toThrow();
    expect(text.length).toBeGreaterThan(100_000);
    const last = text.trimEnd().split("\n").at(-1)!;
    if (format === "ndjson") expect(JSON.parse(last)).toMatchObject({ error: { code: "unavailable" } });
    else expect(last).toMatch(/^a,\d+,/);
  });

  it.each(["raw", "5m"])(
    "[Q2] [Q11] %s: what the device gives up while it is read comes from the other tiers",
    async (resolution) => {
      const query = `metric=a&from=${FROM - 2 * DAY_MS}&to=${TO}&resolution=${resolution}`;
      const expected = await (await exported(query)).text();
      let calls = 0;
      /** From its third answer on it has given up a day more each time. */
      const forgetful = {
        async readings(...asked: Parameters<DeviceStub["readings"]>) {
          const found = (await device.readings(...asked))!;
          const hotFromMs = Math.max(found.hotFromMs, T0 - 7 * DAY_MS + (++calls - 2) * DAY_MS);
          const start = found.at.findIndex((at) => at >= hotFromMs);
          const from = start < 0 ? found.at.length : start;
          return { ...found, hotFromMs, at: found.at.slice(from), value: found.value.slice(from) };
        },
      };
      const bindings = { ...apiEnv, DEVICE: { getByName: () => forgetful } } as unknown as ApiEnv;
      expect(await (await exported(query, {}, bindings)).text()).toBe(expected);
      expect(calls).toBeGreaterThan(3);
    },
  );

  it("[Q11] who takes no more is read no further", async () => {
    let calls = 0;
    const counted = {
      ...apiEnv,
      DEVICE: {
        getByName(name: string) {
          calls++;
          return apiEnv.DEVICE.getByName(name);
        },
      },
    } as unknown as ApiEnv;
    const response = await exported(`metric=a&${RANGE}`, {}, counted);
    const reader = response.body!.getReader();
    await reader.read();
    const before = calls;
    await reader.cancel();
    expect(calls).toBe(before);
    await runInDurableObject<DeviceObject, void>(device, () => undefined);
    expect(calls).toBe(before);
  });
});

describe("while more comes in", () => {
  it("[Q12] what comes late between two pages shifts none of the pages after it", async () => {
    const from = T0 - 6 * DAY_MS;
    const model = MODEL.filter(({ at }) => at >= from);
    let late = 0;
    const { points } = await pagesOf<RawPoint>(
      `from=${from}&to=${TO}&resolution=raw&limit=20000`,
      async () => {
        late++;
        await device.report(packed([from + late, { a: -1 }]), T0 + 10 + late);
      },
    );
    expect(points.filter(({ value }) => value !== -1)).toEqual(model);
  });
});
