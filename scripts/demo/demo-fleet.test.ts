import { describe, expect, it } from "vitest";
import { runDemoFleet } from "../demo-fleet.ts";
import { StubServer } from "../replay/stub-server.ts";
import { HISTORY_HOURS } from "./hours.ts";

const secret = "a secret of the test, long enough for HS256";

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 20));
}

describe("runDemoFleet", () => {
  it("introduces the stations, sends the history, reports live through both doors and outlives an outage", {
    timeout: 30_000,
  }, async () => {
    const server = new StubServer();
    const url = await server.listen();
    const controller = new AbortController();
    const lines: string[] = [];
    const log = (line: string) => void lines.push(line);
    const startedAt = Date.now();
    const demo = runDemoFleet({ url, secret, tenant: "demo", signal: controller.signal, log });
    const live = () =>
      [...server.taken.values()].filter((instants) => instants.some((at) => at >= startedAt)).length;
    await until(() => live() === 12);
    expect(server.profiles.size).toBe(12);
    expect(server.profiles.get("Dingling")).toMatchObject({
      zone: "hills",
      name: "Ming Tombs",
      location: { latitude: 40.292 },
    });
    expect(server.connections).toBe(6);
    for (const instants of server.taken.values())
      expect(instants.length).toBeGreaterThanOrEqual(HISTORY_HOURS);
    expect(lines.join()).toMatch(/history: \d+ readings new, 0 known already/);

    // Longer than the two seconds between reports, so that every socket reports into it and is cut.
    const outageEndsAt = Date.now() + 3_000;
    server.misbehave = () => (Date.now() < outageEndsAt ? "hang-up" : undefined);
    server.cutAt = () => Date.now() < outageEndsAt;
    const since = () =>
      [...server.taken.values()].filter((instants) => instants.some((at) => at >= outageEndsAt)).length;
    await until(() => since() === 12);
    expect(server.connections).toBeGreaterThan(6);
    controller.abort();
    await demo;
    await server.close();
  });

  it("waits for a server that is not there, and ends quietly when told to", async () => {
    const controller = new AbortController();
    const demo = runDemoFleet({
      url: "http://127.0.0.1:9",
      secret,
      tenant: "demo",
      signal: controller.signal,
    });
    setTimeout(() => controller.abort(), 200);
    await expect(demo).resolves.toBeUndefined();
  });
});
