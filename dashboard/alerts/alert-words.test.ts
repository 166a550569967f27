import { describe, expect, it } from "vitest";
import type { Alert, Condition, Incident } from "../../schemas/alert.ts";
import {
  conditionInWords,
  crossedInWords,
  formatLasting,
  formatSpan,
  membersInWords,
  orderIncidents,
  orderMembers,
  scopeInWords,
} from "./alert-words.ts";

describe("conditionInWords", () => {
  it.each<[string, Condition, { forMs?: number; count?: number }]>([
    ["temperature above 80", { type: "threshold", metric: "temperature", above: 80 }, {}],
    [
      "temperature above 80 for 1 min, clears at 75",
      { type: "threshold", metric: "temperature", above: 80, clear: 75 },
      { forMs: 60_000 },
    ],
    [
      "level below 0.5, 3 readings in a row",
      { type: "threshold", metric: "level", below: 0.5, clear: 0.5 },
      { count: 3 },
    ],
    [
      "supply − return below 3, clears at 4",
      { type: "expression", left: "supply", operator: "-", right: "return", withinMs: 1, below: 3, clear: 4 },
      {},
    ],
    [
      "pm falls by more than 30 within 1 h 30 min",
      { type: "rate_of_change", metric: "pm", by: 30, overMs: 5_400_000, direction: "down" },
      {},
    ],
    [
      "rpm does not change for 10 min",
      { type: "flat_line", metric: "rpm", tolerance: 0, afterMs: 600_000 },
      {},
    ],
    [
      "rpm stays within 2 for 1 d",
      { type: "flat_line", metric: "rpm", tolerance: 2, afterMs: 86_400_000 },
      {},
    ],
    ["sends more reports than it may", { type: "hot" }, {}],
    ["sends more reports than it may for 5 min", { type: "hot" }, { forMs: 300_000 }],
    ["no data for 5 min", { type: "no_data", afterMs: 300_000 }, {}],
    ["no data of rpm for 90 s", { type: "no_data", metric: "rpm", afterMs: 90_000 }, {}],
  ])("%s", (words, condition, duration) => {
    expect(conditionInWords(condition, duration)).toBe(words.replace("90 s", "1 min 30 s"));
  });
});

it.each<[string, Condition]>([
  ["t 91.25, above 80", { type: "threshold", metric: "t", above: 80, clear: 75 }],
  [
    "a − b is 91.25, below 95",
    { type: "expression", left: "a", operator: "-", right: "b", withinMs: 1, below: 95 },
  ],
  [
    "t 91.25, rose by more than 2 within 10 min",
    { type: "rate_of_change", metric: "t", by: 2, overMs: 600_000, direction: "up" },
  ],
  ["t 91.25, unchanged for 1 min", { type: "flat_line", metric: "t", tolerance: 0, afterMs: 60_000 }],
  ["t 91.25, within 2 for 1 min", { type: "flat_line", metric: "t", tolerance: 2, afterMs: 60_000 }],
  [
    "t 91.25, unusual for this device",
    { type: "anomaly", metric: "t", detector: "zscore", level: "warning" },
  ],
  ["no data for 1 min", { type: "no_data", afterMs: 60_000 }],
  ["91.25 reports a second, more than it may send", { type: "hot" }],
])("[A54] the level crossed is told with the value: %s", (words, condition) => {
  const reading = { at: 1, receivedAt: 2, value: 91.25 };
  expect(crossedInWords({ metric: "t", reading }, condition)).toBe(words);
});

it("[A54] a value that is not known is said to be", () => {
  const condition: Condition = { type: "threshold", metric: "t", above: 80 };
  expect(crossedInWords({ metric: "t", reading: null }, condition)).toBe(
    "t above 80; the reading is not known",
  );
});

it.each([
  [{}, "every device"],
  [{ zone: "hall-2" }, "every device in zone hall-2"],
  [{ model: "M3", zone: "hall-2" }, "model M3 in zone hall-2"],
  [{ device: "pump-1" }, "device pump-1"],
])("a scope %j is %s", (scope, words) => {
  expect(scopeInWords(scope)).toBe(words);
});

it("[L16] a scope names its device, and says that it was deleted", () => {
  const names = new Map([
    ["pump-1", "Boiler house"],
    ["pump-9", null],
  ]);
  expect(scopeInWords({ device: "pump-1", zone: "hall-2" }, names)).toBe(
    "device Boiler house in zone hall-2",
  );
  expect(scopeInWords({ device: "pump-9" }, names)).toBe("device pump-9, which was deleted");
});

it.each([
  [500, "500 ms", "1 s"],
  [30_000, "30 s", "30 s"],
  [61_499, "1 min 1 s 499 ms", "1 min 1 s"],
  [90_061_000, "1 d 1 h 1 min 1 s", "1 d 1 h"],
])("%d ms is %s, and lasted %s", (spanMs, span, lasting) => {
  expect(formatSpan(spanMs)).toBe(span);
  expect(formatLasting(spanMs)).toBe(lasting);
});

describe("incidents", () => {
  const incident = (id: string, state: Incident["state"], severity: string, openedAt: number) =>
    ({ id, state, openedAt, rule: { severity } }) as Incident;

  it("what nobody has taken comes first, then what matters most, then the newest", () => {
    const known = [
      incident("taken", "acknowledged", "critical", 9),
      incident("old", "firing", "warning", 1),
      incident("new", "firing", "warning", 2),
      incident("worst", "firing", "critical", 0),
    ];
    expect(orderIncidents(known).map(({ id }) => id)).toEqual(["worst", "new", "old", "taken"]);
  });

  it.each([
    [{ state: "firing", members: 1, active: 1, muted: 0 }, "1 device active"],
    [{ state: "firing", members: 5, active: 3, muted: 0 }, "3 of 5 devices active"],
    [
      { state: "firing", members: 501, active: 501, muted: 500 },
      "501 devices active, 500 behind a silent gateway",
    ],
    [{ state: "resolved", members: 5, active: 0, muted: 0 }, "5 devices"],
  ])("%j: %s", (counts, words) => {
    expect(membersInWords(counts as Incident)).toBe(words);
  });

  it("[A23] active members come first, the newest of each half before the others", () => {
    const member = (id: string, firedAt: number, resolvedAt: number | null) =>
      ({ id, firedAt, resolvedAt }) as Alert;
    const members = [member("a", 1, null), member("b", 2, 8), member("c", 3, 7), member("d", 4, null)];
    expect(orderMembers(members).map(({ id }) => id)).toEqual(["d", "a", "b", "c"]);
  });
});
