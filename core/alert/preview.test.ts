import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ABOVE_10, bodyOf, FakeAlerts, HOUR_MS, MINUTE_MS, START_MS, SUBJECT } from "./fake-alerts.ts";
import { preview } from "./preview.ts";

const minutes = (values: Record<number, number>) =>
  Object.entries(values).map(([minute, temp]) => ({
    at: START_MS + Number(minute) * MINUTE_MS,
    metrics: { temp },
  }));
const END_MS = START_MS + 2 * HOUR_MS;
const at = (minute: number) => START_MS + minute * MINUTE_MS;

describe("a preview", () => {
  it("[A46] says when the rule would have fired and cleared, and what fires still", () => {
    const rule = bodyOf({ condition: ABOVE_10, forMs: 2 * MINUTE_MS });
    const history = minutes({ 0: 11, 1: 11, 2: 12, 3: 9, 4: 7, 5: 11, 6: 7, 10: 11, 12: 13 });
    expect(preview(rule, SUBJECT, history, END_MS)).toEqual([
      {
        firedAt: at(2),
        reading: { at: at(2), receivedAt: at(2), value: 12 },
        resolvedAt: at(4),
        clearedBy: { at: at(4), receivedAt: at(4), value: 7 },
      },
      {
        firedAt: at(12),
        reading: { at: at(12), receivedAt: at(12), value: 13 },
        resolvedAt: null,
        clearedBy: null,
      },
    ]);
  });

  it("[A46] [A8] a silence shows between readings and up to the end, not at a reading that is just in time", () => {
    const rule = bodyOf({ condition: { type: "no_data", afterMs: 10 * MINUTE_MS } });
    const history = minutes({ 0: 1, 10: 1, 25: 2, 30: 3 });
    const silences = (toMs: number) =>
      preview(rule, SUBJECT, history, toMs).map(({ firedAt, resolvedAt }) => [firedAt, resolvedAt]);
    expect(silences(END_MS)).toEqual([
      [at(20), at(25)],
      [at(40), null],
    ]);
    expect(silences(at(40))).toEqual([[at(20), at(25)]]);
    expect(preview(rule, SUBJECT, [], END_MS)).toEqual([]);
  });

  it("[A46] shows as many episodes as there were", () => {
    const history = Array.from({ length: 600 }, (_, i) => ({
      at: START_MS + i * 30 * MINUTE_MS,
      metrics: { temp: i % 2 ? 7 : 11 },
    }));
    const rule = bodyOf({ condition: ABOVE_10 });
    expect(preview(rule, SUBJECT, history, START_MS + 300 * HOUR_MS)).toHaveLength(300);
  });

  it("[A46] heeds cooldown and flapping", () => {
    const history = minutes(Object.fromEntries(Array.from({ length: 60 }, (_, i) => [i, i % 2 ? 7 : 11])));
    const episodes = (cooldownMs: number) =>
      preview(bodyOf({ condition: ABOVE_10, cooldownMs }), SUBJECT, history, END_MS).map(
        ({ firedAt, resolvedAt }) => [
          (firedAt - START_MS) / MINUTE_MS,
          resolvedAt && (resolvedAt - START_MS) / MINUTE_MS,
        ],
      );
    expect(episodes(0)).toEqual([
      [0, 1],
      [2, 3],
      [4, 5],
      [6, 7],
      [8, null],
    ]);
    expect(episodes(20 * MINUTE_MS)).toEqual([
      [0, 1],
      [22, 23],
      [44, 45],
    ]);
  });

  it("[A46] ends also for a no_data rule that was not checked", () => {
    const rule = bodyOf({ condition: { type: "no_data", afterMs: MINUTE_MS }, forMs: 1, count: 9 });
    expect(preview(rule, SUBJECT, minutes({ 0: 1 }), END_MS)).toHaveLength(1);
  });

  it("[A46] is what a device does that receives each reading when it is read", () => {
    const values = fc.array(fc.constantFrom(7, 9, 11), { minLength: 1, maxLength: 60 });
    const rules = fc.record({
      forMs: fc.constantFrom(0, 2 * MINUTE_MS),
      count: fc.constantFrom(1, 2),
      cooldownMs: fc.constantFrom(0, 7 * MINUTE_MS),
    });
    fc.assert(
      fc.property(values, rules, (temps, extra) => {
        const device = new FakeAlerts({ condition: ABOVE_10, ...extra });
        for (const [minute, temp] of temps.entries()) device.temp(minute * MINUTE_MS, temp);
        const fired = device.alerts.outbox.filter(({ kind }) => kind === "fired").map((event) => event.at);
        const resolved = device.alerts.outbox
          .filter(({ kind }) => kind === "resolved")
          .map((event) => event.at);
        const body = bodyOf({ condition: ABOVE_10, ...extra });
        const episodes = preview(body, SUBJECT, minutes({ ...temps }), END_MS);
        expect(episodes.map(({ firedAt }) => firedAt)).toEqual(fired);
        expect(episodes.flatMap(({ resolvedAt }) => resolvedAt ?? [])).toEqual(resolved);
      }),
    );
  });
});
