import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type AlertEvent, alertEvent } from "../../schemas/alert.ts";
import { act } from "./act.ts";
import {
  ABOVE_10,
  FakeAlerts,
  type FakeReport,
  HOUR_MS,
  MINUTE_MS,
  type RuleInput,
  SECOND_MS,
  START_MS,
} from "./fake-alerts.ts";
import { evaluateNoData, nextNoDataAt } from "./no-data.ts";
import { moved } from "./set-rules.ts";
import { activeAlerts } from "./state.ts";

const EXPRESSION = { type: "expression", left: "temp", operator: "-", right: "flow", above: 6, clear: 3 };
const RATE = { type: "rate_of_change", metric: "temp", by: 3, overMs: 5 * MINUTE_MS };
const FLAT = { type: "flat_line", metric: "temp", tolerance: 1, afterMs: 4 * MINUTE_MS };
const RULES: (RuleInput & { id: string })[] = [
  { id: "at-once", condition: ABOVE_10 },
  { id: "here", condition: ABOVE_10, scope: { zone: "north" } },
  { id: "lasting", condition: ABOVE_10, forMs: 2 * MINUTE_MS, cooldownMs: 3 * MINUTE_MS },
  { id: "in-a-row", condition: { type: "threshold", metric: "flow", below: 4, clear: 6 }, count: 2 },
  { id: "both", condition: EXPRESSION },
  { id: "rate", condition: RATE, cooldownMs: MINUTE_MS },
  { id: "flat", condition: FLAT },
  { id: "odd", condition: { type: "anomaly", metric: "temp", detector: "zscore", level: "warning" } },
];
const SILENCE: RuleInput & { id: string } = {
  id: "silent",
  condition: { type: "no_data", metric: "flow", afterMs: 3 * MINUTE_MS },
};

const metrics = fc
  .record({
    temp: fc.oneof({ weight: 15, arbitrary: fc.constantFrom(7, 8, 9, 10, 11, 12) }, fc.constantFrom(-0, 900)),
    flow: fc.constantFrom(0, 3, 5, 7),
  })
  .chain((both) => fc.constantFrom<Record<string, number>>(both, { temp: both.temp }, { flow: both.flow }));

/** Reports as they come: some on time, some in a backlog, late, twice, or by a clock that is behind or ahead. */
const reports = fc
  .array(
    fc.record({
      stepMs: fc.constantFrom(0, SECOND_MS, 30 * SECOND_MS, MINUTE_MS, 6 * MINUTE_MS),
      lagMs: fc.constantFrom(0, 0, 0, 0, 500, 45 * SECOND_MS, HOUR_MS, -5 * MINUTE_MS),
      metrics,
    }),
    { minLength: 1, maxLength: 120, size: "max" },
  )
  .map((steps) => {
    let receivedAt = 0;
    return steps.map((step): FakeReport => {
      receivedAt += step.stepMs;
      return { at: receivedAt - step.lagMs, receivedAt, metrics: step.metrics };
    });
  });

const untold = ({ alerts }: FakeAlerts) => JSON.parse(JSON.stringify(alerts.outbox)) as AlertEvent[];

