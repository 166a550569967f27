import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { VERDICTS } from "../../schemas/codes.ts";
import { METRIC_NAMES_BYTES_MAX, METRICS_PER_REPORT_MAX } from "../../schemas/limits.ts";
import { applyReports } from "./apply.ts";
import { FakeDevice, HOUR_MS, packed, START_MS } from "./fake-device.ts";
import { readHot } from "./hot.ts";
import { markTaken } from "./retain.ts";

const now = START_MS + HOUR_MS / 2;
const reading = (at: number, value: number, metric = "m") => ({ at, metrics: { [metric]: value } });
const valuesOf = ({ state, ring }: FakeDevice, metric = "m") => {
  const { at, value } = readHot(state, ring, metric, 0, Number.MAX_SAFE_INTEGER, now);
  return [...at].map((instant, i) => [instant, value[i]]);
};
const [STORED, DUPLICATE, CORRECTED, LATE, REFUSED] = [0, 1, 2, 3, 5];
const counts = (expected: Record<number, number>) =>
  [0, 1, 2, 3, 4, 5].map((verdict) => expected[verdict] ?? 0);

describe("a reading is its (metric, at)", () => {
  it("[D2] the same value again is a duplicate, in the same request and in a later one", () => {
    const device = new FakeDevice();
    const twice = [reading(now, 1.5), reading(now, 1.5)];
    expect(device.commit(now, twice).counts).toEqual(counts({ [STORED]: 1, [DUPLICATE]: 1 }));
    device.evict();
    expect(device.commit(now + 1, twice).counts).toEqual(counts({ [DUPLICATE]: 2 }));
    expect(valuesOf(device)).toEqual([[now, 1.5]]);
  });

  it("[D2] another value is a correction and the later one wins", () => {
    const device = new FakeDevice();
    device.commit(now, [reading(now, 1)]);
    const { counts: verdicts } = device.commit(now, [reading(now, 2), reading(now, 3), reading(now, 3)]);
    expect(verdicts).toEqual(counts({ [CORRECTED]: 2, [DUPLICATE]: 1 }));
    expect(valuesOf(device)).toEqual([[now, 3]]);
  });

  it("[D2] −0 and 0 are different values, and another metric at the same instant another reading", () => {
    const device = new FakeDevice();
    device.commit(now, [reading(now, 0)]);
    const sent = [reading(now, -0), reading(now, -0), reading(now, 0, "other")];
    expect(device.commit(now, sent).counts).toEqual(counts({ [CORRECTED]: 1, [DUPLICATE]: 1, [STORED]: 1 }));
    expect(valuesOf(device)).toEqual([[now, -0]]);
  });

  it("[D2] readings out of order stand in order", () => {
    const device = new FakeDevice();
    device.commit(
      now,
      [3, 1, 2, 0].map((minute) => reading(START_MS + minute * 60_000, minute)),
    );
    expect(valuesOf(device).map(([, value]) => value)).toEqual([0, 1, 2, 3]);
  });

  it("[D2] the state counts the readings by verdict since the first report", () => {
    const device = new FakeDevice();
    for (const value of [1, 1, 2]) device.commit(now, [reading(now, value)]);
    device.evict();
    expect(device.state.counts).toEqual(counts({ [STORED]: 1, [DUPLICATE]: 1, [CORRECTED]: 1 }));
  });
});

describe("too old", () => {
  const horizonMs = 6 * HOUR_MS;

  it("[D3] a reading at the horizon is taken and one a millisecond older refused, with the horizon in the message", () => {
    const device = new FakeDevice({ latenessHorizonMs: horizonMs });
    const { counts: verdicts, problems } = device.commit(now, [
      reading(now - horizonMs, 1),
      { at: now - horizonMs - 1, metrics: { a: 1, b: 2 } },
    ]);
    expect(verdicts).toEqual(counts({ [STORED]: 1, [REFUSED]: 2 }));
    expect(problems).toEqual([expect.objectContaining({ index: 1, code: "too_old" })]);
    expect(problems[0]!.message).toContain(new Date(now - horizonMs).toISOString());
    expect(problems[0]!.message).toContain("0.25 days");
  });

  it("[D3] a reading older than what the ring still holds is refused, within the horizon or not", () => {
    const device = new FakeDevice();
    device.state.evictedThroughMs = START_MS;
    const { counts: verdicts, problems } = device.commit(now, [
      reading(START_MS - 1, 1),
      reading(START_MS, 1),
    ]);
    expect(verdicts).toEqual(counts({ [STORED]: 1, [REFUSED]: 1 }));
    expect(problems[0]).toMatchObject({ index: 0, code: "too_old" });
  });

  it("[D3] a refused reading leaves no trace: neither block, nor watermark, nor latest", () => {
    const device = new FakeDevice({ latenessHorizonMs: horizonMs });
    device.commit(now, [reading(now - horizonMs - 1, 1)]);
    expect(device.state).toMatchObject({ open: [], newestAt: 0, latest: new Map() });
  });
});

