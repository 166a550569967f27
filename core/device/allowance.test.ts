import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { defaultSettings } from "../../schemas/tenant.ts";
import { ReportPacker } from "../report/pack.ts";
import { admit, draw, rateOf, spentOf, withRefusal } from "./allowance.ts";
import { newState } from "./state.ts";

const NOW = Date.UTC(2026, 0, 5);

/** A device of a tenant with these limits. */
function deviceOf(perSecond: number | null, burst: number) {
  const limits = {
    ...defaultSettings.limits,
    reportsPerSecondPerDevice: perSecond,
    burstPerDevice: burst,
  };
  return newState("acme", "pump-1", { ...defaultSettings, limits }, 0);
}

function reports(...readings: number[]) {
  const packer = new ReportPacker();
  for (const [index, count] of readings.entries()) {
    const names = Array.from({ length: count }, (_, i) => `m${i}`);
    packer.add(
      index * 10,
      NOW,
      NOW,
      names,
      names.map(() => 1),
    );
  }
  return packer.finish();
}

describe("what a device may send", () => {
  it("[F1] is the burst at first, then so much a second, and never more than the burst after a rest", () => {
    const device = deviceOf(5, 10);
    expect(draw(device, 10, NOW)).toEqual({ granted: 10, retryAfterMs: 0 });
    expect(draw(device, 1, NOW)).toEqual({ granted: 0, retryAfterMs: 200 });
    expect(draw(device, 3, NOW + 400)).toEqual({ granted: 2, retryAfterMs: 200 });
    expect(draw(device, 30, NOW + 3_600_000)).toEqual({ granted: 10, retryAfterMs: 2_000 });
  });

  it("[F1] is as much as it likes where no limit is chosen, and the burst when one is chosen afterwards", () => {
    const device = deviceOf(null, 10);
    expect(draw(device, 1_000_000, NOW)).toEqual({ granted: 1_000_000, retryAfterMs: 0 });
    device.settings = deviceOf(1, 10).settings;
    expect(draw(device, 11, NOW).granted).toBe(10);
  });

  it("[F19] is its own, else its model's, else its tenant's, from the next report on", () => {
    const device = deviceOf(5, 10);
    device.settings.limits.models = { thermo: { reportsPerSecond: null, burst: 1 } };
    const rate = () => [rateOf(device).perSecond, rateOf(device).burst];
    expect(rate()).toEqual([5, 10]);
    device.profile = { zone: "z", name: null, model: "constructor" };
    expect(rate()).toEqual([5, 10]);
    device.profile = { zone: "z", name: null, model: "thermo" };
    expect(rate()).toEqual([null, 1]);
    device.profile = { ...device.profile, limits: { reportsPerSecond: 1, burst: 2 } };
    expect(rate()).toEqual([1, 2]);
    expect([draw(device, 3, NOW).granted, draw(device, 1, NOW + 1_000).granted]).toEqual([2, 1]);
    device.profile = { ...device.profile, limits: null };
    expect(draw(device, 1_000, NOW + 1_000).granted).toBe(1_000);
  });

  it("[F1] is not more when the clock goes back, nor less for what was refused", () => {
    const device = deviceOf(1, 2);
    expect(draw(device, 2, NOW).granted).toBe(2);
    expect(draw(device, 1, NOW - 60_000).granted).toBe(0);
    for (let i = 0; i < 100; i++) draw(device, 5, NOW + 10 * i);
    expect(draw(device, 1, NOW + 1_000).granted).toBe(1);
  });

  it("[F1] [F2] over any run of requests is within rate and burst; what is refused is taken after its time", () => {
    const step = fc.record({
      wanted: fc.integer({ min: 1, max: 40 }),
      afterMs: fc.integer({ min: 0, max: 5_000 }),
    });
    const rate = fc.double({ min: 0.001, max: 10_000, noNaN: true });
    fc.assert(
      fc.property(rate, fc.integer({ min: 1, max: 30 }), fc.array(step), (perSecond, burst, steps) => {
        const device = deviceOf(perSecond, burst);
        let now = NOW;
        let taken = 0;
        for (const { wanted, afterMs } of steps) {
          now += afterMs;
          const { granted, retryAfterMs } = draw(device, wanted, now);
          taken += granted;
          expect(taken).toBeLessThanOrEqual(burst + (perSecond * (now - NOW)) / 1000 + 1e-3);
          const left = Math.min(wanted - granted, burst);
          expect(retryAfterMs > 0).toBe(left > 0);
          const later = draw(structuredClone(device), left, now + retryAfterMs);
          expect(later).toEqual({ granted: left, retryAfterMs: 0 });
        }
      }),
    );
  });
});

it("[F44] what is left is said when it is less than one report, and never where what is beyond it is thinned", () => {
  const device = deviceOf(5, 2);
  expect(spentOf(device)).toBeUndefined();
  draw(device, 1, NOW);
  expect(spentOf(device)).toBeUndefined();
  draw(device, 1, NOW + 100);
  expect(spentOf(device)).toEqual({ reports: 0.5, perSecond: 5, burst: 2 });
  device.settings.excess = "sample";
  expect(spentOf(device)).toBeUndefined();
});

describe("a request", () => {
  it("[F2] is taken up to the first report that does not fit; the others are refused with their readings", () => {
    const device = deviceOf(5, 2);
    const { taken, refusal } = admit(device, reports(1, 2, 3, 4), NOW);
    expect(taken).toEqual(reports(1, 2, 3, 4) && { ...reports(1, 2, 3, 4), rows: reports(1, 2).rows });
    expect(refusal).toMatchObject({ taken: 2, readings: 7, retryAfterMs: 400 });
    expect(refusal!.problem).toMatchObject({ index: 20, code: "rate_limited", retryAfterMs: 400 });
    expect(refusal!.problem.message).toContain("5 a second and 2 at once");
    const answer = withRefusal({ counts: [3, 0, 0, 0, 0, 1], problems: [] }, refusal!);
    expect(answer).toMatchObject({ counts: [3, 0, 0, 0, 0, 8], limited: { taken: 2, retryAfterMs: 400 } });
  });

  it("[F2] [F3] of which nothing fits is taken not at all; one that fits is taken as it is", () => {
    const device = deviceOf(5, 2);
    const request = reports(1, 1);
    expect(admit(device, request, NOW)).toEqual({ taken: request, refusal: null, thinned: 0 });
    expect(admit(device, request, NOW).taken).toBeNull();
  });
});
