import { describe, expect, it } from "vitest";
import { condition as schema } from "../../../schemas/alert.ts";
import { MINUTE_MS, SECOND_MS, START_MS } from "../fake-alerts.ts";
import { OpenDetectors } from "./anomaly.ts";
import { type ConditionMemory, judge, type ReadingCondition } from "./index.ts";
import { type RateMemory, rateOfChange } from "./rate-of-change.ts";
import { threshold } from "./threshold.ts";

/** Verdicts on readings `[at, value, receivedAt = at]`, times from START_MS; the memory is kept as JSON between them. */
function verdicts(
  input: Record<string, unknown>,
  readings: [at: number, value: number, receivedAt?: number][],
) {
  const condition = schema.parse(input) as ReadingCondition;
  let memory: ConditionMemory | null = null;
  return readings.map(([at, value, receivedAt = at]) => {
    const open = new OpenDetectors();
    const sample = { t: START_MS + at, receivedAt: START_MS + receivedAt, value };
    const judged = judge(condition, memory, [sample], open);
    open.close();
    memory = JSON.parse(JSON.stringify(judged.memory)) as ConditionMemory | null;
    return judged.verdict;
  });
}

describe("threshold", () => {
  it.each([
    [{ above: 10 }, 10, "clear"],
    [{ above: 10 }, 10.000001, "breach"],
    [{ above: 10, clear: 8 }, 10, "unknown"],
    [{ above: 10, clear: 8 }, 8.000001, "unknown"],
    [{ above: 10, clear: 8 }, 8, "clear"],
    [{ above: 10, clear: 10 }, 10, "clear"],
    [{ above: -0 }, 0, "clear"],
    [{ below: 10 }, 10, "clear"],
    [{ below: 10 }, 9.999999, "breach"],
    [{ below: 10, clear: 12 }, 10, "unknown"],
    [{ below: 10, clear: 12 }, 11.999999, "unknown"],
    [{ below: 10, clear: 12 }, 12, "clear"],
    [{ below: -5 }, Number.MAX_VALUE, "clear"],
    [{ above: -5 }, Number.MAX_VALUE, "breach"],
  ] as const)("[A4] %j reads %d as %s", (level, value, verdict) => {
    expect(threshold(level, value)).toBe(verdict);
  });
});

describe("rate of change", () => {
  const rate = { type: "rate_of_change", metric: "m", by: 5, overMs: 10 * MINUTE_MS };

  it("[A6] a first reading says nothing, a later one differs from those of the last while", () => {
    expect(verdicts(rate, [[0, 1]])).toEqual(["unknown"]);
    expect(
      verdicts(rate, [
        [0, 1],
        [MINUTE_MS, 6],
        [2 * MINUTE_MS, 6.1],
      ]),
    ).toEqual(["unknown", "clear", "breach"]);
  });

  it.each([
    ["up", 100, 105.1, "breach"],
    ["up", 100, 94, "clear"],
    ["down", 100, 105.1, "clear"],
    ["down", 100, 94.9, "breach"],
    ["both", 100, 105.1, "breach"],
    ["both", 100, 94.9, "breach"],
    ["both", 100, 105, "clear"],
  ] as const)("[A6] %s: from %d to %d is %s", (direction, from, to, verdict) => {
    expect(
      verdicts({ ...rate, direction }, [
        [0, from],
        [1, to],
      ])[1],
    ).toBe(verdict);
  });

  it("[A6] what is older than the while counts no more", () => {
    expect(
      verdicts(rate, [
        [0, 0],
        [10 * MINUTE_MS, 9],
      ])[1],
    ).toBe("breach");
    expect(
      verdicts(rate, [
        [0, 0],
        [10 * MINUTE_MS + 1, 9],
      ])[1],
    ).toBe("clear");
  });

  it("[A6] a dip among thousands of readings of the last while is not forgotten", () => {
    const readings: [number, number][] = [];
    for (let i = 0; i < 3_600; i++) readings.push([i * SECOND_MS, i === 3_100 ? 1 : 9]);
    const judged = verdicts({ ...rate, direction: "up" }, readings);
    const breaches = judged.flatMap((verdict, i) => (verdict === "breach" ? [i] : []));
    expect(breaches[0]).toBe(3_101);
    expect(breaches.at(-1)).toBe(3_599); // 499 s of 600 are past
    expect(new Set(judged.slice(1, 3_101))).toEqual(new Set(["clear"]));
  });

  it("[A6] the memory is bounded, however often and however long the device reports", () => {
    const condition = schema.parse(rate) as Extract<ReadingCondition, { type: "rate_of_change" }>;
    let memory: RateMemory | undefined;
    for (let i = 0; i < 20_000; i++) {
      const at = START_MS + i * 777;
      ({ memory } = rateOfChange(condition, memory, { t: at, receivedAt: at, value: Math.sin(i) }));
    }
    expect(memory!.parts).toHaveLength(8);
    expect(JSON.stringify(memory).length).toBeLessThan(2_000);
  });

  it("[A6] readings that come in batches compare within a batch, and across when the while is longer", () => {
    const batch = (n: number, values: number[]) =>
      values.map((value, i): [number, number, number] => [
        n * HOUR + (i * HOUR) / values.length,
        value,
        (n + 1) * HOUR,
      ]);
    const HOUR = 60 * MINUTE_MS;
    expect(
      verdicts({ ...rate, overMs: 20 * MINUTE_MS }, [...batch(0, [1, 1, 9, 9]), ...batch(1, [9, 9])]),
    ).toEqual(["unknown", "clear", "breach", "unknown", "clear", "clear"]);
    expect(verdicts({ ...rate, overMs: 2 * HOUR }, [...batch(0, [1, 1]), ...batch(1, [9, 9])])).toEqual([
      "unknown",
      "clear",
      "breach",
      "breach",
    ]);
  });

  it("[A10] a clock that was put back brings no old value near", () => {
    // The reading before is an hour old, although the device says it was a minute.
    expect(
      verdicts(rate, [
        [0, 0],
        [MINUTE_MS, 9, 61 * MINUTE_MS],
      ])[1],
    ).toBe("unknown");
  });

  it("[A10] a clock that is put forward clears nothing", () => {
    const steps: [number, number, number][] = [
      [0, 0, 0],
      [1_000, 9, 1_000],
      [60 * MINUTE_MS, 9, 2_000],
      [70 * MINUTE_MS + 2_001, 9, 10 * MINUTE_MS + 2_001],
    ];
    expect(verdicts(rate, steps)).toEqual(["unknown", "breach", "unknown", "clear"]);
  });
});

