import { describe, expect, it } from "vitest";
import { act } from "./act.ts";
import { OUTBOX_MAX } from "./episode.ts";
import { evaluateReports } from "./evaluate.ts";
import {
  ABOVE_10,
  bodyOf,
  FakeAlerts,
  HOUR_MS,
  MINUTE_MS,
  packReports,
  SECOND_MS,
  START_MS,
  SUBJECT,
} from "./fake-alerts.ts";
import { preview } from "./preview.ts";
import { newAlerts } from "./state.ts";

describe("an alert of readings", () => {
  it("[A21] [D22] a zone that is away for hours bounds what is kept for it, and what still breaches fires when it is back", () => {
    const ids = Array.from({ length: 50 }, (_, i) => `r${i}`);
    const device = new FakeAlerts(...ids.map((id) => ({ id, condition: ABOVE_10 })));
    for (let ms = 0; ms < 6 * HOUR_MS; ms += MINUTE_MS) device.temp(ms, ms % (2 * MINUTE_MS) === 0 ? 11 : 1);
    expect(device.alerts.outbox.length).toBeGreaterThanOrEqual(OUTBOX_MAX);
    // Beyond it only what was firing already ends.
    expect(device.alerts.outbox.length).toBeLessThanOrEqual(OUTBOX_MAX + ids.length);
    device.temp(6 * HOUR_MS, 11);
    device.alerts.outbox = [];
    device.temp(6 * HOUR_MS + SECOND_MS, 11);
    expect(Object.values(device.alerts.memory).map(({ phase }) => phase.state)).toEqual(
      ids.map(() => "firing"),
    );
  });

  it("[A12] [A37] fires at once when nothing has to last, with the reading, both its times, and the rule", () => {
    const device = new FakeAlerts({ id: "hot", severity: "critical", condition: ABOVE_10 });
    const [event, ...others] = device.reports({ at: 1_000, receivedAt: 5_000, metrics: { x: 1, temp: 11 } });
    expect(others).toEqual([]);
    expect(event).toEqual({
      kind: "fired",
      at: START_MS + 5_000,
      by: null,
      text: null,
      alert: {
        id: "hot.2.1.pump.7",
        revision: 1,
        state: "firing",
        device: "pump.7",
        zone: "north",
        model: "p1",
        gateway: null,
        rule: {
          id: "hot",
          version: 1,
          name: "a rule",
          condition: ABOVE_10,
          severity: "critical",
          groupWithinMs: 60_000,
          channels: null,
          escalation: [],
        },
        metric: "temp",
        firedAt: START_MS + 5_000,
        reading: { at: START_MS + 1_000, receivedAt: START_MS + 5_000, value: 11 },
        flapping: false,
        acknowledgedAt: null,
        acknowledgedBy: null,
        assignee: null,
        resolvedAt: null,
        resolution: null,
        clearedBy: null,
      },
    });
    expect(device.alerts.outbox).toEqual([event]);
  });

  it("[A14] is resolved by a reading at the clear level, with that reading; not before, and not by silence", () => {
    const device = new FakeAlerts({ condition: ABOVE_10 });
    device.temp(0, 11);
    expect(device.temp(1_000, 8.1)).toEqual([]);
    const [event] = device.reports({ at: HOUR_MS, receivedAt: HOUR_MS + 50, metrics: { temp: 8 } });
    expect(event).toMatchObject({ kind: "resolved", at: START_MS + HOUR_MS + 50, by: null });
    expect(event!.alert).toMatchObject({
      revision: 2,
      state: "resolved",
      resolution: "cleared",
      resolvedAt: START_MS + HOUR_MS + 50,
      reading: { value: 11 },
      clearedBy: { at: START_MS + HOUR_MS, receivedAt: START_MS + HOUR_MS + 50, value: 8 },
    });
    expect(device.alert).toBeUndefined();
    device.temp(2 * HOUR_MS, 11);
    expect(device.alert!.id).toBe("r.2.2.pump.7");
  });

  it("[A5] [A11] a breach that has to last waits through restarts, and is forgotten at a reading that clears", () => {
    const device = new FakeAlerts({ condition: ABOVE_10, forMs: 5 * MINUTE_MS });
    const said: string[] = [];
    for (const [minute, value] of [
      [0, 11],
      [4, 11],
      [4.5, 8],
      [5, 11],
      [9, 9],
      [9.99, 12],
      [10, 12],
    ] as const) {
      device.restart();
      said.push(...device.temp(minute * MINUTE_MS, value).map((kind) => `${kind} at ${minute}`));
    }
    expect(said).toEqual(["fired at 10"]);
  });

  it("[A11] silence neither fires a pending breach nor forgets it", () => {
    const device = new FakeAlerts({ condition: ABOVE_10, forMs: 5 * MINUTE_MS });
    device.temp(0, 11);
    device.reports({ at: HOUR_MS, metrics: { other: 1 } });
    expect(device.alert).toBeUndefined();
    expect(device.temp(HOUR_MS, 11)).toEqual(["fired"]);
  });

  it("[A5] n readings in a row", () => {
    const device = new FakeAlerts({ condition: ABOVE_10, count: 3 });
    const values = [11, 11, 7, 11, 9, 11, 11, 11];
    expect(values.map((value, i) => device.temp(i, value).length)).toEqual([0, 0, 0, 0, 0, 0, 1, 0]);
  });

  describe("what comes together", () => {
    const LASTING = { condition: ABOVE_10, forMs: 5 * MINUTE_MS };
    const m = (minutes: number) => minutes * MINUTE_MS;
    /** Readings at these minutes, received together at `receivedMinute`. */
    const batch = (device: FakeAlerts, receivedMinute: number, minutes: number[], value = 11) =>
      device
        .reports(
          ...minutes.map((minute) => ({
            ...{ at: m(minute), receivedAt: m(receivedMinute) },
            metrics: { temp: value },
          })),
        )
        .map(({ kind }) => kind);
    const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);

    it("[A5] [A65] a backlog of a device that was silent for it fires when it covers the time, and what clears ends it", () => {
      const device = new FakeAlerts(LASTING);
      device.temp(0, 7);
      expect(batch(device, 60, range(1, 60))).toEqual(["fired"]);
      expect(device.alert).toMatchObject({
        firedAt: START_MS + m(60),
        reading: { at: START_MS + m(6), receivedAt: START_MS + m(60), value: 11 },
      });
      expect(device.temp(m(61), 7)).toEqual(["resolved"]);
      const short = new FakeAlerts(LASTING);
      short.temp(0, 7);
      expect(batch(short, 60, range(1, 6))).toEqual([]);
    });

    it("[A65] in pieces, as far as they are of one receipt", () => {
      const device = new FakeAlerts(LASTING);
      device.temp(0, 7);
      expect(batch(device, 60, [50, 51, 52])).toEqual([]);
      device.restart();
      expect(batch(device, 60, [53, 54, 55])).toEqual(["fired"]);
      const requests = new FakeAlerts(LASTING);
      requests.temp(0, 7);
      expect(batch(requests, 60, [50, 51, 52])).toEqual([]);
      expect(batch(requests, 60.01, [53, 54, 55])).toEqual([]);
    });

    it("[A5] [A10] [A65] the first that is heard of a device has not lasted; what goes on after it does", () => {
      const device = new FakeAlerts(LASTING);
      expect(batch(device, 60, range(0, 60))).toEqual([]);
      expect(device.temp(m(64), 11)).toEqual([]);
      expect(device.temp(m(65), 11)).toEqual(["fired"]);
    });

    it("[A65] [A10] a clock that jumps in what comes together is believed no further than the silence before it", () => {
      const device = new FakeAlerts(LASTING);
      device.temp(0, 7);
      device.temp(m(1), 11);
      // Silent for a minute, and within it the clock is set an hour back and forth.
      expect(batch(device, 2, [-60, -30, 1.5, 2])).toEqual([]);
      expect(device.temp(m(5), 11)).toEqual([]);
      expect(device.temp(m(6), 11)).toEqual(["fired"]);
      const behind = new FakeAlerts(LASTING);
      behind.temp(-m(60), 7, 0);
      expect(behind.temp(m(-59.5), 11, m(0.5))).toEqual([]);
      expect(batch(behind, 1, [-59, -30, 1])).toEqual([]);
    });

    it("[A65] a device that was heard meanwhile cannot have been silent: readings in small batches count as ever", () => {
      const device = new FakeAlerts(LASTING);
      for (let minute = 0; minute < 5; minute++)
        expect(batch(device, minute, [minute - 0.4, minute - 0.2, minute])).toEqual([]);
      expect(batch(device, 5, [4.6, 4.8])).toEqual(["fired"]);
    });

    it("[A56] [A65] of a flat line too", () => {
      const device = new FakeAlerts({ condition: { type: "flat_line", metric: "temp", afterMs: m(5) } });
      device.temp(0, 7);
      expect(batch(device, 60, range(50, 60))).toEqual(["fired"]);
    });

    it("[A46] [A65] a preview says of such a backlog what happened when it came", () => {
      const device = new FakeAlerts(LASTING);
      const minutes = range(0, 30);
      const temps = minutes.map((minute) => (minute < 10 || minute > 20 ? 7 : 11));
      device.temp(-m(1), 7);
      const kinds = device
        .reports(
          ...minutes.map((minute, i) => ({
            ...{ at: m(minute), receivedAt: m(30) },
            metrics: { temp: temps[i]! },
          })),
        )
        .map(({ kind, alert }) => [kind, (alert.clearedBy ?? alert.reading)!.at]);
      const history = minutes.map((minute, i) => ({
        at: START_MS + m(minute),
        metrics: { temp: temps[i]! },
      }));
      const [episode, ...others] = preview(bodyOf(LASTING), SUBJECT, history, START_MS + m(30));
      expect(others).toEqual([]);
      expect(kinds).toEqual([
        ["fired", episode!.reading!.at],
        ["resolved", episode!.clearedBy!.at],
      ]);
    });
  });

  it("[A5] a device that sends its readings every ten minutes is not measured slower than one that sends them singly", () => {
    const device = new FakeAlerts({ condition: ABOVE_10, forMs: 30 * MINUTE_MS });
    const fired: number[] = [];
    for (let minute = 0; minute < 60; minute++) {
      const receivedAt = (Math.floor(minute / 10) + 1) * 10 * MINUTE_MS;
      if (device.temp(minute * MINUTE_MS, 11, receivedAt).length > 0) fired.push(minute);
    }
    expect(fired).toEqual([30]);
  });

  it("[A9] a late, repeated or corrected reading neither fires nor clears", () => {
    const device = new FakeAlerts({ condition: ABOVE_10 });
    expect(device.temp(10_000, 5)).toEqual([]);
    expect(device.temp(9_000, 99, 11_000)).toEqual([]);
    expect(device.temp(10_000, 99, 12_000)).toEqual([]);
    expect(device.temp(20_000, 99)).toEqual(["fired"]);
    expect(device.temp(20_000, 99, 21_000)).toEqual([]);
    expect(device.temp(20_000, 1, 22_000)).toEqual([]);
    expect(device.temp(19_999, 1, 23_000)).toEqual([]);
    expect(device.alert).toMatchObject({ revision: 1, reading: { value: 99 } });
    expect(device.temp(20_001, 1, 24_000)).toEqual(["resolved"]);
  });

  it("[A9] a reading that the device refuses as too old decides nothing, although the rule saw none before", () => {
    const device = new FakeAlerts({ condition: ABOVE_10 });
    const late = packReports([{ at: START_MS, receivedAt: START_MS + HOUR_MS, metrics: { temp: 99 } }]);
    expect(evaluateReports(device.alerts, SUBJECT, late, [false])).toEqual([]);
    expect(evaluateReports(device.alerts, SUBJECT, late, [true])).toHaveLength(1);
  });

  it("[A9] each metric of an expression has its own newest reading", () => {
    const condition = { type: "expression", left: "a", operator: "-", right: "b", above: 5 };
    const device = new FakeAlerts({ condition });
    const kinds = (at: number, metrics: Record<string, number>) =>
      device.reports({ at, receivedAt: HOUR_MS, metrics }).map(({ kind }) => kind);
    expect(kinds(10_000, { a: 10 })).toEqual([]);
    expect(kinds(5_000, { b: 1 })).toEqual(["fired"]);
    expect(device.alert).toMatchObject({ metric: "a", reading: { at: START_MS + 5_000, value: 9 } });
    expect(kinds(9_000, { a: 1 })).toEqual([]);
    expect(kinds(5_000, { b: 9 })).toEqual([]);
    expect(kinds(5_001, { b: 9 })).toEqual(["resolved"]);
  });

  it("[A7] both metrics of one report are taken together: a jump of both is none of their difference", () => {
    const condition = { type: "expression", left: "a", operator: "-", right: "b", above: 5 };
    const device = new FakeAlerts({ condition });
    device.reports({ at: 0, metrics: { a: 1, b: 1 } });
    expect(device.reports({ at: 1, metrics: { a: 100, b: 100 } })).toEqual([]);
    expect(device.reports({ at: 2, metrics: { b: 1, a: 1 } })).toEqual([]);
  });

  it("[A10] a reading that is ahead counts as read when it was received, so that later ones decide too", () => {
    const device = new FakeAlerts({ condition: ABOVE_10 });
    expect(device.temp(9 * MINUTE_MS, 11, 0)).toEqual(["fired"]);
    expect(device.temp(SECOND_MS, 7)).toEqual(["resolved"]);
  });

  it("[A18] within the cooldown of an end nothing fires; a breach that outlasts it does, at its next reading", () => {
    const device = new FakeAlerts({ condition: ABOVE_10, cooldownMs: 10 * MINUTE_MS });
    device.temp(0, 11);
    device.temp(MINUTE_MS, 7);
    expect(device.temp(2 * MINUTE_MS, 11)).toEqual([]);
    device.restart();
    expect(device.temp(11 * MINUTE_MS - 1, 11)).toEqual([]);
    expect(device.temp(11 * MINUTE_MS, 11)).toEqual(["fired"]);
    device.temp(12 * MINUTE_MS, 7);
    expect(device.temp(13 * MINUTE_MS, 11)).toEqual([]);
    expect(device.temp(21 * MINUTE_MS, 7)).toEqual([]);
    expect(device.temp(40 * MINUTE_MS, 11)).toEqual(["fired"]);
  });

  it("[A19] at the fifth firing in an hour it flaps, stays until clear for ten minutes, and begins anew", () => {
    const device = new FakeAlerts({ condition: ABOVE_10 });
    const at = (minute: number, value: number) => {
      device.restart();
      return device.temp(minute * MINUTE_MS, value);
    };
    for (let i = 0; i < 4; i++) {
      expect(at(2 * i, 11)).toEqual(["fired"]);
      expect(device.alert!.flapping).toBe(false);
      expect(at(2 * i + 1, 7)).toEqual(["resolved"]);
    }
    expect(at(59.9, 11)).toEqual(["fired"]);
    expect(device.alert!.flapping).toBe(true);
    device.restart();
    expect([at(61, 7), at(70.9, 7), at(70.95, 11), at(71, 7), at(80.9, 9)]).toEqual([[], [], [], [], []]);
    expect(at(81, 7)).toEqual(["resolved"]);
  });

  it("[A19] what flapped and has been calm may fire again without flapping", () => {
    const device = new FakeAlerts({ condition: ABOVE_10 });
    for (let i = 0; i < 10; i++) device.temp(i * MINUTE_MS, i % 2 === 0 ? 11 : 7);
    expect(device.alert!.flapping).toBe(true);
    expect(device.temp(19 * MINUTE_MS, 7)).toEqual(["resolved"]);
    expect(device.temp(20 * MINUTE_MS, 11)).toEqual(["fired"]);
    expect(device.alert!.flapping).toBe(false);
  });

  it("[A19] at an hour to the millisecond the first of five firings counts no more", () => {
    for (const [fifth, flaps] of [
      [HOUR_MS - 1, true],
      [HOUR_MS, false],
    ] as const) {
      const device = new FakeAlerts({ condition: ABOVE_10 });
      for (let i = 0; i < 8; i++) device.temp(i * MINUTE_MS, i % 2 === 0 ? 11 : 7);
      device.temp(fifth, 11);
      expect(device.alert!.flapping).toBe(flaps);
    }
  });

  it("[A19] five firings in more than an hour are no flapping", () => {
    const device = new FakeAlerts({ condition: ABOVE_10 });
    for (let i = 0; i < 9; i++) {
      device.temp(15 * i * MINUTE_MS, 11);
      expect(device.alert!.flapping).toBe(false);
      device.temp((15 * i + 1) * MINUTE_MS, 7);
    }
  });

  it("[A15] resolved by hand, it is silent until the condition was clear once, also over a restart", () => {
    const device = new FakeAlerts({ condition: ABOVE_10 });
    device.temp(0, 11);
    act(device.alerts, device.alert!.id, { kind: "resolve" }, "ann", START_MS + 500);
    device.restart();
    expect([device.temp(1_000, 12), device.temp(2_000, 9), device.temp(3_000, 12)]).toEqual([[], [], []]);
    expect(device.temp(4_000, 8)).toEqual([]);
    expect(device.temp(5_000, 12)).toEqual(["fired"]);
  });

  it("[A12] rules of one device do not disturb each other, and a rule may be called constructor", () => {
    const device = new FakeAlerts(
      { id: "constructor", condition: ABOVE_10 },
      { id: "cold", condition: { type: "threshold", metric: "temp", below: 0 } },
    );
    device.restart();
    expect(device.temp(0, 11)).toEqual(["fired"]);
    expect(device.temp(1, -1)).toEqual(["fired", "resolved"]);
    expect(device.alerts.outbox.map(({ alert }) => alert.id)).toEqual([
      "constructor.2.1.pump.7",
      "cold.2.2.pump.7",
      "constructor.2.1.pump.7",
    ]);
  });

  it("[A12] a device without rules does nothing", () => {
    const alerts = newAlerts();
    const reports = packReports([{ at: START_MS, metrics: { temp: 99 } }]);
    expect(evaluateReports(alerts, SUBJECT, reports, [true])).toEqual([]);
    expect(alerts).toEqual(newAlerts());
  });
});
