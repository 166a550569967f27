// The page in a real browser: fleet, zone, device, a chart that moves as readings arrive, and the sign-in form.
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, it } from "vitest";
import { useServer } from "../flow/topology.ts";
import { findChromium } from "./find-chromium.ts";

const executablePath = findChromium();
if (executablePath === undefined) {
  console.warn(
    "no Chromium on this machine (CHROMIUM_PATH, PATH, /usr/bin/chromium): the page is not tested",
  );
}
const ARGUMENTS = [
  "--no-sandbox",
  "--disable-dev-shm-usage",
  "--disable-gpu",
  "--disable-background-networking",
];
const DEADLINE_MS = 30_000;
const SECOND_MS = 1_000;

describe.skipIf(executablePath === undefined)("the page in Chromium", () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: executablePath!, args: ARGUMENTS });
  });
  afterAll(() => browser?.close());

  /** A fresh page and what went wrong on it: errors thrown, errors on the console. */
  async function open(url: string): Promise<{ page: Page; wrong: string[] }> {
    const page = await browser.newPage();
    page.setDefaultTimeout(DEADLINE_MS);
    const wrong: string[] = [];
    page.on("pageerror", (error) => wrong.push(String(error)));
    page.on("console", (message) => {
      if (message.type() === "error") wrong.push(`${message.text()} ${message.location().url}`);
    });
    await page.goto(url);
    return { page, wrong };
  }
  const pointsOf = async (page: Page) => Number(await page.getByTestId("chart").getAttribute("data-points"));
  const poll = { timeout: DEADLINE_MS, interval: 100 };

  describe.concurrent("with a local session", () => {
    const server = useServer({ tenant: "demo" });
    const demo = () => server.tenant("demo");
    let page: Page;
    let wrong: string[];

    it.sequential("[L2] [Q3] signs in by itself and shows the fleet's zones", async ({ expect }) => {
      const now = Date.now();
      const hour = Array.from({ length: 50 }, (_, i) => ({
        at: now - (50 - i) * 10 * SECOND_MS,
        metrics: { temp: 20 + i / 10, rpm: 900 + i },
      }));
      await demo().send(hour, "pump-1");
      await demo().send({ metrics: { temp: 3.25 } }, "pump-2");
      await demo().send({ metrics: { level: 7 } }, "tank-1");
      await demo().put("/v1/devices/tank-1", { zone: "yard", name: "The tank" });
      ({ page, wrong } = await open(server.run.url));
      await page.getByTestId("fleet").waitFor();
      await expect.poll(() => page.getByTestId("zone-card").allInnerTexts(), poll).toHaveLength(2);
      const cards = await page.getByTestId("zone-card").allInnerTexts();
      expect(cards.join("\n")).toMatch(/default\s+2[\s\S]*yard\s+1/);
      expect(await page.getByTestId("sign-in").count()).toBe(0);
    });

    it.sequential("[L2] [L3] a zone's rows are live: a value posted shows up", async ({ expect }) => {
      await page.getByTestId("zone-card").filter({ hasText: "default" }).click();
      await page.getByTestId("zone-table").waitFor();
      await expect.poll(() => page.getByTestId("device-row").count(), poll).toBe(2);
      await expect
        .poll(() => page.getByTestId("connection-state").getAttribute("data-state"), poll)
        .toBe("live");
      const row = page.locator('[data-testid="device-row"][data-device="pump-2"]');
      expect(await row.textContent()).toContain("3.25");
      await demo().send({ metrics: { temp: 88.75 } }, "pump-2");
      await expect.poll(() => row.textContent(), poll).toContain("88.75");
    });

    it.sequential("[D19] a device that reports for the first time joins the rows", async ({ expect }) => {
      await demo().send({ metrics: { temp: 4.5 } }, "pump-3");
      await expect.poll(() => page.getByTestId("device-row").count(), poll).toBe(3);
    });

    it.sequential("[Q3] a device's chart shows its history, says where from, and grows as readings arrive", async ({
      expect,
    }) => {
      await page.locator('[data-testid="device-row"][data-device="pump-1"] a').first().click();
      await page.getByTestId("device-title").waitFor();
      expect(await page.getByTestId("device-title").textContent()).toBe("pump-1");
      await expect.poll(() => pointsOf(page), poll).toBeGreaterThanOrEqual(50);
      const source = page.getByTestId("history-source");
      expect(await source.getAttribute("data-source")).toBe("hot");
      expect(await source.textContent()).toContain("raw readings");
      const before = await pointsOf(page);
      for (let i = 0; i < 3; i++) {
        const seen = await pointsOf(page);
        await demo().send({ metrics: { temp: 30 + i } }, "pump-1");
        await expect.poll(() => pointsOf(page), poll).toBeGreaterThan(seen);
      }
      expect(await pointsOf(page)).toBe(before + 3);
      await expect
        .poll(() => page.getByTestId("metric-tile").allInnerTexts(), poll)
        .toContainEqual(expect.stringMatching(/temp[\s\S]*32/));
    });

    it.sequential("[Q3] another metric is drawn when its tile is chosen, without an error on the page", async ({
      expect,
    }) => {
      await page.getByTestId("metric-tile").filter({ hasText: "rpm" }).click();
      await expect
        .poll(() => page.getByTestId("history-source").getAttribute("data-source"), poll)
        .toBe("hot");
      await expect.poll(() => page.getByTestId("chart").getAttribute("aria-label"), poll).toContain("rpm");
      await expect.poll(() => pointsOf(page), poll).toBeGreaterThanOrEqual(50);
      expect(wrong).toEqual([]);
      await page.close();
    });
  });

  describe.concurrent("without a local session", () => {
    const server = useServer({ vars: { LOCAL_TENANT: "" } });

    it.sequential("[I4] asks for a token, refuses a wrong one, and lets a viewer in", async ({ expect }) => {
      const { page, wrong } = await open(server.run.url);
      await page.getByTestId("sign-in").waitFor();
      await page.locator("#token").fill("not a token");
      await page.getByRole("button", { name: "Sign in" }).click();
      await page.getByRole("alert").waitFor();
      const token = await server.tenant("acme").token("viewer");
      await page.locator("#token").fill(token);
      await page.getByRole("button", { name: "Sign in" }).click();
      await page.getByTestId("fleet").waitFor();
      // A browser writes each 401 and 404 it was answered on the console; anything else is an error of the page.
      expect(wrong.filter((text) => !/status of 40[14]/.test(text))).toEqual([]);
      await page.close();
    });
  });
});
