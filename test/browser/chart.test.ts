// A chart in a real browser: what one reading did is seen in any range.
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { useServer } from "../flow/topology.ts";
import { CHROMIUM_ARGUMENTS, findChromium } from "./find-chromium.ts";

const executablePath = findChromium();
if (executablePath === undefined) console.warn("no Chromium on this machine: the chart is not tested");

const HOUR_MS = 3_600_000;
const EVERY_MS = 30_000;
/** All but an hour of the lateness horizon. */
const SPAN_MS = 167 * HOUR_MS;
const poll = { timeout: 30_000, interval: 100 };

describe.skipIf(executablePath === undefined)("a chart in Chromium", () => {
  const server = useServer({ tenant: "demo" });
  let browser: Browser;
  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: executablePath!, args: CHROMIUM_ARGUMENTS });
    const toMs = Date.now();
    const count = SPAN_MS / EVERY_MS;
    const reports = Array.from({ length: count }, (_, i) => ({
      at: toMs - (count - i) * EVERY_MS,
      metrics: { temp: Math.round(200 + 10 * Math.sin(i / 400) + 7 * ((i * 37) % 11)) / 10 },
    }));
    // One reading five hours ago, and one three days ago.
    for (const hours of [5, 72]) reports[count - (hours * HOUR_MS) / EVERY_MS]!.metrics.temp = 95;
    for (let start = 0; start < count; start += 5_000) {
      await server.tenant("demo").send(reports.slice(start, start + 5_000), "spiky");
    }
  });
  afterAll(() => browser?.close());

  it.each([
    ["24h", 1_400, "auto"],
    ["24h", 420, "auto"],
    ["7d", 1_400, "auto"],
    ["7d", 420, "auto"],
    ["30d", 1_400, "auto"],
    ["1y", 1_400, "auto"],
    ["24h", 1_400, "raw"],
    ["7d", 1_400, "raw"],
    ["7d", 420, "1m"],
  ])("[Q31] a spike of one reading is seen in %s on %i pixels, detail %s", async (range, width, detail) => {
    const page = await browser.newPage({ viewport: { width, height: 900 }, colorScheme: "light" });
    await page.goto(`${server.run.url}/#/devices/spiky?metric=temp&range=${range}`);
    const chart = page.getByTestId("chart");
    await expect.poll(async () => Number(await chart.getAttribute("data-points")), poll).toBeGreaterThan(0);
    if (detail !== "auto") {
      await page.getByLabel("Detail").selectOption(detail);
      const source = page.getByTestId("history-source");
      await expect.poll(() => source.getAttribute("data-resolution"), poll).toBe(detail);
    }
    await expect.poll(() => inkAbove(page), poll).toBeGreaterThan(0.9);
    await page.close();
  });

  it.each([
    ["America/New_York", /mean of 1 d from .* 00:00:00/],
    ["Asia/Kolkata", /mean of 1 d from .* 05:30:00/],
  ])(
    "[Q28] a day is one of whoever looks, in %s too, or of UTC where that is not whole hours off",
    async (timezoneId, said) => {
      const page = await browser.newPage({ timezoneId });
      await page.goto(`${server.run.url}/#/devices/spiky?metric=temp&range=1y`);
      await expect.poll(() => page.getByTestId("chart-readout").textContent(), poll).toMatch(said);
      await page.close();
    },
  );
});

/** What of a canvas is needed here, for there are no types of the page. */
interface Canvas {
  width: number;
  height: number;
  getContext(kind: "2d"): {
    getImageData(x: number, y: number, width: number, height: number): { data: Uint8ClampedArray };
  };
}

/** Which part of the rows between the other readings and the spike has a pixel of the line's colour, by a third or more. */
const inkAbove = (page: Page): Promise<number> =>
  page.locator('[data-testid="chart"] canvas').evaluate((element) => {
    const canvas = element as unknown as Canvas;
    const { width, height } = canvas;
    const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
    // The axis reaches from 10 to 102 or so: readings stay in its lowest quarter, the spike ends at its upper tenth.
    const [top, bottom] = [Math.round(height * 0.2), Math.round(height * 0.6)];
    let inked = 0;
    for (let row = top; row < bottom; row++) {
      for (let column = 80; column < width - 4; column++) {
        const i = 4 * (row * width + column);
        // The line is #0b7180: its red is far below its blue, which grey grid and text have not.
        if (data[i + 3]! < 128 || data[i + 2]! - data[i]! < 36) continue;
        inked++;
        break;
      }
    }
    return inked / (bottom - top);
  });