describe("evaluation", () => {
  it("[A20] a stream evaluated whole, or cut anywhere with restarts between, gives the same events and state", () => {
    fc.assert(
      fc.property(reports, fc.array(fc.nat(120), { maxLength: 20, size: "max" }), (stream, cuts) => {
        const whole = new FakeAlerts(...RULES, SILENCE);
        whole.reports(...stream);
        const cut = new FakeAlerts(...RULES, SILENCE);
        const ends = [...cuts.filter((end) => end < stream.length).toSorted((a, b) => a - b), stream.length];
        let from = 0;
        for (const end of ends) {
          cut.reports(...stream.slice(from, end));
          cut.restart();
          from = end;
        }
        whole.restart();
        expect(cut.alerts).toEqual(whole.alerts);
      }),
      { numRuns: 100 },
    );
  });

  it("[A20] reports evaluated again from the state before them give the same, and from the state after them nothing", () => {
    fc.assert(
      fc.property(reports, reports, (before, held) => {
        const device = new FakeAlerts(...RULES, SILENCE);
        device.reports(...before);
        const committed = JSON.stringify(device.alerts);
        const events = device.reports(...held);
        const again = new FakeAlerts();
        again.alerts = JSON.parse(committed);
        expect(again.reports(...held)).toEqual(events);
        expect(again.reports(...before, ...held)).toEqual([]);
      }),
      { numRuns: 100 },
    );
  });

  it("[A9] late, repeated and corrected readings anywhere in a stream change nothing", () => {
    const strays = fc.array(fc.record({ place: fc.nat(120), back: fc.nat(5), metrics }), {
      maxLength: 40,
      size: "max",
    });
    fc.assert(
      fc.property(reports, strays, (stream, extra) => {
        const plain = new FakeAlerts(...RULES);
        plain.reports(...stream);
        const mixed = new FakeAlerts(...RULES);
        const newest: Record<string, number> = {};
        for (const [i, report] of stream.entries()) {
          mixed.reports(report);
          const { at, receivedAt = at } = report;
          for (const metric of Object.keys(report.metrics))
            newest[metric] = Math.max(newest[metric] ?? Number.NEGATIVE_INFINITY, Math.min(at, receivedAt));
          for (const stray of extra.filter(({ place }) => place === i)) {
            const known = Object.entries(stray.metrics).filter(([metric]) => metric in newest);
            if (known.length === 0) continue;
            const latest = Math.min(...known.map(([metric]) => newest[metric]!));
            mixed.reports({
              at: latest - stray.back * MINUTE_MS,
              receivedAt,
              metrics: Object.fromEntries(known),
            });
          }
        }
        expect(mixed.alerts).toEqual(plain.alerts);
      }),
      { numRuns: 100 },
    );
  });
});

describe("a clock that jumps", () => {
  /** How far the device's clock is off, for so many readings each. */
  const jumps = fc.array(
    fc.record({
      readings: fc.integer({ min: 1, max: 60 }),
      offMs: fc.constantFrom(
        0,
        0,
        -30 * SECOND_MS,
        -7 * MINUTE_MS,
        -2 * HOUR_MS,
        3 * MINUTE_MS,
        9 * MINUTE_MS,
      ),
    }),
    { minLength: 1, maxLength: 8, size: "max" },
  );
  const offsets = (parts: { readings: number; offMs: number }[]) =>
    parts.flatMap(({ readings, offMs }) => Array<number>(readings).fill(offMs));
  const EVERY_MS = 30 * SECOND_MS;

  /** A reading every 30 s by our clock, its `at` as far off as said. */
  const stream = (offs: number[], values: (i: number) => Record<string, number>, from = 0) =>
    offs.map((offMs, i): FakeReport => {
      const receivedAt = (from + i) * EVERY_MS;
      return { at: receivedAt + offMs, receivedAt, metrics: values(i) };
    });

  it("[A10] fires nothing", () => {
    // Up by 0.4 in 30 s: less than 3 in any 3 min, and never still; a rate rule over 3 min must not see more.
    const steady = { ...RATE, overMs: 3 * MINUTE_MS };
    const still = { ...FLAT, tolerance: 0.3 };
    const high = { type: "threshold", metric: "level", above: 10, clear: 8 };
    fc.assert(
      fc.property(jumps, (parts) => {
        const device = new FakeAlerts(
          { id: "rate", condition: steady },
          { id: "flat", condition: still },
          { id: "high", condition: high },
          { id: "both", condition: { ...EXPRESSION, right: "twin", above: 0, clear: 0 } },
        );
        const values = (i: number) => ({ temp: i * 0.4, twin: i * 0.4, level: 9.9 });
        expect(device.reports(...stream(offsets(parts), values))).toEqual([]);
      }),
    );
  });

  it("[A10] makes no breach last longer than it did by our clock", () => {
    fc.assert(
      fc.property(jumps, (parts) => {
        const offs = offsets(parts);
        const lastedMs = (offs.length - 1) * EVERY_MS;
        const device = new FakeAlerts({ condition: ABOVE_10, forMs: lastedMs + 1 });
        expect(device.reports(...stream(offs, () => ({ temp: 11 })))).toEqual([]);
      }),
    );
  });

  it("[A10] clears nothing", () => {
    fc.assert(
      fc.property(jumps, (parts) => {
        const rate = { ...RATE, by: 50, overMs: 2 * HOUR_MS };
        const device = new FakeAlerts(
          { id: "high", condition: ABOVE_10 },
          { id: "rate", condition: rate },
          { id: "flat", condition: FLAT },
        );
        const calm = stream(Array(20).fill(0), () => ({ temp: 11 }));
        const jump = stream(Array(4).fill(0), () => ({ temp: 100 }), 20);
        const flat = stream(Array(20).fill(0), () => ({ temp: 100 }), 24);
        device.reports(...calm, ...jump, ...flat);
        const active = activeAlerts(device.alerts).map(({ id }) => id);
        expect(active).toHaveLength(3);
        // For an hour at most: by our clock the step is within the two hours of the rate rule all the while.
        device.reports(...stream(offsets(parts).slice(0, 120), () => ({ temp: 100 }), 44));
        expect(activeAlerts(device.alerts).map(({ id }) => id)).toEqual(active);
      }),
    );
  });
});

