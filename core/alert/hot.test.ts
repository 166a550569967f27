import { expect, it } from "vitest";
import { FakeAlerts, MINUTE_MS, type RuleInput, START_MS } from "./fake-alerts.ts";
import { evaluateHot, nextCoolAt } from "./hot.ts";

/** Judged at each instant, as a device that is hot until `coolsAt`; times count from START_MS. */
function judged(more: Partial<RuleInput>, ...steps: [at: number, coolsAt: number][]): string[] {
  const fake = new FakeAlerts({ condition: { type: "hot" }, ...more });
  return steps.map(([at, coolsAt]) => {
    const warmth = { reportsPerSecond: 16.666, coolsAt: START_MS + coolsAt };
    const events = evaluateHot(fake.alerts, fake.subject, warmth, START_MS + at);
    fake.restart();
    const next = nextCoolAt(fake.alerts, START_MS + coolsAt);
    return `${events.map(({ kind }) => kind).join()} ${next === null ? "-" : next - START_MS}`;
  });
}

it("[A75] it fires while the device is hot, and ends when it was not for a minute", () => {
  expect(
    judged(
      {},
      [0, 0],
      [1, 2],
      [2, 3],
      [3, 3],
      [1_000, 9_000],
      [9_000, 9_000],
      [68_999, 9_000],
      [69_000, 9_000],
    ),
  ).toEqual([
    " -",
    `fired ${MINUTE_MS + 2}`,
    ` ${MINUTE_MS + 3}`,
    ` ${MINUTE_MS + 3}`,
    " 69000",
    " 69000",
    " 69000",
    "resolved -",
  ]);
});

it("[A75] a device that fell silent was cool from the instant on at which it cooled", () => {
  expect(judged({}, [0, 5_000], [5_000 + MINUTE_MS, 5_000])).toEqual(["fired 65000", "resolved -"]);
  const lasting = { forMs: 5 * MINUTE_MS };
  expect(judged(lasting, [0, 5_000], [6 * MINUTE_MS, 5_000], [6 * MINUTE_MS, 20 * MINUTE_MS])).toEqual([
    " -",
    " -",
    " -",
  ]);
});

it("[A75] `forMs` is how long it has to be hot, and the alert says how much the device sends", () => {
  expect(judged({ forMs: 1_000 }, [0, 500], [400, 1_400], [999, 1_999], [1_000, 2_000])).toEqual([
    " -",
    " -",
    " -",
    "fired 62000",
  ]);
  const fake = new FakeAlerts({ condition: { type: "hot" } });
  evaluateHot(fake.alerts, fake.subject, { reportsPerSecond: 16.666, coolsAt: START_MS + 1 }, START_MS);
  const reading = { at: START_MS, receivedAt: START_MS, value: 16.7 };
  expect(fake.alert).toMatchObject({ state: "firing", metric: null, reading });
});
