import fc from "fast-check";
import { expect, it } from "vitest";
import { draw, spentOf } from "../../core/device/allowance.ts";
import { newState } from "../../core/device/state.ts";
import { ReportPacker } from "../../core/report/pack.ts";
import { defaultSettings } from "../../schemas/tenant.ts";
import { SpentDevices } from "./spent-devices.ts";

const NOW = Date.UTC(2026, 0, 5);

function reports(count: number) {
  const packer = new ReportPacker();
  for (let i = 0; i < count; i++) packer.add(i, NOW, NOW, ["a", "b"], [1, 2]);
  return packer.finish();
}

function deviceOf(reportsPerSecondPerDevice: number, burstPerDevice: number) {
  const limits = { ...defaultSettings.limits, reportsPerSecondPerDevice, burstPerDevice };
  return newState("acme", "pump-1", { ...defaultSettings, limits }, 0);
}

const step = fc.record({
  wanted: fc.integer({ min: 1, max: 5 }),
  afterMs: fc.integer({ min: 0, max: 400 }),
  lagMs: fc.integer({ min: 0, max: 100 }),
});

it("[F44] [F45] one request after another: what is refused unasked the object would have refused, is taken after its time, and is counted", () => {
  const rate = fc.double({ min: 0.5, max: 200, noNaN: true });
  fc.assert(
    fc.property(rate, fc.integer({ min: 1, max: 10 }), fc.array(step), (perSecond, burst, steps) => {
      const object = deviceOf(perSecond, burst);
      const isolate = new SpentDevices();
      let [now, refused, told] = [NOW, 0, 0];
      for (const { wanted, afterMs, lagMs } of steps) {
        now += afterMs;
        const refusal = isolate.refuse("acme", "pump-1", reports(wanted), now);
        if (refusal !== undefined) {
          refused += wanted;
          expect(refusal).toMatchObject({ taken: 0, readings: 2 * wanted, code: "rate_limited" });
          expect(draw(structuredClone(object), wanted, now).granted).toBe(0);
          const fitting = Math.min(wanted, burst);
          const later = draw(structuredClone(object), fitting, now + refusal.retryAfterMs);
          expect(later.granted).toBe(fitting);
          continue;
        }
        told += isolate.takeUnasked("acme/pump-1")?.reports ?? 0;
        const askedAt = now;
        draw(object, wanted, now + lagMs / 2);
        now += lagMs;
        isolate.note("acme/pump-1", spentOf(object), askedAt, now);
      }
      expect(told + (isolate.takeUnasked("acme/pump-1")?.reports ?? 0)).toBe(refused);
    }),
  );
});

it("[F44] of requests at once the first asks the object, and the others are refused while it does", () => {
  const isolate = new SpentDevices();
  isolate.note("acme/pump-1", { reports: 0, perSecond: 5, burst: 10 }, NOW, NOW);
  const asks = (at: number) => isolate.refuse("acme", "pump-1", reports(1), at) === undefined;
  expect([NOW, NOW + 199, NOW + 200, NOW + 200, NOW + 201].map(asks)).toEqual([
    false,
    false,
    true,
    false,
    false,
  ]);
});

it("[F46] nothing is known for longer than half a second, nor of another device", () => {
  const isolate = new SpentDevices();
  isolate.note("acme/pump-1", { reports: 0, perSecond: 0.001, burst: 10 }, NOW, NOW);
  const asks = (device: string, at: number) => isolate.refuse("acme", device, reports(1), at) === undefined;
  expect([asks("pump-1", NOW + 499), asks("pump-1", NOW + 500), asks("pump-2", NOW)]).toEqual([
    false,
    true,
    true,
  ]);
});

it("[F45] of more than 10,000 devices the first is forgotten", () => {
  const isolate = new SpentDevices();
  for (let i = 0; i <= 10_000; i++)
    isolate.note(`acme/${i}`, { reports: 0, perSecond: 1, burst: 1 }, NOW, NOW);
  const isRefused = (device: string) => isolate.refuse("acme", device, reports(1), NOW) !== undefined;
  expect([isRefused("0"), isRefused("1"), isRefused("10000")]).toEqual([false, true, true]);
});
