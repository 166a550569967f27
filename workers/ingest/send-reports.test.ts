import { env } from "cloudflare:test";
import { afterEach, expect, it, vi } from "vitest";
import type { TelemetryAnswer } from "../../schemas/reading.ts";
import { bearer, problem, T0 } from "../test-support.ts";
import type { IngestEnv } from "./env.ts";
import { ingestEnv, report, send } from "./ingest-test-support.ts";

vi.setConfig({ testTimeout: 60_000 });

afterEach(() => {
  vi.restoreAllMocks();
});

/** A namespace whose objects do as they are told before their own `report`. */
const devicesThat = (before: (name: string) => Promise<void>): IngestEnv => ({
  ...ingestEnv,
  DEVICE: {
    getByName: (name: string) => ({
      report: async (...args: Parameters<ReturnType<typeof env.DEVICE.getByName>["report"]>) => {
        await before(name);
        return await env.DEVICE.getByName(name).report(...args);
      },
    }),
  } as unknown as IngestEnv["DEVICE"],
});

it("[I15] at most 50 objects are called at once, and the answer is in the order of the request", async () => {
  let calls = 0;
  let most = 0;
  const slow = devicesThat(async () => {
    calls += 1;
    most = Math.max(most, calls);
    for (let turn = 0; turn < 5; turn++) await Promise.resolve();
    calls -= 1;
  });
  const reports = Array.from({ length: 120 }, (_, i) => ({
    at: i % 10 === 0 ? T0 - 90 * 86_400_000 : T0,
    device: `d${119 - i}`,
    metrics: { a: i },
  }));
  const response = await send({
    body: JSON.stringify(reports),
    headers: await bearer("wide", "gateway"),
    env: slow,
  });
  const answer = await response.json<TelemetryAnswer>();
  expect(answer).toMatchObject({ stored: 108, refused: 12 });
  expect(answer.problems.map(({ index }) => index)).toEqual(Array.from({ length: 12 }, (_, i) => i * 10));
  expect(most).toBeGreaterThan(1);
  expect(most).toBeLessThanOrEqual(50);
});

it("[I16] an object that is away: 503 with the verdicts of the others, and all of it may be sent again", async () => {
  vi.spyOn(console, "error").mockImplementation(() => undefined);
  const away = devicesThat(async (name) => {
    if (name === "absent/d2") throw Object.assign(new Error("overloaded"), { overloaded: true });
  });
  const body = JSON.stringify(
    ["d1", "d2", "d3"].map((device) => ({ at: T0, device, metrics: { a: 1, b: 2 } })),
  );
  const headers = await bearer("absent", "gateway");
  const response = await send({ body, headers, env: away });
  expect(Number(response.headers.get("retry-after"))).toBeGreaterThan(0);
  expect(await problem(response, 503, "unavailable")).toMatchObject({
    stored: 4,
    refused: 2,
    problems: [{ index: 1, code: "unavailable" }],
  });
  expect(await (await send({ body, headers })).json()).toMatchObject({ stored: 2, duplicate: 4, refused: 0 });
});

it("[I16] an object that was just moved is asked once more, unnoticed", async () => {
  let failures = 0;
  const moved = devicesThat(async () => {
    if (failures++ === 0) throw Object.assign(new Error("moved"), { retryable: true });
  });
  const response = await send({
    body: JSON.stringify(report(1)),
    headers: await bearer("moved", "device", "d1"),
    env: moved,
  });
  expect(await response.json()).toMatchObject({ stored: 1 });
});
