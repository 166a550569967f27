import { describe, expect, it } from "vitest";
import { act } from "./act.ts";
import { FakeAlerts, MINUTE_MS, START_MS } from "./fake-alerts.ts";
import { evaluateNoData, giveTimeAgain, nextNoDataAt } from "./no-data.ts";

const SILENT = { type: "no_data", afterMs: 10 * MINUTE_MS };

/** A device whose object looks when it must. */
class Device extends FakeAlerts {
  lastReceivedAt: number | null = null;

  /** A report received at a minute, read then unless said. */
  hear(minute: number, metrics: Record<string, number> = { temp: 1 }, atMinute = minute): string[] {
    this.restart();
    this.lastReceivedAt = START_MS + minute * MINUTE_MS;
    const report = { at: atMinute * MINUTE_MS, receivedAt: minute * MINUTE_MS, metrics };
    return this.reports(report).map(({ kind }) => kind);
  }

  /** The minute at which it must look next. */
  get due(): number | null {
    const at = nextNoDataAt(this.alerts, this.lastReceivedAt);
    return at === null ? null : (at - START_MS) / MINUTE_MS;
  }

  look(minute: number): string[] {
    this.restart();
    const nowMs = START_MS + minute * MINUTE_MS;
    return evaluateNoData(this.alerts, this.subject, this.lastReceivedAt, nowMs).map(({ kind }) => kind);
  }
}

describe("no data", () => {
  it("[A8] is an alert of its own state when nothing was received for so long, by our clock", () => {
    const device = new Device({ condition: SILENT });
    device.hear(0, { temp: 4 }, -3);
    expect(device.due).toBe(10);
    expect(device.look(10 - 1 / MINUTE_MS)).toEqual([]);
    expect(device.look(10)).toEqual(["fired"]);
    expect(device.alert).toMatchObject({
      state: "no_data",
      metric: null,
      firedAt: START_MS + 10 * MINUTE_MS,
      reading: { at: START_MS - 3 * MINUTE_MS, receivedAt: START_MS, value: 4 },
    });
    expect([device.due, device.look(30)]).toEqual([null, []]);
  });

  it("[A8] a reading received resolves it, with that reading, also a late or repeated one", () => {
    for (const atMinute of [12, 0, -60]) {
      const device = new Device({ condition: SILENT });
      device.hear(0);
      device.look(10);
      expect(device.hear(12, { temp: 5 }, atMinute)).toEqual(["resolved"]);
      expect(device.alerts.outbox.at(-1)!.alert).toMatchObject({
        resolution: "cleared",
        resolvedAt: START_MS + 12 * MINUTE_MS,
        clearedBy: { at: START_MS + atMinute * MINUTE_MS, value: 5 },
      });
      expect(device.due).toBe(22);
    }
  });

  it("[A8] a report received before it fired, evaluated again, resolves nothing", () => {
    const device = new Device({ condition: SILENT });
    device.hear(0);
    device.look(10);
    expect(device.hear(0)).toEqual([]);
    expect(device.hear(10)).toEqual(["resolved"]);
  });

  it("[A8] a device never heard of is not missed", () => {
    const device = new Device({ condition: SILENT });
    expect([device.due, device.look(10_000)]).toEqual([null, []]);
  });

  it("[A8] a rule that comes to a device silent for long is due at once, and knows no reading", () => {
    const device = new Device();
    device.hear(0);
    device.setRules(2, [{ condition: SILENT }]);
    expect(device.due).toBe(10);
    expect(device.look(60)).toEqual(["fired"]);
    expect(device.alert!.reading).toBeNull();
  });

  it("[A8] of a metric: what else is received does not count", () => {
    const device = new Device({ condition: { ...SILENT, metric: "flow" } });
    device.hear(0);
    expect(device.due).toBeNull();
    device.hear(1, { flow: 3 });
    device.hear(5);
    expect(device.due).toBe(11);
    expect(device.look(11)).toEqual(["fired"]);
    expect(device.alert).toMatchObject({ metric: "flow", reading: { value: 3 } });
    expect(device.hear(12)).toEqual([]);
    expect(device.hear(13, { temp: 1, flow: 4 })).toEqual(["resolved"]);
  });

  it("[A8] the earliest of several rules is when to look", () => {
    const device = new Device(
      { id: "long", condition: { ...SILENT, afterMs: 30 * MINUTE_MS } },
      { id: "short", condition: SILENT },
    );
    device.hear(0);
    expect(device.due).toBe(10);
    device.look(10);
    expect(device.due).toBe(30);
  });

  it("[A13] [A8] acknowledged, it is still resolved by what is received", () => {
    const device = new Device({ condition: SILENT });
    device.hear(0);
    device.look(10);
    act(device.alerts, device.alert!.id, { kind: "ack" }, "ann", START_MS + 11 * MINUTE_MS);
    expect(device.alert!.state).toBe("acknowledged");
    expect(device.due).toBeNull();
    expect(device.hear(12)).toEqual(["resolved"]);
  });

  it("[A15] resolved by hand, it is silent until something was received", () => {
    const device = new Device({ condition: SILENT });
    device.hear(0);
    device.look(10);
    act(device.alerts, device.alert!.id, { kind: "resolve" }, "ann", START_MS + 11 * MINUTE_MS);
    expect([device.due, device.look(60)]).toEqual([null, []]);
    device.hear(10.5);
    expect(device.due).toBeNull();
    device.hear(61);
    expect(device.due).toBe(71);
  });

  it("[A18] within the cooldown of its end it is not due again", () => {
    const device = new Device({ condition: SILENT, cooldownMs: 60 * MINUTE_MS });
    device.hear(0);
    device.look(10);
    device.hear(12);
    expect(device.due).toBe(72);
    expect(device.look(72 - 1 / MINUTE_MS)).toEqual([]);
    expect(device.look(72)).toEqual(["fired"]);
  });

  it("[A19] a device silent again and again flaps, until it was heard for ten minutes without a gap", () => {
    const device = new Device({ condition: { ...SILENT, afterMs: MINUTE_MS } });
    for (let i = 0; i < 5; i++) {
      device.hear(2 * i);
      expect(device.look(2 * i + 1)).toEqual(["fired"]);
    }
    expect(device.alert!.flapping).toBe(true);
    // Every second minute is not enough.
    for (let minute = 10; minute < 40; minute += 2) expect(device.hear(minute)).toEqual([]);
    for (let minute = 39; minute < 49; minute += 0.5) expect(device.hear(minute)).toEqual([]);
    expect(device.hear(49)).toEqual(["resolved"]);
  });
});