describe("late", () => {
  it.each([
    [START_MS + HOUR_MS + 59_999, STORED],
    [START_MS + HOUR_MS + 60_000, LATE],
  ])("[W4] after a reading at %d one of the hour before has verdict %d", (newest, verdict) => {
    const device = new FakeDevice();
    device.commit(newest, [reading(newest, 1)]);
    expect(device.commit(newest, [reading(START_MS + HOUR_MS - 1, 1)]).counts).toEqual(
      counts({ [verdict]: 1 }),
    );
    expect(valuesOf(device)).toHaveLength(2);
  });

  it("[W4] the watermark follows the device's clock, not ours, and never goes back", () => {
    const device = new FakeDevice();
    const muchLater = now + 40 * HOUR_MS;
    expect(device.commit(muchLater, [reading(now, 1)]).counts).toEqual(counts({ [STORED]: 1 }));
    const inOrder = [
      reading(now + 2 * HOUR_MS, 1),
      reading(now, 2, "other"),
      reading(now + 2 * HOUR_MS, 3, "other"),
    ];
    expect(device.commit(muchLater, inOrder).counts).toEqual(counts({ [STORED]: 2, [LATE]: 1 }));
  });
});

describe("too many metrics", () => {
  const metricsFrom = (first: number, count: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, i) => [`m${first + i}`, 1]));

  it("[D16] the 1,001st metric of an hour is refused and costs the others nothing", () => {
    const device = new FakeDevice();
    device.commit(now, [{ at: now, metrics: metricsFrom(0, METRICS_PER_REPORT_MAX - 1) }]);
    device.evict();
    const { counts: verdicts, problems } = device.commit(now, [{ at: now, metrics: metricsFrom(998, 4) }]);
    expect(verdicts).toEqual(counts({ [DUPLICATE]: 1, [STORED]: 1, [REFUSED]: 2 }));
    expect(problems.map(({ metric, code }) => [metric, code])).toEqual([
      ["m1000", "too_many_metrics"],
      ["m1001", "too_many_metrics"],
    ]);
    expect(valuesOf(device, "m999")).toHaveLength(1);
    expect(valuesOf(device, "m1000")).toHaveLength(0);
  });

  it("[D16] another hour has room of its own", () => {
    const device = new FakeDevice();
    device.commit(now, [{ at: now, metrics: metricsFrom(0, METRICS_PER_REPORT_MAX) }]);
    const { counts: verdicts } = device.commit(now, [
      { at: now + HOUR_MS, metrics: metricsFrom(1_000, 1_000) },
    ]);
    expect(verdicts).toEqual(counts({ [STORED]: 1_000 }));
  });

  it("[D16] the names of an hour take at most 32 Ki characters, after an eviction too", () => {
    const device = new FakeDevice();
    const names = Array.from({ length: METRIC_NAMES_BYTES_MAX / 128 }, (_, i) => `${i}`.padStart(128, "温"));
    device.commit(now, [{ at: now, metrics: Object.fromEntries(names.map((name) => [name, 1])) }]);
    device.evict();
    const { counts: verdicts } = device.commit(now, [
      { at: now, metrics: { x: 1, [names[0]!]: 2, [names[1]!]: 1 } },
    ]);
    expect(verdicts).toEqual(counts({ [REFUSED]: 1, [CORRECTED]: 1, [DUPLICATE]: 1 }));
  });
});

