import { describe, expect, it } from "vitest";
import { type AlertChange, AT, alertOf, noticeOf, resolvedOf, snapshotOf } from "./fake-notice.ts";
import { cut, messageOf, type Notice, numberOf, timeOf } from "./message.ts";

const PUBLIC = "https://telltale.example.com";
const of = (change: Partial<Notice>, publicUrl = PUBLIC) => messageOf(noticeOf(change), publicUrl, true);
const devices = (count: number, own: (change: AlertChange) => ReturnType<typeof alertOf> = alertOf) =>
  Array.from({ length: count }, (_, i) => own({ device: `pump-${i + 1}` }));

describe("what people read", () => {
  it("[A37] one alert: the reading's value, its time and its receipt, the rule, the chart", () => {
    const message = of({});
    expect(message.title).toBe("CRITICAL · Too hot · pump-1 in north");
    expect(message.lines).toEqual([
      "pump-1: temperature is 91.25, read 2026-11-22T10:00:00.000Z, received 2026-11-22T10:00:01.000Z",
    ]);
    expect(message.incidentLink).toBe("https://telltale.example.com/#/alerts/north.7");
    expect(message.chartLink(alertOf({ metric: "PM2.5 & co" }))).toBe(
      "https://telltale.example.com/#/devices/pump-1?metric=PM2.5+%26+co",
    );
    expect(message.chartLink(alertOf({ metric: null }))).toBe(
      "https://telltale.example.com/#/devices/pump-1",
    );
    expect(message.name).toBe("north.7@acme");
  });

  it("[A37] without an address of the dashboard there are no links", () => {
    const message = of({}, "");
    expect([message.incidentLink, message.chartLink(alertOf())]).toEqual([null, null]);
  });

  it.each<[string, Partial<Notice>, string]>([
    [
      "an update",
      { kind: "update", snapshot: snapshotOf(devices(3)) },
      "Update: CRITICAL · Too hot · 3 devices in north",
    ],
    [
      "some are over",
      { kind: "update", snapshot: snapshotOf([...devices(2), resolvedOf({ device: "pump-3" })]) },
      "Update: CRITICAL · Too hot · 2 of 3 devices in north",
    ],
    ["an escalation", { kind: "escalate" }, "Nobody has acknowledged: CRITICAL · Too hot · pump-1 in north"],
    [
      "a resolve",
      { kind: "resolve", snapshot: snapshotOf(devices(500, resolvedOf)) },
      "Resolved: CRITICAL · Too hot · 500 devices in north",
    ],
  ])("[A37] the title of %s", (_, change, title) => {
    expect(of(change).title).toBe(title);
  });

  it.each([
    [1, [], "Resolved: CRITICAL · Too hot · a deleted device in north", ["a deleted device"]],
    [2, [], "Resolved: CRITICAL · Too hot · 2 deleted devices in north", ["2 deleted devices"]],
    [
      1,
      [resolvedOf()],
      "Resolved: CRITICAL · Too hot · 2 devices in north",
      [expect.stringContaining("pump-1"), "a deleted device"],
    ],
  ])("[A49] %i members without a name are said to be deleted devices", (nameless, alerts, title, lines) => {
    const change = { state: "resolved" as const, members: alerts.length + nameless };
    const message = of({ kind: "resolve", snapshot: { ...snapshotOf(alerts, change), nameless } });
    expect([message.title, message.lines]).toEqual([title, lines]);
  });

  it("[A37] the first ten are listed, active ones first, and how many more there are", () => {
    const alerts = [resolvedOf({ device: "over" }), ...devices(30)];
    const { lines } = of({ snapshot: snapshotOf(alerts), omitted: 100 });
    expect(lines).toHaveLength(11);
    expect(lines[0]).toMatch(/^pump-1: /);
    expect(lines[10]).toBe("and 121 more");
  });

  it.each<[string, AlertChange, string]>([
    [
      "silent",
      { state: "no_data", metric: null, rule: { condition: { type: "no_data", afterMs: 60_000 } } },
      "pump-1: no data, the last one was received 2026-11-22T10:00:01.000Z",
    ],
    [
      "silent in one metric, and never heard",
      { state: "no_data", reading: null, rule: { condition: { type: "no_data", afterMs: 60_000 } } },
      "pump-1: no data of temperature",
    ],
    [
      "of a device that sends too much",
      {
        metric: null,
        rule: { condition: { type: "hot" } },
        reading: { at: AT, receivedAt: Date.UTC(2026, 10, 22, 10), value: 16.7 },
      },
      "pump-1: sends 16.7 reports a second, more than it may, at 2026-11-22T10:00:00.000Z",
    ],
    [
      "of an expression",
      {
        metric: null,
        rule: {
          condition: {
            type: "expression",
            left: "in",
            operator: "-",
            right: "out",
            withinMs: 1_000,
            above: 5,
          },
        },
      },
      "pump-1: in - out is 91.25, read 2026-11-22T10:00:00.000Z, received 2026-11-22T10:00:01.000Z",
    ],
    [
      "flapping",
      { flapping: true, state: "acknowledged" },
      "pump-1: temperature is 91.25, read 2026-11-22T10:00:00.000Z, received 2026-11-22T10:00:01.000Z (acknowledged, flapping)",
    ],
  ])("[A37] the line of one that is %s", (_, change, line) => {
    expect(of({ snapshot: snapshotOf([alertOf(change)]) }).lines).toEqual([line]);
  });

  it("[A37] the line of one that is over says how, and by which reading", () => {
    const lines = [resolvedOf(), resolvedOf({ clearedBy: null, resolution: "by_hand" })].map(
      (alert) => of({ kind: "resolve", snapshot: snapshotOf([alert]) }).lines[0],
    );
    expect(lines).toEqual([
      "pump-1: cleared at 2026-11-22T10:01:01.500Z, temperature is 85, read 2026-11-22T10:01:00.000Z, received 2026-11-22T10:01:01.000Z",
      "pump-1: by hand at 2026-11-22T10:01:01.500Z",
    ]);
  });

  it("numbers and times as people read them, and no text longer than it may be", () => {
    expect([0.1 + 0.2, 1234567, 91, 1e-9].map(numberOf)).toEqual(["0.3", "1234570", "91", "1e-9"]);
    expect([timeOf(AT), timeOf(1e20)]).toEqual(["2026-11-22T10:00:00.000Z", "100000000000000000000"]);
    expect([cut("abcdef", 6), cut("abcdefg", 6), cut("abc😀defg", 5)]).toEqual(["abcdef", "abcde…", "abc…"]);
  });
});