describe("our own absence", () => {
  const S = 1_000 / MINUTE_MS;
  /** A device whose object is woken by its alarm: it gives time again, or fires. Minutes. */
  class Woken extends Device {
    startedMinute = Number.NEGATIVE_INFINITY;

    wake(minute: number, isAlarmLost = false): string[] {
      const nowMs = START_MS + minute * MINUTE_MS;
      const startedAt = Math.max(0, START_MS + this.startedMinute * MINUTE_MS);
      const presence = { startedAt, isAlarmLost };
      const isGiven = giveTimeAgain(this.alerts, this.lastReceivedAt, nowMs, presence);
      return [...(isGiven ? ["again"] : []), ...this.look(minute)];
    }
  }
  const begin = (condition: Record<string, unknown> = SILENT) => {
    const device = new Woken({ condition });
    device.hear(0, { temp: 1, flow: 1 });
    return device;
  };

  it.each([["the device", SILENT] as const, ["a metric", { ...SILENT, metric: "flow" }] as const])(
    "[A63] an alarm that rings late gives %s its whole time again, once; silent for that, it is told of",
    (_, condition) => {
      const device = begin(condition);
      expect(device.wake(25)).toEqual(["again"]);
      expect(device.due).toBe(35);
      expect(device.wake(35)).toEqual(["fired"]);
      expect(device.alert).toMatchObject({ firedAt: START_MS + 35 * MINUTE_MS, reading: { value: 1 } });
    },
  );

  it("[A63] a device that is heard in that time is not told of, and its next silence has a time of its own", () => {
    const device = begin();
    device.wake(25);
    expect(device.hear(26)).toEqual([]);
    expect(device.due).toBe(36);
    expect(device.wake(36)).toEqual(["fired"]);
  });

  it("[A63] seconds late is not away", () => {
    expect(begin().wake(10 + 10 * S)).toEqual(["fired"]);
    expect(begin().wake(10 + 10.001 * S)).toEqual(["again"]);
  });

  it("[A63] a run that began since has the device's time begin with it, also when the alarm rings in time", () => {
    const device = begin();
    device.startedMinute = 9;
    expect(device.wake(10)).toEqual(["again"]);
    expect(device.due).toBe(19);
    expect(device.wake(19)).toEqual(["fired"]);
    const old = begin();
    old.startedMinute = -1;
    expect(old.wake(10)).toEqual(["fired"]);
  });

  it("[A63] restarts put it off three times in a silence and no further", () => {
    const device = begin();
    const said = [];
    for (let minute = 9; minute < 60; minute += 9) {
      device.startedMinute = minute;
      said.push(...device.wake(Math.max(minute, device.due ?? 0)));
    }
    expect(said).toEqual(["again", "again", "again", "fired"]);
    expect(device.alert!.firedAt).toBeLessThanOrEqual(START_MS + 60 * MINUTE_MS);
    const asleep = begin();
    expect([20, 40, 60, 80].flatMap((minute) => asleep.wake(minute))).toEqual([
      "again",
      "again",
      "again",
      "fired",
    ]);
  });

  it("[A63] an alarm that was lost was not late: the sweep tells of the silence at once", () => {
    expect(begin().wake(25, true)).toEqual(["fired"]);
    const device = begin();
    device.startedMinute = 24;
    expect(device.wake(25, true)).toEqual(["again"]);
  });

  it("[A63] a rule that comes to a device silent for long, or is made shorter, is due at once: nobody was away", () => {
    const device = new Woken();
    device.hear(0);
    device.setRules(2, [{ condition: SILENT }], START_MS + 60 * MINUTE_MS);
    expect(device.wake(60)).toEqual(["fired"]);
    const edited = new Woken({ condition: { ...SILENT, afterMs: 100 * MINUTE_MS } });
    edited.hear(0);
    edited.setRules(2, [{ condition: SILENT, version: 2 }], START_MS + 60 * MINUTE_MS);
    expect(edited.wake(60)).toEqual(["fired"]);
  });

  it("[A63] [A18] within a cooldown it is due after it, and late from then on", () => {
    const device = new Woken({ condition: SILENT, cooldownMs: 60 * MINUTE_MS });
    device.hear(0);
    device.wake(10);
    device.hear(12);
    expect(device.wake(72)).toEqual(["fired"]);
  });
});