describe("a sealed block", () => {
  it("[D11] opens again for a new reading and its next sealing overwrites the slot at revision + 1", () => {
    const device = new FakeDevice();
    const [first] = device.commit(now, [reading(now, 1)], true).sealed;
    expect(first).toMatchObject({ slot: 0, startMs: START_MS, endMs: START_MS + HOUR_MS, revision: 1 });
    device.evict();
    const { counts: verdicts, sealed } = device.commit(now + 1, [reading(now + 1, 2), reading(now, 1)], true);
    expect(verdicts).toEqual(counts({ [STORED]: 1, [DUPLICATE]: 1 }));
    expect(sealed.map(({ slot, startMs, revision }) => [slot, startMs, revision])).toEqual([
      [0, START_MS, 2],
    ]);
    expect(device.ring.rows.size).toBe(1);
    expect(valuesOf(device)).toEqual([
      [now, 1],
      [now + 1, 2],
    ]);
  });

  it("[D11] a correction makes a revision", () => {
    const device = new FakeDevice();
    device.commit(now, [reading(now, 1)], true);
    expect(device.commit(now, [reading(now, 2)], true).sealed).toMatchObject([{ slot: 0, revision: 2 }]);
  });

  it("[D11] duplicates alone make no revision and leave nothing open", () => {
    const device = new FakeDevice();
    device.commit(now, [reading(now, 1)], true);
    const { counts: verdicts, sealed } = device.commit(now, [reading(now, 1)], true);
    expect([verdicts, sealed, device.state.open]).toEqual([counts({ [DUPLICATE]: 1 }), [], []]);
    expect(device.state.outbox).toMatchObject([{ revision: 1 }]);
  });
});

it("[I8] the counts of a call add up to the readings of its reports", () => {
  const device = new FakeDevice({ latenessHorizonMs: HOUR_MS });
  const reports = [reading(now, 1), { at: 0, metrics: { a: 1, b: 2, c: 3 } }, reading(now, 1)];
  expect(packed(now, reports).rows).toHaveLength(3 * 4 + 5);
  expect(device.commit(now, reports).counts.reduce((sum, n) => sum + n)).toBe(5);
});

describe("each verdict", () => {
  it("[F16] is listed in the order of the readings where that is wanted, and adds up to the counts", () => {
    const sent = fc.array(
      fc.record({
        at: fc.constantFrom(now, now + 1, now - 2 * HOUR_MS, now - 90 * 24 * HOUR_MS, now + HOUR_MS),
        metrics: fc.dictionary(fc.constantFrom("a", "b", "c"), fc.constantFrom(0, 1), { minKeys: 1 }),
      }),
      { minLength: 1, maxLength: 12 },
    );
    fc.assert(
      fc.property(fc.array(sent, { minLength: 1, maxLength: 4 }), (requests) => {
        const [told, untold] = [new FakeDevice(), new FakeDevice()];
        for (const reports of requests) {
          const reportsOf = packed(now, reports);
          const wanted = { ...reportsOf, wantsEach: true };
          const state = told.state;
          const { counts, each } = applyReports(state, wanted, markTaken(state, wanted), told.ring);
          const tally = VERDICTS.map((verdict) => each!.filter((one) => one === verdict).length);
          tally[REFUSED] = each!.filter((one) => one === "too_old").length;
          expect(tally).toEqual(counts);
          const metrics = reports.flatMap((one) => Object.keys(one.metrics));
          expect(each).toHaveLength(metrics.length);
          expect(untold.commit(now, reports)).toMatchObject({ counts });
        }
        expect(untold.commit(now, requests[0]!)).not.toHaveProperty("each");
      }),
    );
  });

  it("[F16] says which readings found no room in their block", () => {
    const device = new FakeDevice();
    const metrics = Object.fromEntries(
      Array.from({ length: METRICS_PER_REPORT_MAX }, (_, i) => [`m${i}`, i]),
    );
    device.commit(now, [{ at: now, metrics }]);
    const reports = { ...packed(now, [{ at: now, metrics: { m1: 1, other: 1, m2: 3 } }]), wantsEach: true };
    const verdicts = applyReports(device.state, reports, markTaken(device.state, reports), device.ring);
    expect(verdicts.each).toEqual(["duplicate", "too_many_metrics", "corrected"]);
  });
});
