// What the page says of that which it is not shown: a crowded zone, readings that were thinned.
import { type Browser, chromium } from "playwright-core";
import { afterAll, beforeAll, describe, it } from "vitest";
import type { SnapshotFrame } from "../../schemas/live.ts";
import { useServer } from "../flow/topology.ts";
import { findChromium } from "./find-chromium.ts";

const executablePath = findChromium();
const ARGUMENTS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"];
const DEADLINE_MS = 30_000;
const MINUTE_MS = 60_000;

describe.skipIf(executablePath === undefined)("what is left out, in Chromium", () => {
  const server = useServer({ tenant: "demo" });
  const poll = { timeout: DEADLINE_MS, interval: 100 };
  let browser: Browser;
  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: executablePath!, args: ARGUMENTS });
  });
  afterAll(() => browser?.close());

  async function newPage() {
    const page = await browser.newPage({ viewport: { width: 1280, height: 860 } });
    page.setDefaultTimeout(DEADLINE_MS);
    return page;
  }

  it("[L31] a zone's page says what its snapshot left out, less of it as devices report, and answers what it is asked", async ({
    expect,
  }) => {
    const now = Date.now();
    const reading = (value: number) => ({ at: now, value, receivedAt: now });
    const about = { zone: "hall", name: null, model: null, connected: true, lastReceivedAt: now };
    const snapshot: SnapshotFrame = {
      type: "snapshot",
      seq: 1,
      zone: "hall",
      at: now,
      devices: [
        { ...about, device: "d1", metrics: { temp: reading(21.5), rpm: reading(900) } },
        { ...about, device: "d2", metrics: { temp: reading(22.5) }, metricsLeftOut: 1 },
      ],
      devicesLeftOut: 1,
      missing: ["d8"],
      missingLeftOut: 12,
      alerts: [],
      alertsLeftOut: 3,
    };
    const page = await newPage();
    const said: string[] = [];
    let tell = (_: object) => {};
    await page.routeWebSocket(/\/v1\/zones\/hall\/stream/, (socket) => {
      tell = (frame) => socket.send(JSON.stringify(frame));
      socket.onMessage((text) => void said.push(String(text)));
      tell(snapshot);
      tell({ type: "ask", seq: 1 });
    });
    await page.goto(`${server.run.url}/#/zones/hall`);
    const note = page.getByTestId("left-out");
    await expect.poll(() => note.textContent(), poll).toMatch(/1 device that .* of 1 device, .* 3 alerts,/);
    expect(await page.locator(".summary").textContent()).toMatch(/2 of 3 devices .*13 did not answer/);
    const cell = page.locator('[data-device="d2"] [data-metric="rpm"]');
    expect(await cell.textContent()).toMatch(/…$/);
    await expect.poll(() => said, poll).toContain('{"type":"ack","seq":1}');
    const update = { type: "update", connected: true, lastReceivedAt: now };
    tell({ ...update, seq: 2, device: "d2", metrics: { rpm: reading(901) } });
    tell({ ...update, seq: 3, device: "d3", metrics: { temp: reading(1) } });
    await expect.poll(() => note.textContent(), poll).not.toMatch(/device/);
    expect(await cell.textContent()).toMatch(/901$/);
    await page.close();
  });

  it("[L32] a device's page says how many readings were thinned, of the range and of a window", async ({
    expect,
  }) => {
    const demo = server.tenant("demo");
    const limits = { reportsPerSecondPerDevice: 1, burstPerDevice: 10 };
    await demo.put("/v1/tenant", { excess: "sample", limits }, "admin");
    const startMs = Math.floor(Date.now() / MINUTE_MS) * MINUTE_MS - 4 * MINUTE_MS;
    const reports = Array.from({ length: 1_200 }, (_, i) => ({
      at: startMs + i * 100,
      metrics: { temp: 20 + Math.sin(i) },
    }));
    const { thinned } = await demo.send(reports, "fast");
    expect(thinned).toBeGreaterThan(1_000);
    const page = await newPage();
    await page.goto(`${server.run.url}/#/devices/fast`);
    const note = page.getByTestId("left-out");
    await expect.poll(() => note.textContent(), poll).toMatch(/\d+ more readings were thinned/);
    await page.getByLabel("Detail").selectOption("1m");
    await expect
      .poll(() => page.getByTestId("chart-readout").textContent(), poll)
      .toMatch(/mean of 1 min .*, \d+ more readings thinned$/);
    await expect.poll(() => note.textContent(), poll).toMatch(/\d+ more readings were thinned/);
    await page.close();
  });
});