describe("flat line", () => {
  const flat = { type: "flat_line", metric: "m", tolerance: 0.5, afterMs: 10 * MINUTE_MS };
  const minutes = (...values: number[]) => values.map((value, i): [number, number] => [i * MINUTE_MS, value]);

  it("[A56] a value that stays within its tolerance for so long is flat; moving clears it", () => {
    const still = Array.from({ length: 10 }, (_, i) => 20 + (i % 2) / 2);
    expect(verdicts(flat, minutes(...still, 20.5, 20, 20.6, 20.6))).toEqual([
      ...Array(10).fill("unknown"),
      "breach",
      "breach",
      "clear",
      "unknown",
    ]);
  });

  it("[A56] slow drift is not flat: it is measured from where the value was", () => {
    expect(verdicts(flat, minutes(...Array.from({ length: 60 }, (_, i) => i / 10)))).not.toContain("breach");
  });

  it.each([
    [10 * MINUTE_MS, 10 * MINUTE_MS, "breach"],
    [10 * MINUTE_MS - 1, 60 * MINUTE_MS, "unknown"],
    [60 * MINUTE_MS, 10 * MINUTE_MS - 1, "unknown"],
  ] as const)("[A10] %d ms by the device's clock and %d ms by ours are %s", (t, receivedAt, verdict) => {
    expect(
      verdicts(flat, [
        [0, 1],
        [t, 1, receivedAt],
      ])[1],
    ).toBe(verdict);
  });
});

describe("a limit that a difference just meets", () => {
  it("[A67] is not passed, though binary fractions say so", () => {
    // 1.1 − 1 is 0.10000000000000009, 0.1 + 0.2 is 0.30000000000000004.
    const twoMinutes = (...values: number[]) =>
      values.map((value, i): [number, number] => [i * MINUTE_MS, value]);
    const rate = { type: "rate_of_change", metric: "m", by: 0.1, overMs: 10 * MINUTE_MS };
    expect(verdicts(rate, twoMinutes(1, 1.1))).toEqual(["unknown", "clear"]);
    expect(verdicts(rate, twoMinutes(1.1, 1))).toEqual(["unknown", "clear"]);
    expect(verdicts(rate, twoMinutes(1, 1.100001))).toEqual(["unknown", "breach"]);
    const flat = { type: "flat_line", metric: "m", tolerance: 0.1, afterMs: MINUTE_MS };
    expect(verdicts(flat, twoMinutes(1, 1.1))).toEqual(["unknown", "breach"]);
    expect(verdicts(flat, twoMinutes(1.1, 1))).toEqual(["unknown", "breach"]);
    const sum = { type: "expression", left: "a", operator: "+", right: "b", above: 0.3, withinMs: 1000 };
    const judged = (operator: string, above: number, a: number, b: number) => {
      const at = (value: number) => ({ t: START_MS, receivedAt: START_MS, value });
      const condition = schema.parse({ ...sum, operator, above }) as ReadingCondition;
      const { verdict, value } = judge(condition, null, [at(a), at(b)], new OpenDetectors());
      return [verdict, value];
    };
    expect(judged("+", 0.3, 0.1, 0.2)).toEqual(["clear", 0.3]);
    expect(judged("-", 0.1, 1.1, 1)).toEqual(["clear", 0.1]);
    expect(judged("*", 0.33, 0.1, 3.3)).toEqual(["clear", 0.33]);
    expect(judged("-", 0.1, 1.100001, 1)).toEqual(["breach", 0.100001]);
  });
});

