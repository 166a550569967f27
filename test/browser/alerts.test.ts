// A person and one alert, in a real browser: it fires, is seen, is acknowledged, clears; nobody reloads the page.
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, it } from "vitest";
import { AlertClient } from "../flow/alert-client.ts";
import { answerWith } from "../flow/receiver.ts";
import { useServer } from "../flow/topology.ts";
import { WebhookReceiver } from "../flow/webhook-receiver.ts";
import { CHROMIUM_ARGUMENTS, findChromium } from "./find-chromium.ts";

const executablePath = findChromium();
const DEADLINE_MS = 30_000;
const poll = { timeout: DEADLINE_MS, interval: 100 };

const RULE = {
  id: "too-hot",
  name: "Pump too hot",
  condition: { type: "threshold", metric: "temperature", above: 80, clear: 75 },
  severity: "critical",
  cooldownMs: 0,
} as const;

describe.skipIf(executablePath === undefined)("alerts in Chromium", () => {
  const server = useServer({ tenant: "demo" });
  let browser: Browser;
  let page: Page;
  const wrong: string[] = [];
  const demo = () => new AlertClient(server.tenant("demo"), server.run.secret);
  const report = (temperature: number, device = "pump-1") =>
    server.tenant("demo").send({ metrics: { temperature } }, device);
  const incidents = (list: "active" | "resolved") =>
    page.getByTestId(`${list}-incidents`).getByTestId("incident");
  const pageState = () => page.getByTestId("incident-page").getAttribute("data-state");

  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: executablePath!, args: CHROMIUM_ARGUMENTS });
    page = await browser.newPage();
    page.setDefaultTimeout(DEADLINE_MS);
    page.on("pageerror", (error) => wrong.push(String(error)));
    page.on("console", (message) => {
      if (message.type() === "error") wrong.push(`${message.text()} ${message.location().url}`);
    });
  });
  afterAll(() => browser?.close());

  it("[A13] [A45] [A54] an alert that fires shows on the open page, and a badge on every page", async ({
    expect,
  }) => {
    await report(60);
    await server.tenant("demo").put("/v1/devices/pump-1", { name: "Boiler pump" });
    await demo().addRule(RULE);
    await page.goto(`${server.run.url}/#/alerts`);
    await page.getByText("All is well: 1 rule watches and none is breached.").waitFor();
    expect(await page.getByText("Nothing is firing.").count()).toBe(1);
    await expect.poll(() => page.getByTestId("alerts").getAttribute("data-live"), poll).toBe("true");
    expect(await page.getByTestId("alerts-badge").count()).toBe(0);
    await report(91.25);
    await expect.poll(() => incidents("active").count(), poll).toBe(1);
    const row = await incidents("active").innerText();
    expect(row).toContain("critical");
    expect(row).toContain("Pump too hot");
    expect(row).toMatch(/Boiler pump\s+pump-1\s+temperature 91.25, above 80\s+read /);
    expect(row).toContain("1 device active");
    expect(await incidents("active").getAttribute("data-state")).toBe("firing");
    await expect.poll(() => page.getByTestId("alerts-badge").innerText(), poll).toBe("1");
  });

  it("[A37] [A45] the zone marks the device's row, and its page says what is active", async ({ expect }) => {
    await page.goto(`${server.run.url}/#/zones/default`);
    const row = page.locator('[data-testid="device-row"][data-device="pump-1"]');
    await row.getByTestId("alert-mark").waitFor();
    await row.getByRole("link").click();
    await page.getByTestId("device-alerts").waitFor();
    const strip = await page.getByTestId("device-alerts").innerText();
    expect(strip).toContain("Pump too hot");
    expect(strip).toContain("temperature was 91.25");
    await page.getByTestId("device-alerts").getByRole("link").click();
    await expect.poll(pageState, poll).toBe("firing");
    const member = page.getByTestId("member");
    await expect.poll(() => member.count(), poll).toBe(1);
    expect(await member.getByRole("link").innerText()).toMatch(/Boiler pump\s+pump-1/);
    expect(await member.innerText()).toMatch(
      /temperature[\s\S]*91.25[\s\S]*(read and received|read .*, received)/,
    );
    expect(await member.getByRole("link").getAttribute("href")).toContain(
      "#/devices/pump-1?metric=temperature",
    );
  });

  it("[A13] [A38] a person acknowledges it with a text, and the history says who", async ({ expect }) => {
    await page.goto(`${server.run.url}/#/alerts`);
    await incidents("active").getByRole("link").click();
    await page.getByTestId("incident-title").waitFor();
    await page.getByTestId("action-text").fill("On my way to the pump");
    await page.getByTestId("acknowledge").click();
    await expect
      .poll(() => page.getByTestId("action-said").innerText(), poll)
      .toBe("Acknowledged: 1 device.");
    await expect.poll(pageState, poll).toBe("acknowledged");
    const event = page.locator('[data-testid="event"][data-kind="acknowledged"]');
    await expect.poll(() => event.innerText(), poll).toContain("local acknowledged");
    await expect.poll(() => event.innerText(), poll).toContain("On my way to the pump");
    await expect
      .poll(async () => (await demo().incidents()).map(({ acknowledgedBy }) => acknowledgedBy), poll)
      .toEqual(["local"]);
  });

  it("[A23] a second device that joins shows on the open page, and a comment reaches both", async ({
    expect,
  }) => {
    await report(60, "pump-2");
    await report(85, "pump-2");
    await expect.poll(() => page.getByTestId("member").count(), poll).toBe(2);
    expect(await page.getByTestId("member-count").innerText()).toBe("2 devices active");
    await page.getByTestId("action-text").fill("Both are on one cooling loop");
    await page.getByRole("button", { name: "Comment" }).click();
    await expect.poll(() => page.getByTestId("action-said").innerText(), poll).toBe("Commented: 2 devices.");
    const comment = page.locator('[data-testid="event"][data-kind="commented"]');
    await expect.poll(() => comment.innerText(), poll).toContain("Both are on one cooling loop");
    await report(70, "pump-2");
    const second = page.locator('[data-testid="member"][data-device="pump-2"]');
    await expect.poll(() => second.getAttribute("data-state"), poll).toBe("resolved");
    expect(await pageState()).toBe("acknowledged");
  });

  it("[A14] a reading that clears resolves it, and the page says so without a reload", async ({ expect }) => {
    await page.evaluate("window.wasNeverReloaded = true");
    await report(76);
    await report(74.5);
    await expect.poll(pageState, poll).toBe("resolved");
    const first = page.locator('[data-testid="member"][data-device="pump-1"]');
    expect(await first.innerText()).toContain("cleared at 74.5");
    expect(await page.getByTestId("acknowledge").count()).toBe(0);
    await page.getByTestId("alerts-link").click();
    await expect.poll(() => incidents("active").count(), poll).toBe(0);
    await expect.poll(() => incidents("resolved").count(), poll).toBe(1);
    await expect.poll(() => page.getByTestId("alerts-badge").count(), poll).toBe(0);
    expect(await page.evaluate("window.wasNeverReloaded")).toBe(true);
  });

  it("[A1] [A46] a rule is typed, refused with the reason, tried on the past, saved, and listed", async ({
    expect,
  }) => {
    await page.getByTestId("rules-link").click();
    await page.getByRole("link", { name: "New rule" }).click();
    const type = (field: string, text: string) => page.locator(`[name=${field}]`).fill(text);
    await type("name", "Warm");
    await type("metric", "temperature");
    await type("level", "74");
    await type("clear", "90");
    await page.getByTestId("try-rule").click();
    await expect.poll(() => page.getByTestId("rule-failure").innerText(), poll).toContain('"clear" (90)');
    await type("clear", "65");
    await page.getByTestId("try-rule").click();
    const preview = page.getByTestId("rule-preview");
    await expect.poll(() => preview.innerText(), poll).toContain("on 2 of 2 devices");
    expect(await page.getByTestId("rule-failure").count()).toBe(0);
    await type("zone", "nowhere-yet");
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByText("version 1").waitFor();
    await page.getByTestId("rules-link").click();
    await expect.poll(() => page.getByTestId("rule").count(), poll).toBe(2);
    const listed = await page.getByTestId("rule").filter({ hasText: "Warm" }).innerText();
    expect(listed).toContain("temperature above 74, clears at 65");
    expect(listed).toContain("every device in zone nowhere-yet");
    // A browser writes the answer that refused on the console.
    expect(wrong.splice(0).every((text) => /status of 400/.test(text))).toBe(true);
  });

  it("[A29] [L16] an incident is silenced for an hour, which the alerts' page lists and ends", async ({
    expect,
  }) => {
    await report(99);
    await page.getByTestId("alerts-link").click();
    await expect.poll(() => incidents("active").count(), poll).toBe(1);
    await incidents("active").getByRole("link").click();
    await page.getByRole("button", { name: "Silence…" }).click();
    await page.getByRole("button", { name: "1 h", exact: true }).click();
    await expect.poll(() => page.getByTestId("silence").count(), poll).toBe(1);
    await page.getByTestId("alerts-link").click();
    await expect
      .poll(() => page.getByTestId("silence").innerText(), poll)
      .toContain("“Pump too hot” in zone default");
    expect(await incidents("active").count()).toBe(1);
    await page.getByRole("button", { name: "End" }).click();
    await expect.poll(() => page.getByTestId("silence").count(), poll).toBe(0);
  });

  it("[A38] resolved by hand, it says by whom", async ({ expect }) => {
    await incidents("active").getByRole("link").click();
    await page.getByRole("button", { name: "Resolve…" }).click();
    await page.getByTestId("action-text").fill("The sensor is broken");
    await page.getByRole("button", { name: "Resolve", exact: true }).click();
    await expect.poll(pageState, poll).toBe("resolved");
    const event = page.locator('[data-testid="event"][data-kind="resolved"]');
    await expect.poll(() => event.innerText(), poll).toMatch(/local resolved\s+“?The sensor is broken/);
    await report(60);
  });

  it("[A33] [A55] the channels' page says what became of a message, and why", async ({ expect }) => {
    const receiver = await new WebhookReceiver(answerWith(410)).listen();
    await demo().addChannel({
      id: "night",
      name: "Night shift",
      target: { type: "webhook", url: receiver.urlOf("/x") },
    });
    await page.getByTestId("rules-link").click();
    await page.getByRole("link", { name: "Channels" }).click();
    const channel = page.getByTestId("channel");
    await channel.getByRole("button", { name: "Send a test" }).click();
    await expect.poll(() => channel.getByTestId("delivery").count(), poll).toBe(1);
    expect(await channel.innerText()).toMatch(/The test was refused by its receiver: .*410/);
    receiver.answer("/x", answerWith(204));
    await channel.getByRole("button", { name: "Send a test" }).click();
    await channel.getByText("The test arrived.").waitFor();
    expect(receiver.webhooks.map(({ kind }) => kind)).toEqual(["test", "test"]);
    await receiver.close();
  });

  it("[A38] a viewer sees the same, and why nothing can be pressed", async ({ expect }) => {
    await report(99);
    await page.getByTestId("alerts-link").click();
    await expect.poll(() => incidents("active").count(), poll).toBe(1);
    const id = await incidents("active").getAttribute("data-incident");
    const token = await server.tenant("demo").token("viewer");
    const viewers = await (await browser.newContext()).newPage();
    viewers.setDefaultTimeout(DEADLINE_MS);
    await viewers.goto(`${server.run.url}/#token=${token}`);
    await viewers.getByTestId("fleet").waitFor();
    await viewers.goto(`${server.run.url}/#/alerts/${id}`);
    await viewers.getByTestId("acknowledge").waitFor();
    expect(await viewers.getByTestId("acknowledge").isDisabled()).toBe(true);
    expect(await viewers.getByText("only an operator may do this").count()).toBeGreaterThan(0);
    await viewers.context().close();
    await report(60);
    expect(wrong).toEqual([]);
  });

  it("without a stream the page asks by itself, and shows what fires all the same", async ({ expect }) => {
    const cutOff = await (await browser.newContext()).newPage();
    cutOff.setDefaultTimeout(DEADLINE_MS);
    await cutOff.routeWebSocket(/fleet\/stream/, (socket) => socket.close());
    await cutOff.goto(`${server.run.url}/#/alerts`);
    await cutOff.getByText("asks every 10 s").waitFor();
    await cutOff.getByText("Nothing is firing.").waitFor();
    await report(99);
    const shown = cutOff.getByTestId("active-incidents").getByTestId("incident");
    await expect.poll(() => shown.count(), poll).toBe(1);
    await cutOff.context().close();
  });
});
