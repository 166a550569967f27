// The page in a real browser: fleet, zone, device, a chart that moves as readings arrive, and the sign-in form.
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, it } from "vitest";
import type { DeviceGlance, SnapshotFrame } from "../../schemas/live.ts";
import type { DeviceEntry, ExtentAnswer, HistoryAnswer, LatestAnswer } from "../../schemas/query.ts";
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
      expect(await source.textContent()).toContain("Each reading as it was");
      expect(await page.getByTestId("presence").textContent()).toMatch(/^reporting/);
      await expect
        .poll(() => page.getByTestId("chart-readout").textContent(), poll)
        .toMatch(/newest reading, \d+ \w+( \d{4})? \d\d:\d\d:\d\d$/);
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

  describe.concurrent("with answers of its own", () => {
    const server = useServer({ tenant: "demo" });
    const NOW = Date.now();
    const reading = (value: number) => ({ at: NOW, value, receivedAt: NOW });
    const glance = (index: number, name: string | null = null): DeviceGlance => ({
      device: `sensor-${String(index).padStart(4, "0")}`,
      zone: "hall",
      name,
      model: null,
      connected: false,
      lastReceivedAt: NOW,
      reportEveryMs: 3_600_000,
      metrics: { temp: reading(index / 10), rpm: reading(900 + index), power: reading(3), level: reading(7) },
    });

    /** The page of a zone whose stream begins with these devices; null: it never does. */
    async function openZone(size: { width: number; height: number }, devices: DeviceGlance[] | null) {
      const page = await browser.newPage({ viewport: size });
      page.setDefaultTimeout(DEADLINE_MS);
      await page.routeWebSocket(/\/v1\/zones\/hall\/stream/, (socket) => {
        const snapshot = {
          type: "snapshot" as const,
          seq: 1,
          zone: "hall",
          at: NOW,
          missing: [],
          alerts: [],
        };
        if (devices !== null) socket.send(JSON.stringify({ ...snapshot, devices } satisfies SnapshotFrame));
      });
      await page.goto(`${server.run.url}/#/zones/hall`);
      return page;
    }
    const rowOf = (page: Page, index: number) => page.locator(`[data-device="${glance(index).device}"]`);
    const nodes = (page: Page) => page.locator("*").count();

    it("[L10] a zone of 2,000 devices is a screenful of nodes; scroll, keys, sort and filter reach every row", async ({
      expect,
    }) => {
      const page = await openZone(
        { width: 1280, height: 860 },
        Array.from({ length: 2_000 }, (_, index) => glance(index)),
      );
      await rowOf(page, 0).waitFor();
      expect(await nodes(page)).toBeLessThan(3_000);
      expect(await page.getByTestId("zone-table").getAttribute("aria-rowcount")).toBe("2001");
      await page.locator(".table-scroll").evaluate((box) => box.scrollTo(0, box.scrollHeight / 2));
      await rowOf(page, 1_000).waitFor();
      expect(await rowOf(page, 0).count()).toBe(0);
      expect(await nodes(page)).toBeLessThan(3_000);
      await rowOf(page, 1_000).locator("a").focus();
      await page.keyboard.press("End");
      await rowOf(page, 1_999).locator("a:focus").waitFor();
      await page.keyboard.press("ArrowUp");
      await rowOf(page, 1_998).locator("a:focus").waitFor();
      await page.locator(".table-scroll").evaluate((box) => box.scrollTo(0, 0));
      await rowOf(page, 0).waitFor();
      expect(await rowOf(page, 1_998).locator("a:focus").count(), "the row with the focus stays").toBe(1);
      await page.getByRole("button", { name: "rpm" }).click();
      await page.locator('[data-device="sensor-1999"][aria-rowindex="2"]').waitFor();
      await page.keyboard.press("Control+f");
      await page.keyboard.type("1234");
      await expect.poll(() => page.getByTestId("device-row").count(), poll).toBe(1);
      await rowOf(page, 1_234).waitFor();
      expect(await nodes(page)).toBeLessThan(3_000);
      await page.close();
    });

    it.for([1_280, 1_024, 400])(
      "[L11] at %i px names are whole, and nothing is wider than the page",
      async (width, { expect }) => {
        const names = ["Plant pump 7, cooling water, north side", "Instrument air compressor, building 7"];
        const page = await openZone(
          { width, height: 860 },
          Array.from({ length: 12 }, (_, index) => glance(index, names[index % names.length]!)),
        );
        await rowOf(page, 11).waitFor();
        const cut = () =>
          page
            .locator(".cell-name a")
            .evaluateAll((links) =>
              links.filter((link) => link.scrollWidth > link.clientWidth).map((link) => link.textContent),
            );
        await expect.poll(cut, poll).toEqual([]);
        const wider = (box: { scrollWidth: number; clientWidth: number }) =>
          box.scrollWidth - box.clientWidth;
        expect(await page.locator("html").evaluate(wider)).toBe(0);
        expect(await page.locator(".table-scroll").evaluate(wider)).toBe(0);
        const row = rowOf(page, 11);
        expect(
          await row.evaluate((box) => box.scrollHeight - box.clientHeight),
          "nothing of a row is cut",
        ).toBe(0);
        await page.close();
      },
    );

    it("[L12] zone, fleet and device say what they wait for", async ({ expect }) => {
      const zone = await openZone({ width: 1_280, height: 860 }, null);
      expect(await zone.getByTestId("awaited").textContent()).toBe("Asking the devices of this zone…");
      await zone.close();
      const page = await browser.newPage();
      page.setDefaultTimeout(DEADLINE_MS);
      await page.route(/\/v1\/(fleet|devices)/, () => new Promise(() => {})); // no answer, ever
      await page.goto(`${server.run.url}/#/`);
      await expect
        .poll(() => page.getByTestId("awaited").allTextContents(), poll)
        .toEqual(["Reading which zones there are…"]);
      await page.goto(`${server.run.url}/#/devices/pump-1`);
      await expect
        .poll(() => page.getByTestId("awaited").allTextContents(), poll)
        .toEqual(["Reading what the device has…"]);
      await page.close();
    });

    it("[Q23] a device of which readings were only imported shows its newest, and every year of them", async ({
      expect,
    }) => {
      const [from, newest] = [Date.UTC(2013, 2, 1), Date.UTC(2017, 1, 28, 23)];
      const entry = {
        device: "logger",
        zone: "hall",
        name: null,
        model: null,
        location: null,
        firstSeenAt: null,
        gateway: null,
        limits: null,
      };
      const heard = { device: "logger", zone: "hall", connected: false, lastReceivedAt: null, metrics: {} };
      const answers: Record<string, (query: URLSearchParams) => object> = {
        "": () => entry satisfies DeviceEntry,
        "/latest": () => ({ ...heard, clock: { behind: 0, ahead: 0 } }) satisfies LatestAnswer,
        "/extent": () =>
          ({
            device: "logger",
            fromMs: from,
            metrics: { temp: { at: newest, value: 6.5 } },
          }) satisfies ExtentAnswer,
        "/history": (query) => {
          const [startMs, endMs] = [Number(query.get("from")), Number(query.get("to"))];
          const [first, last] = [Math.max(startMs, from), Math.min(endMs - 1, newest)];
          const points =
            first < last
              ? [
                  { at: first, value: 1 },
                  { at: last, value: 6.5 },
                ]
              : [];
          const answer: HistoryAnswer = {
            device: "logger",
            metric: "temp",
            source: "cold",
            resolution: "raw",
            segments: [],
            points,
            next: null,
          };
          return answer;
        },
      };
      const page = await browser.newPage();
      page.setDefaultTimeout(DEADLINE_MS);
      await page.route(/\/v1\/devices\/logger/, (route) => {
        const url = new URL(route.request().url());
        return route.fulfill({
          json: answers[url.pathname.slice("/v1/devices/logger".length)]!(url.searchParams),
        });
      });
      await page.goto(`${server.run.url}/#/devices/logger`);
      await expect.poll(() => pointsOf(page), poll).toBe(2);
      expect(await page.getByTestId("presence").textContent()).toBe("no report received");
      expect(await page.getByTestId("metric-tile").allInnerTexts()).toEqual([
        expect.stringMatching(/temp\s+6.5\s+\d+ y ago/),
      ]);
      const readout = () => page.getByTestId("chart-readout").textContent();
      expect(await readout()).toMatch(/6.50?newest reading, \d+ \w+ 2017/);
      await page.getByRole("button", { name: "Earlier" }).click();
      await page.getByTestId("to-newest").click();
      await expect.poll(() => page.getByTestId("to-newest").count(), poll).toBe(0);
      await page.getByRole("button", { name: "All" }).click();
      await expect.poll(() => page.getByLabel("First day").inputValue(), poll).toMatch(/^2013-0[23]-/);
      await page.getByRole("button", { name: "1 h", exact: true }).click();
      await expect.poll(() => page.url(), poll).toMatch(/range=1h.*to=1488/);
      await page.getByLabel("First day").fill("2019-01-01");
      await page.getByLabel("Last day").fill("2019-02-01");
      await expect
        .poll(() => page.locator(".chart-note").allTextContents(), poll)
        .toEqual([expect.stringMatching(/No readings in this range. The newest is from \d+ \w+ 2017/)]);
      await page.close();
    });

    it("[Q24] a device is found by its name, in the list and where its address has none", async ({
      expect,
    }) => {
      const demo = server.tenant("demo");
      for (const index of [7, 8])
        await demo.put(`/v1/devices/plant-00${index}`, { name: `Plant pump ${index}` });
      const page = await browser.newPage();
      page.setDefaultTimeout(DEADLINE_MS);
      await page.goto(`${server.run.url}/#/`);
      const field = page.getByLabel("Find a device by name or id");
      await field.fill("pump 9");
      await expect
        .poll(() => page.getByTestId("suggestions").innerText(), poll)
        .toBe("No device has “pump 9” in its name or id.");
      await field.fill("plant PUMP");
      await expect
        .poll(() => page.getByTestId("suggestions").locator("a").allInnerTexts(), poll)
        .toHaveLength(2);
      await field.fill("Plant pump 7");
      await field.press("Enter");
      await expect
        .poll(() => page.getByTestId("device-title").allTextContents(), poll)
        .toEqual(["Plant pump 7"]);
      await page.goto(`${server.run.url}/#/devices/Plant%20pump%208`);
      await page.getByTestId("unknown-device").getByRole("link", { name: "Plant pump 8" }).click();
      await expect
        .poll(() => page.getByTestId("device-title").allTextContents(), poll)
        .toEqual(["Plant pump 8"]);
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