describe("expression", () => {
  const difference = { type: "expression", left: "a", operator: "-", right: "b", above: 5, withinMs: 60_000 };
  const at = (t: number, value: number) => ({ t: START_MS + t, receivedAt: START_MS + t, value });
  const once = (input: Record<string, unknown>, a: number, b: number, apartMs = 0) =>
    judge(schema.parse(input) as ReadingCondition, null, [at(0, a), at(apartMs, b)], new OpenDetectors());

  it.each([
    ["+", 4, 2, 6],
    ["-", 4, 2, 2],
    ["*", 4, 2, 8],
    ["/", 4, 2, 2],
    ["/", 4, 0, undefined],
    ["/", 0, 0, undefined],
    ["*", 1e200, 1e200, undefined],
    ["*", -1, 0, 0],
  ])("[A7] a %s b of %d and %d is %d", (operator, a, b, value) => {
    const judged = once({ ...difference, operator }, a, b);
    expect(judged.value).toBe(value);
    expect(judged.verdict).toBe(value === undefined ? "unknown" : value > 5 ? "breach" : "clear");
  });

  it("[A7] readings further apart than allowed say nothing", () => {
    expect(once(difference, 9, 1, 60_000).verdict).toBe("breach");
    expect(once(difference, 9, 1, 60_001).verdict).toBe("unknown");
    expect(once(difference, 9, 1, -60_001).verdict).toBe("unknown");
  });

  it("[A7] a new reading of one side meets the newest of the other", () => {
    const condition = schema.parse(difference) as ReadingCondition;
    const open = new OpenDetectors();
    let { memory, verdict } = judge(condition, null, [at(0, 9), undefined], open);
    expect(verdict).toBe("unknown");
    ({ memory, verdict } = judge(condition, memory, [undefined, at(1_000, 1)], open));
    expect(verdict).toBe("breach");
    ({ memory, verdict } = judge(condition, memory, [at(2_000, 6), undefined], open));
    expect(verdict).toBe("clear");
  });
});

describe("anomaly", () => {
  const rule = { type: "anomaly", metric: "m", detector: "zscore", level: "critical" };
  const calm = Array.from({ length: 60 }, (_, i): [number, number] => [i * MINUTE_MS, 20 + Math.sin(i)]);

  it("[A66] a constant metric does not fire because it moves by its own resolution", () => {
    const constant = Array.from({ length: 60 }, (_, i): [number, number] => [i * MINUTE_MS, 5]);
    for (const value of [5.000001, 4.9999, 6]) {
      expect(verdicts({ ...rule, level: "warning" }, [...constant, [60 * MINUTE_MS, value]]).at(-1)).toBe(
        "clear",
      );
    }
    expect(verdicts(rule, [...constant, [60 * MINUTE_MS, 12]]).at(-1)).toBe("breach");
  });

  it("[A57] an anomaly is a breach, and clear at a calm reading ten minutes after", () => {
    const after = [60, 61, 69, 70].map((minute): [number, number] => [
      minute * MINUTE_MS,
      minute === 60 ? 99 : 20,
    ]);
    expect(verdicts(rule, [...calm, ...after]).slice(59)).toEqual([
      "clear",
      "breach",
      "unknown",
      "unknown",
      "clear",
    ]);
  });

  it("[A10] ten minutes of only one clock are not enough", () => {
    const after: [number, number, number][] = [
      [60 * MINUTE_MS, 99, 60 * MINUTE_MS],
      [90 * MINUTE_MS, 20, 61 * MINUTE_MS],
      [91 * MINUTE_MS, 20, 70 * MINUTE_MS],
    ];
    expect(verdicts(rule, [...calm, ...after]).slice(60)).toEqual(["breach", "unknown", "clear"]);
  });

  it("[A4] between the warning and the critical score a critical rule stays as it is, a warning rule is breached", () => {
    const step: [number, number] = [60 * MINUTE_MS, 20 + 0.7 * 4];
    expect(verdicts(rule, [...calm, step]).at(-1)).toBe("unknown");
    expect(verdicts({ ...rule, level: "warning" }, [...calm, step]).at(-1)).toBe("breach");
  });
});
