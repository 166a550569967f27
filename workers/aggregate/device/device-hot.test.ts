import { env, evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { type AlertEvent, rule, ruleBody } from "../../../schemas/alert.ts";
import { changeSettings } from "../../tenant.ts";
import { type DeviceStub, packed, rowsOnceKnown, rowsWritten } from "../../test-support.ts";
import { ZoneObject } from "../zone/zone-object.ts";

const MINUTE_MS = 60_000;
/** Ahead of the platform's clock, so that no alarm fires by itself. */
const T0 = Math.ceil((Date.now() + 7_200_000) / 3_600_000) * 3_600_000 + MINUTE_MS;
const told: AlertEvent[] = [];

beforeEach(() => {
  told.length = 0;
  vi.useFakeTimers({ toFake: ["Date"], now: T0 });
  vi.spyOn(ZoneObject.prototype, "alerts").mockImplementation(async (events) => void told.push(...events));
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

/** Has the alarm that is set go off, an instant after its time. Returns when that was. */
async function ring(device: DeviceStub): Promise<number> {
  const alarmAt = await runInDurableObject(device, (_, { storage }) => storage.getAlarm());
  vi.setSystemTime(alarmAt! + 1);
  await runDurableObjectAlarm(device);
  return alarmAt!;
}

const kinds = () => told.map(({ kind }) => kind);

/** A device that may send a report a second, one at once, with a hot rule; it reported once. */
async function deviceOf(tenant: string, excess: "refuse" | "sample" = "refuse"): Promise<DeviceStub> {
  const limits = { reportsPerSecondPerDevice: 1, burstPerDevice: 1 };
  await changeSettings(env.TENANT, tenant, { limits, excess });
  const device = env.DEVICE.getByName(`${tenant}/pump-1`);
  await device.report(packed([T0, { t: 1 }]), T0);
  await rowsOnceKnown(device);
  const body = ruleBody.parse({ name: "too much", condition: { type: "hot" }, cooldownMs: 0 });
  const mark = { version: 1, createdAt: T0, updatedAt: T0, updatedBy: "test" };
  await device.setRules({ version: 1, rules: [rule.parse({ ...body, id: "hot", ...mark })] });
  return device;
}

/** A hundred reports at once, of which a device that just reported may send none. */
function send(device: DeviceStub) {
  const reports = Array.from({ length: 100 }, (_, i): Parameters<typeof packed>[0] => [T0 + 1 + i, { t: i }]);
  return device.report(packed(...reports), Date.now());
}

it("[A76] a device all of whose reports are refused is told of, in one commit, and a refusal more costs nothing", async () => {
  const device = await deviceOf("hot-refused");
  const before = await rowsWritten(device);
  expect(await send(device)).toMatchObject({ limited: { taken: 0 } });
  await vi.waitFor(() => expect(kinds()).toEqual(["fired"]));
  expect(told[0]!.alert.reading!.value).toBeGreaterThan(1.6);
  await vi.waitFor(async () => expect(await rowsWritten(device)).toBe(before + 2)); // and that the zone has it
  for (let i = 0; i < 5; i++) await send(device);
  expect(await rowsWritten(device)).toBe(before + 2);
});

it("[A75] so is one whose excess is sampled", async () => {
  const device = await deviceOf("hot-sampled", "sample");
  await send(device);
  await vi.waitFor(() => expect(kinds()).toEqual(["fired"]));
});

it("[A76] its alarm sees that a silent device cooled, also after an eviction", async () => {
  const device = await deviceOf("hot-silent");
  await send(device);
  await vi.waitFor(() => expect(kinds()).toEqual(["fired"]));
  await ring(device); // set for the telling of its zone
  expect(kinds()).toEqual(["fired"]);
  await evictDurableObject(device);
  const cooledAt = await ring(device); // e^(-31 s / 60 s) of 1.68 a second is 1
  expect(cooledAt).toBeGreaterThan(T0 + 31_000 + MINUTE_MS);
  expect(cooledAt).toBeLessThan(T0 + 32_000 + MINUTE_MS);
  await vi.waitFor(() => expect(kinds()).toEqual(["fired", "resolved"]));
});

it("[A76] while it goes on its alarm keeps how hot it is, so that a restart does not end the alert", async () => {
  const device = await deviceOf("hot-lasting");
  await send(device);
  for (let i = 0; i < 10; i++) await send(device);
  const alarmAt = await ring(device);
  await evictDurableObject(device);
  vi.setSystemTime(alarmAt + 90_000);
  await device.report(packed([alarmAt, { t: 1 }]), alarmAt + 90_000);
  expect(kinds()).toEqual(["fired"]);
  expect(await device.alerts()).toHaveLength(1);
});
