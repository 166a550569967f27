import { env, evictDurableObject } from "cloudflare:test";
import { expect, it } from "vitest";
import { defaultSettings, type TenantSettings } from "../../../schemas/tenant.ts";
import { changeSettings, readSettings } from "../../tenant.ts";

const DAY_MS = 86_400_000;

it("[S9] a tenant nobody spoke for has the defaults", async () => {
  expect(await readSettings(env.TENANT, "silent")).toEqual(defaultSettings);
  expect(defaultSettings).toMatchObject({ plan: "paid", commitEveryMs: 0, latenessHorizonMs: 7 * DAY_MS });
});

it("[S9] a change keeps what it does not name, and all of it survives an eviction", async () => {
  await changeSettings(env.TENANT, "changed", { commitEveryMs: 60_000 });
  const changed = await changeSettings(env.TENANT, "changed", { latenessHorizonMs: DAY_MS });
  await changeSettings(env.TENANT, "changed", { limits: { reportsPerSecondPerDevice: null } });
  const limits = { ...defaultSettings.limits, reportsPerSecondPerDevice: null, burstPerDevice: 7 };
  const whole = await changeSettings(env.TENANT, "changed", { limits: { burstPerDevice: 7 } });
  const expected = {
    ...defaultSettings,
    commitEveryMs: 60_000,
    latenessHorizonMs: DAY_MS,
    limits,
    settingsVersion: 4,
  };
  expect(changed).toMatchObject({ commitEveryMs: 60_000, latenessHorizonMs: DAY_MS });
  expect(whole).toEqual(expected);
  await evictDurableObject(env.TENANT.get(env.TENANT.idFromName("tenant/changed")));
  expect(await readSettings(env.TENANT, "changed")).toEqual(expected);
});

it("[S9] values out of their limits are refused, and what held goes on holding", async () => {
  await changeSettings(env.TENANT, "refusing", { commitEveryMs: 1_000 });
  const bad = [
    { commitEveryMs: -1 },
    { commitEveryMs: 15 * 60_000 + 1 },
    { latenessHorizonMs: 0 },
    { latenessHorizonMs: 91 * DAY_MS },
    { plan: "gold" as TenantSettings["plan"] },
    { retention: { rawDays: 0, hourlyDays: 1, archiveDays: null } },
    { retention: { rawDays: 1e9, hourlyDays: 1, archiveDays: null } },
    { limits: { reportsPerSecondPerDevice: 0 } },
    { limits: { burstPerDevice: 0 } },
  ];
  for (const change of bad) await expect(changeSettings(env.TENANT, "refusing", change)).rejects.toThrow();
  const expected = { ...defaultSettings, commitEveryMs: 1_000, settingsVersion: 1 };
  expect(await readSettings(env.TENANT, "refusing")).toEqual(expected);
  await evictDurableObject(env.TENANT.get(env.TENANT.idFromName("tenant/refusing")));
  expect(await readSettings(env.TENANT, "refusing")).toEqual(expected);
});

it("[S9] tenants do not share, also one whose name looks like an object's id", async () => {
  const id = "0123456789abcdef".repeat(4);
  await changeSettings(env.TENANT, id, { commitEveryMs: 5 });
  expect(await readSettings(env.TENANT, id)).toMatchObject({ commitEveryMs: 5 });
  expect(await readSettings(env.TENANT, "another")).toEqual(defaultSettings);
});
