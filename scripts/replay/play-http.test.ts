import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FAKE_START_MS, fakeRecording } from "./fake-recording.ts";
import { type ReplayOptions, replay } from "./play.ts";
import { StubServer } from "./stub-server.ts";
import { isWhole } from "./tally.ts";
import { givenTokens } from "./tokens.ts";

const HOUR_MS = 3_600_000;
const recording = fakeRecording({ devices: 5, steps: 12, stepMs: HOUR_MS / 4 });
let server: StubServer;
let url: string;
beforeEach(async () => {
  server = new StubServer();
  url = await server.listen();
});
afterEach(() => server.close());

const play = (options: Partial<ReplayOptions> = {}) =>
  replay({ recording, url, tokens: givenTokens("t", "admin"), seal: false, ...options });

describe("replay over HTTPS", () => {
  it("every reading arrives once, in the order of its device, with a verdict", async () => {
    const result = await play();
    expect(isWhole(result)).toBe(true);
    expect(result).toMatchObject({
      devices: 5,
      reports: { read: 60, empty: 0, acknowledged: 60, unacknowledged: 0 },
      readings: { acknowledged: 120, stored: 120, duplicate: 0, unaccounted: 0 },
      retries: 0,
    });
    const steps = Array.from({ length: 12 }, (_, step) => FAKE_START_MS + (step * HOUR_MS) / 4);
    for (const instants of server.taken.values()) expect(instants).toEqual(steps);
  });

  it("the clock follows the recording: the newest arrival of the request, never over an hour behind", async () => {
    await play();
    for (const { headers, reports } of server.requests) {
      const newest = Math.max(...reports.map(({ at }) => at));
      expect(headers["telltale-clock"]).toBe(String(newest + 5));
      expect(newest - Math.min(...reports.map(({ at }) => at))).toBeLessThan(HOUR_MS);
    }
  });

  it("with --batch a request may span more; with another clock it always may, and says nothing of time", async () => {
    expect((await play({ batchReports: 60, concurrency: 1 })).requests).toBe(1);
    expect((await play({ clock: "now", concurrency: 1 })).requests).toBe(1);
    expect(server.requests.at(-1)!.headers["telltale-clock"]).toBeUndefined();
  });

  it("--clock shift ends the recording now", async () => {
    const before = Date.now();
    await play({ clock: "shift" });
    const newest = Math.max(...[...server.taken.values()].flat());
    expect(newest).toBeGreaterThanOrEqual(before - 5);
    expect(newest).toBeLessThanOrEqual(Date.now() - 5);
  });

  it("a full, broken or vanished server is tried again with the same bytes", async () => {
    server.misbehave = (request) => {
      if (request === 1) return { status: 429, retryAfter: "0" };
      if (request === 3) return { status: 503 };
      return request === 4 ? "hang-up" : undefined;
    };
    const result = await play({ concurrency: 1 });
    expect(result).toMatchObject({
      retries: 3,
      readings: { stored: 120, duplicate: 0 },
      reports: { unacknowledged: 0 },
    });
    expect(server.requests[2]!.reports).toEqual(server.requests[1]!.reports);
  });

  it("a device out of reach alone is sent again; the others' verdicts stand", async () => {
    server.misbehave = (request, first) => {
      if (request !== 0) return undefined;
      const others = first.filter(({ device }) => device !== "device-1");
      const counts = { ...server.take(others), refused: 2 * (first.length - others.length) };
      const index = first.findIndex(({ device }) => device === "device-1");
      const problems = [{ index, code: "unavailable", message: "away" }];
      return { status: 503, retryAfter: "0", body: JSON.stringify({ ...counts, problems }) };
    };
    const result = await play({ batchReports: 100, concurrency: 1 });
    expect(result).toMatchObject({
      requests: 2,
      problems: {},
      readings: { stored: 120, duplicate: 0, refused: 0 },
    });
    expect(server.requests[1]!.reports.every(({ device }) => device === "device-1")).toBe(true);
    expect(isWhole(result)).toBe(true);
  });

  it("[F2] reports that came too fast alone are sent again; the others' verdicts stand", async () => {
    server.misbehave = (request, first) => {
      if (request !== 0) return undefined;
      const counts = { ...server.take(first.slice(0, 4)), refused: 2 * (first.length - 4) };
      const problems = [{ index: 4, code: "rate_limited", message: "too fast" }];
      const body = JSON.stringify({ ...counts, problems, limitedReports: [[4, first.length]] });
      return { status: 429, retryAfter: "0", body };
    };
    const result = await play({ batchReports: 100, concurrency: 1 });
    expect(result).toMatchObject({
      requests: 2,
      problems: {},
      readings: { stored: 120, duplicate: 0, refused: 0 },
    });
    expect(server.requests[1]!.reports).toEqual(server.requests[0]!.reports.slice(4));
    expect(isWhole(result)).toBe(true);
  });

  it("a request refused whole stays unacknowledged, and its code is counted", async () => {
    server.misbehave = (request) =>
      request === 0 ? { status: 400, body: '{"code":"invalid_report"}' } : undefined;
    const result = await play({ concurrency: 1 });
    expect(result).toMatchObject({ problems: { invalid_report: 1 }, reports: { unacknowledged: 20 } });
    expect(isWhole(result)).toBe(false);
  });

  it("a bad token or a server that stays away ends the replay and says why", async () => {
    server.token = "another";
    expect((await play()).failure).toMatch(/answered 401: no such token/);
    await server.close();
    const result = await play({ retryForMs: 300 });
    expect(result.failure).toMatch(/no luck for 0.3 s: .*did not answer/);
    expect(result.reports.acknowledged).toBe(0);
    server = new StubServer();
    await server.listen();
  });

  it("seals every device played, at the recording's clock", async () => {
    const result = await play({ seal: true });
    expect(result.seals).toEqual({ sealed: 5, notFound: 0, failed: 0 });
    expect(server.sealed.sort()).toEqual(["device-0", "device-1", "device-2", "device-3", "device-4"]);
  });

  it("an interrupt leaves the result so far", async () => {
    const controller = new AbortController();
    server.misbehave = (request) => void (request === 1 && controller.abort());
    const result = await play({ concurrency: 1, signal: controller.signal });
    expect(result).toMatchObject({ interrupted: true, requests: 2 });
    expect(result.reports.acknowledged).toBe(40);
  });

  it("a pace holds the recording back: the third hour comes two tenths of a second after the first", async () => {
    const result = await play({ speed: HOUR_MS / 100, seal: false });
    expect(result.durationMs).toBeGreaterThan(190);
    expect(result.reports.acknowledged).toBe(60);
  });
});
