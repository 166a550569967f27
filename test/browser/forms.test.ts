// A person signs in, sees who that makes them, and writes a rule with every field of it, in a real browser.
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, it } from "vitest";
import { signToken } from "../../core/token/sign.ts";
import { type Rule, rule as ruleSchema } from "../../schemas/alert.ts";
import { AlertClient } from "../flow/alert-client.ts";
import { useServer } from "../flow/topology.ts";
import { CHROMIUM_ARGUMENTS, findChromium } from "./find-chromium.ts";

const executablePath = findChromium();
const DEADLINE_MS = 30_000;
const poll = { timeout: DEADLINE_MS, interval: 100 };
const DAY_MS = 86_400_000;

describe.skipIf(executablePath === undefined)("signing in and writing a rule in Chromium", () => {
  const server = useServer({ tenant: "demo" });
  let browser: Browser;
  let page: Page;
  const demo = () => new AlertClient(server.tenant("demo"), server.run.secret);
  const ruleNow = (id: string): Promise<Rule> => demo().do(ruleSchema, "GET", `/v1/rules/${id}`);
  const operators = { tenant: "demo", role: "operator", sub: "Jörg Müller", ttlSeconds: 3_600 } as const;
  const tokenOf = (secret = server.run.secret, atMs = Date.now()) => signToken(operators, secret, atMs);
  const field = (name: string) => page.locator(`[name="${name}"]`);
  const suggested = (list: string) =>
    page
      .locator(`#${list} option`)
      .evaluateAll((options) => options.map((option) => option.getAttribute("value")));

  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: executablePath!, args: CHROMIUM_ARGUMENTS });
    page = await browser.newPage();
    page.setDefaultTimeout(DEADLINE_MS);
  });
  afterAll(() => browser?.close());

  it("[L14] a bad token keeps the form and says what is wrong with it; nothing is shown before a good one", async ({
    expect,
  }) => {
    const reason = () => page.getByTestId("sign-in-reason").innerText();
    const paste = async (token: string) => {
      await page.locator("#token").fill(token);
      await page.getByRole("button", { name: "Sign in" }).click();
    };
    await page.goto(`${server.run.url}/#token=garbage`);
    await expect.poll(reason, poll).toContain("That is not a token");
    expect(await page.locator("#token").inputValue()).toBe("garbage");
    expect(await page.locator(".bar").count()).toBe(0);
    await paste(await tokenOf("a secret of somebody else, and long enough"));
    await expect.poll(reason, poll).toContain("This deployment did not sign that token");
    await paste(await tokenOf(undefined, Date.now() - 3 * DAY_MS));
    await expect.poll(reason, poll).toMatch(/expired on .*, 2 d ago/);
    await paste(await server.tenant("demo").token("device", "pump-1"));
    await expect.poll(reason, poll).toContain("the token of the device pump-1");
    expect(await page.locator(".bar").count()).toBe(0);
    await paste(` Bearer ${await tokenOf()}\n`);
    await page.getByTestId("fleet").waitFor();
  });

  it.for([
    { width: 1280, height: 800 },
    { width: 390, height: 844 },
  ])(
    "[L15] at $width px the bar says who is signed in, as what, where, and until when",
    async (size, { expect }) => {
      await page.setViewportSize(size);
      const account = page.getByTestId("account");
      expect(await account.locator("summary").innerText()).toContain("Jörg Müller");
      await account.locator("summary").click();
      const said = await account.locator(".account-panel").innerText();
      expect(said).toMatch(
        /Jörg Müller[\s\S]*operator[\s\S]*demo[\s\S]*Until\s+\d+ \w+ \d{4} \d\d:\d\d\s+in \d+ min/,
      );
      const panel = (await account.locator(".account-panel").boundingBox())!;
      expect(panel.x).toBeGreaterThanOrEqual(0);
      expect(panel.x + panel.width).toBeLessThanOrEqual(size.width);
      await page.keyboard.press("Escape");
      expect(await account.getAttribute("open")).toBeNull();
    },
  );

  it("[A53] the form of a rule suggests the devices, models and metrics there are, and doubts others", async ({
    expect,
  }) => {
    await page.setViewportSize({ width: 1280, height: 800 });
    await server.tenant("demo").send({ metrics: { temperature: 60, rpm: 900 } }, "pump-1");
    await server
      .tenant("demo")
      .put("/v1/devices/pump-1", { name: "Boiler pump", model: "M3", zone: "hall-2" });
    await page.goto(`${server.run.url}/#/rules/New`);
    await expect.poll(() => suggested("metrics"), poll).toEqual(["rpm", "temperature"]);
    expect(await suggested("devices")).toEqual(["pump-1"]);
    expect(await suggested("models")).toEqual(["M3"]);
    await expect.poll(() => suggested("zones"), poll).toEqual(["hall-2"]);
    await field("metric").fill("temprature");
    await page.getByText("None of 1 device reports it; check the spelling").waitFor();
    await field("metric").fill("temperature");
    await expect.poll(() => page.getByText("check the spelling").count(), poll).toBe(0);
    await field("zone").fill("hall-3");
    await page.getByText("No device fits yet").waitFor();
  });

  it("[A52] a new rule shows its defaults, and what is typed for quiet, grouping, channels and steps is saved", async ({
    expect,
  }) => {
    for (const id of ["night", "boss"]) {
      const target = { type: "slack", url: "https://example.com/x" } as const;
      await demo().addChannel({ id, name: `${id} people`, target, route: { severities: ["warning"] } });
    }
    await page.goto("about:blank");
    await page.goto(`${server.run.url}/#/rules/New`);
    expect(await field("cooldown").inputValue()).toBe("5 min");
    expect(await field("groupWithin").inputValue()).toBe("1 min");
    await page.getByText("As things are, that is boss people, night people.").waitFor();
    await field("metric").fill("temperature");
    await field("level").fill("80");
    await field("cooldown").fill("90 s");
    await field("groupWithin").fill("0 s");
    await field("channels").selectOption("these");
    await field("channels-night").check();
    await page.getByRole("button", { name: "Add a step" }).click();
    await field("step-0").selectOption("these");
    await field("step-0-boss").check();
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByText("version 1").waitFor();
    const id = new URL(page.url()).hash.split("/").at(-1)!;
    expect(await ruleNow(id)).toMatchObject({
      name: "temperature above 80",
      cooldownMs: 90_000,
      groupWithinMs: 0,
      channels: ["night"],
      escalation: [{ afterMs: 600_000, channels: ["boss"] }],
      updatedBy: "Jörg Müller",
    });
  });

  it("[A52] a rule that the API made is saved from the form with every field as it was, but the one changed", async ({
    expect,
  }) => {
    await demo().addRule({
      id: "whole",
      name: " Spaces around ",
      condition: { type: "flat_line", metric: "rpm", tolerance: 0.5, afterMs: 90_500 },
      scope: { model: "M 3" },
      forMs: 60_000,
      severity: "info",
      cooldownMs: 1,
      groupWithinMs: 1_234,
      channels: ["night"],
      escalation: [
        { afterMs: 60_000, channels: null },
        { afterMs: 61_001, channels: ["boss", "night"] },
      ],
    });
    const before = await ruleNow("whole");
    await page.goto(`${server.run.url}/#/rules/whole`);
    await field("severity").selectOption("critical");
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByText("version 2").waitFor();
    const { version, updatedAt, updatedBy, ...after } = await ruleNow("whole");
    expect({ ...before, severity: "critical" }).toMatchObject(after);
    expect([version, updatedBy]).toEqual([2, "Jörg Müller"]);
  });

  it("[L16] of a rule that was deleted the page says so, and its incident keeps the name", async ({
    expect,
  }) => {
    await demo().addRule({
      id: "rule-80b381b3",
      name: "Pressure too high",
      severity: "info", // which no channel takes
      condition: { type: "threshold", metric: "pressure", above: 80 },
    });
    await server.tenant("demo").send({ metrics: { pressure: 99 } }, "pump-1");
    await page.goto(`${server.run.url}/#/alerts`);
    await page.getByTestId("incident").filter({ hasText: "Pressure too high" }).waitFor();
    await demo().do(ruleSchema, "DELETE", "/v1/rules/rule-80b381b3");
    const row = page
      .getByTestId("resolved-incidents")
      .getByTestId("incident")
      .filter({ hasText: "Pressure too high" });
    await row.waitFor();
    expect(await page.locator("main").innerText()).not.toContain("rule-80b381b3");
    await row.getByRole("link").click();
    await page.getByTestId("incident-title").waitFor();
    expect(await page.locator("main").innerText()).toContain("its rule was removed");
    await page.locator(".facts").getByRole("link").first().click();
    await page.getByText("This rule was deleted").waitFor();
  });

  it("[L15] signing out shows the form; the local run's session is offered there, and taken by pressing", async ({
    expect,
  }) => {
    await page.getByTestId("account").locator("summary").click();
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByTestId("sign-in").waitFor();
    expect(await page.getByTestId("sign-in-reason").count()).toBe(0);
    await page.getByRole("button", { name: "Use this machine's own session" }).click();
    await expect
      .poll(() => page.getByTestId("account").locator("summary").innerText(), poll)
      .toContain("local");
  });

  it("an empty tenant is told what to do next", async () => {
    const token = await server.tenant("nothing-yet").token("operator");
    await page.goto("about:blank");
    await page.goto(`${server.run.url}/#token=${token}`);
    await page.getByTestId("fleet").waitFor();
    await page.getByTestId("alerts-link").click();
    await page.getByRole("link", { name: "Make the first rule" }).waitFor();
    await page.getByTestId("rules-link").click();
    await page.getByText("There is no rule yet, so nothing can alert.").waitFor();
    await page.getByRole("link", { name: "Channels" }).click();
    await page.getByText("There is no channel yet").waitFor();
  });
});
