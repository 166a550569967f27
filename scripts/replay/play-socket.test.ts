import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FAKE_START_MS, fakeRecording } from "./fake-recording.ts";
import { type ReplayOptions, replay } from "./play.ts";
import { StubServer } from "./stub-server.ts";
import { isWhole } from "./tally.ts";
import { signedTokens } from "./tokens.ts";

const recording = fakeRecording({ devices: 3, steps: 40, stepMs: 60_000 });
const steps = Array.from({ length: 40 }, (_, step) => FAKE_START_MS + step * 60_000);
let server: StubServer;
let url: string;
beforeEach(async () => {
  server = new StubServer();
  url = await server.listen();
});
afterEach(() => server.close());

const play = (options: Partial<ReplayOptions> = {}) =>
  replay({
    recording,
    url,
    tokens: signedTokens("a secret of the test, long enough for HS256", "acme", Date.now()),
    door: "socket",
    seal: false,
    ...options,
  });

describe("replay over sockets", () => {
  it("each device has one socket and sends its reports in order", async () => {
    const result = await play({ commitEveryMs: 10_000 });
    expect(isWhole(result)).toBe(true);
    expect(result).toMatchObject({
      devices: 3,
      requests: 3,
      readings: { stored: 240, duplicate: 0, unaccounted: 0 },
    });
    expect([...server.taken.keys()].sort()).toEqual(["device-0", "device-1", "device-2"]);
    for (const instants of server.taken.values()) expect(instants).toEqual(steps);
    expect(server.requests[0]!.path).toBe("/v1/connect?commitEveryMs=10000");
    expect(server.requests[0]!.headers["telltale-clock"]).toBe(String(FAKE_START_MS + 5));
  });

  it("a server that holds reports is asked to commit when the window is full and at the end", async () => {
    server.holdsReports = true;
    const result = await play({ windowReports: 16 });
    expect(result).toMatchObject({ reports: { acknowledged: 120 }, readings: { stored: 240 } });
  });

  it("what a lost connection left unacknowledged is sent again, and nothing is lost", async () => {
    server.holdsReports = true;
    server.cutAt = (frame) => frame === 10 || frame === 70;
    const result = await play();
    expect(server.connections).toBe(5);
    expect(result).toMatchObject({ retries: 2, reports: { acknowledged: 120, unacknowledged: 0 } });
    expect(result.readings.stored).toBe(240);
    for (const instants of server.taken.values()) expect([...new Set(instants)].sort()).toEqual(steps);
  });

  it("[F18] one that is asked to slow down, and of which nothing was refused, sends nothing again", async () => {
    server.holdsReports = true;
    server.warnsAt = (frame) => frame === 10 || frame === 70;
    const result = await play({ windowReports: 16 });
    expect(result).toMatchObject({
      reports: { acknowledged: 120 },
      readings: { stored: 240, duplicate: 0 },
    });
  });

  it("a bad token ends the replay and says why, long before its patience", async () => {
    server.token = "another";
    const result = await play({ retryForMs: 60_000 });
    expect(result.failure).toMatch(/answered 401: no such token/);
    expect(result.reports.acknowledged).toBe(0);
  });

  it("a server that stays away ends the replay", async () => {
    await server.close();
    const result = await play({ retryForMs: 300 });
    expect(result.failure).toMatch(/no (connection of|acknowledgement for) device-\d .*0.3 s/);
    server = new StubServer();
    await server.listen();
  });
});
