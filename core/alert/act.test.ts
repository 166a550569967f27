import { describe, expect, it } from "vitest";
import type { AlertAction } from "../../schemas/alert.ts";
import { act, deviceOfAlert } from "./act.ts";
import { ABOVE_10, FakeAlerts, START_MS } from "./fake-alerts.ts";
import { forgetTold } from "./state.ts";

const NOW_MS = START_MS + 9_000;
const ID = "r.2.1.pump.7";

const firing = () => {
  const device = new FakeAlerts({ condition: ABOVE_10 });
  device.temp(0, 11);
  return device;
};
const does = ({ alerts }: FakeAlerts, action: AlertAction, by = "ann", id = ID) =>
  act(alerts, id, action, by, NOW_MS);
const kinds = ({ alerts }: FakeAlerts) => alerts.outbox.map(({ kind, by }) => `${kind} by ${by}`);

describe("a person", () => {
  it("[A13] [A38] acknowledges: the alert stays so until it is resolved, whatever readings say", () => {
    const device = firing();
    const answer = does(device, { kind: "ack", text: "on my way" });
    expect(answer).toMatchObject({
      alert: { state: "acknowledged", revision: 2, acknowledgedAt: NOW_MS, acknowledgedBy: "ann" },
    });
    expect(device.alerts.outbox.at(-1)).toMatchObject({
      kind: "acknowledged",
      at: NOW_MS,
      by: "ann",
      text: "on my way",
    });
    device.restart();
    expect([device.temp(1, 20), device.temp(2, 9)]).toEqual([[], []]);
    expect(device.alert!.state).toBe("acknowledged");
    expect(device.temp(3, 8)).toEqual(["resolved"]);
    expect(device.alerts.outbox.at(-1)!.alert).toMatchObject({ acknowledgedBy: "ann", revision: 3 });
  });

  it("[A38] who does again what is so already makes no second event", () => {
    const device = firing();
    for (const action of [{ kind: "ack" }, { kind: "assign", to: "bob" }] as const) {
      const first = does(device, action);
      expect(does(device, action)).toEqual(first);
    }
    expect(kinds(device)).toEqual(["fired by null", "acknowledged by ann", "assigned by ann"]);
  });

  it("[A38] a second person's acknowledgement is noted, the first one's stays", () => {
    const device = firing();
    does(device, { kind: "ack" }, "ann");
    expect(does(device, { kind: "ack" }, "bob")).toMatchObject({
      alert: { acknowledgedBy: "ann", revision: 3 },
    });
    expect(kinds(device)).toEqual(["fired by null", "acknowledged by ann", "acknowledged by bob"]);
  });

  it("[A38] assigns and comments, before and after it is acknowledged; each is a revision", () => {
    const device = firing();
    does(device, { kind: "comment", text: "hm" });
    does(device, { kind: "ack" });
    does(device, { kind: "assign", to: "bob" });
    does(device, { kind: "comment", text: "hm" });
    expect(device.alert).toMatchObject({ state: "acknowledged", assignee: "bob", revision: 5 });
    expect(device.alerts.outbox.map(({ alert }) => alert.revision)).toEqual([1, 2, 3, 4, 5]);
    expect(device.alerts.outbox.map(({ text }) => text)).toEqual([null, "hm", null, null, "hm"]);
  });

  it("[A15] [A38] resolves by hand", () => {
    const device = firing();
    expect(does(device, { kind: "resolve", text: "known" })).toMatchObject({
      alert: { state: "resolved", resolution: "by_hand", resolvedAt: NOW_MS, clearedBy: null, revision: 2 },
    });
    expect(device.alerts.outbox.at(-1)).toMatchObject({ kind: "resolved", by: "ann", text: "known" });
    expect(device.alert).toBeUndefined();
  });

  it.each(["ack", "resolve"] as const)("[A38] cannot %s what has ended, or never was", (kind) => {
    const device = firing();
    device.temp(1, 0);
    device.restart();
    expect(does(device, { kind })).toEqual({ refused: "resolved" });
    expect(does(device, { kind }, "ann", "r.2.2.pump.7")).toEqual({ refused: "unknown" });
    expect(does(device, { kind }, "ann", "nonsense")).toEqual({ refused: "unknown" });
    expect(device.alerts.outbox).toHaveLength(2);
  });
});

describe("an alert's id", () => {
  it.each([
    ["r.0.1.pump", "pump"],
    ["a_b-c.12.345.pump.7.x", "pump.7.x"],
    ["r.0.1.1.2.3", "1.2.3"],
    ["r.0.1.", undefined],
    ["r.0.1", undefined],
    ["r.x.1.pump", undefined],
    ["R.0.1.pump", undefined],
    ["r.0.1.a/b", undefined],
    ["", undefined],
  ])("[A37] %j is of device %j", (id, device) => {
    expect(deviceOfAlert(id)).toBe(device);
  });

  it("[A21] is what is forgotten once told, with the revision", () => {
    const device = firing();
    does(device, { kind: "ack" });
    const told = JSON.parse(JSON.stringify(device.alerts.outbox.slice(0, 1)));
    device.temp(1, 0);
    forgetTold(device.alerts, told);
    expect(device.alerts.outbox.map(({ alert }) => alert.revision)).toEqual([2, 3]);
    forgetTold(device.alerts, told);
    expect(device.alerts.outbox).toHaveLength(2);
  });
});