describe("an alert's life", () => {
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.record({ do: fc.constant("report" as const), metrics }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant("silence" as const), ms: fc.nat(9 * MINUTE_MS) }) },
    {
      weight: 2,
      arbitrary: fc.record({
        do: fc.constant("act" as const),
        pick: fc.nat(7),
        kind: fc.constantFrom("ack" as const, "resolve" as const, "comment" as const, "assign" as const),
        by: fc.constantFrom("ann", "bob"),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        do: fc.constant("rules" as const),
        without: fc.subarray(RULES.map(({ id }) => id)),
        above: fc.constantFrom(9, 10, 11),
      }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constantFrom("move" as const, "restart" as const) }) },
  );

  it("[A21] begins at revision 1, rises by one with each event, and ends once; what is active is what was told last", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120, size: "max" }), (steps) => {
        const device = new FakeAlerts(...RULES, SILENCE);
        let now = 0;
        let version = 1;
        let lastReceivedAt: number | null = null;
        for (const each of steps) {
          now += 20 * SECOND_MS;
          if (each.do === "report") {
            lastReceivedAt = START_MS + now;
            device.reports({ at: now, metrics: each.metrics });
          } else if (each.do === "silence") {
            now += each.ms;
            const due = nextNoDataAt(device.alerts, lastReceivedAt);
            const events = evaluateNoData(device.alerts, device.subject, lastReceivedAt, START_MS + now);
            expect(events.length > 0).toBe(due !== null && due <= START_MS + now);
          } else if (each.do === "act") {
            const active = activeAlerts(device.alerts);
            const alert = active[each.pick % active.length];
            if (alert === undefined) continue;
            const action =
              each.kind === "assign"
                ? { kind: each.kind, to: each.by }
                : each.kind === "comment"
                  ? { kind: each.kind, text: "hm" }
                  : { kind: each.kind };
            expect(act(device.alerts, alert.id, action, each.by, START_MS + now)).toHaveProperty("alert");
          } else if (each.do === "rules") {
            version += 1;
            const rules = RULES.filter(({ id }) => !each.without.includes(id)).map((rule) =>
              rule.id === "at-once" ? { ...rule, condition: { ...ABOVE_10, above: each.above } } : rule,
            );
            device.setRules(
              version,
              [...rules, SILENCE].map((rule) => ({ ...rule, version })),
              START_MS + now,
            );
          } else if (each.do === "move") {
            device.subject = { ...device.subject, zone: device.subject.zone === "north" ? "south" : "north" };
            moved(device.alerts, device.subject, START_MS + now);
          } else device.restart();
        }
        for (const event of untold(device)) expect(alertEvent.parse(event)).toEqual(event);
        const lives = Map.groupBy(untold(device), ({ alert }) => alert.id);
        const active = new Map(activeAlerts(device.alerts).map((alert) => [alert.id, alert]));
        for (const [id, events] of lives) {
          expect(events.map(({ alert }) => alert.revision)).toEqual(events.map((_, i) => i + 1));
          expect(events[0]!.kind).toBe("fired");
          const ended = events.findIndex(({ alert }) => alert.state === "resolved");
          expect(ended).toBe(active.has(id) ? -1 : events.length - 1);
          expect(events.map(({ kind }) => kind).indexOf("resolved")).toBe(ended);
          expect(active.get(id)?.revision ?? events.length).toBe(events.length);
          const acknowledged = events.findIndex(({ alert }) => alert.state === "acknowledged");
          const after = events.slice(Math.max(0, acknowledged)).map(({ alert }) => alert.state);
          const allowed = acknowledged < 0 ? after : ["acknowledged", "resolved"];
          expect(after.filter((state) => !allowed.includes(state))).toEqual([]);
        }
        expect([...active.keys()].every((id) => lives.has(id))).toBe(true);
      }),
      { numRuns: 100 },
    );
  });
});
