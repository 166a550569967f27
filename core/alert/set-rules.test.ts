import { describe, expect, it } from "vitest";
import { RULES_PER_DEVICE_MAX } from "../../schemas/limits.ts";
import { ABOVE_10, FakeAlerts, MINUTE_MS, ruleOf, START_MS, SUBJECT } from "./fake-alerts.ts";
import { nextNoDataAt } from "./no-data.ts";
import { concerns } from "./scope.ts";
import { endAll, moved, setRules } from "./set-rules.ts";
import { activeAlerts } from "./state.ts";

const NOW_MS = START_MS + 60 * MINUTE_MS;
const kept = ({ alerts }: FakeAlerts) => alerts.rules.map(({ id }) => id);

describe("scope", () => {
  it.each([
    [{}, true],
    [{ zone: "north" }, true],
    [{ zone: "south" }, false],
    [{ model: "p1" }, true],
    [{ model: "p2" }, false],
    [{ device: "pump.7" }, true],
    [{ device: "pump.8" }, false],
    [{ zone: "north", model: "p1", device: "pump.7" }, true],
    [{ zone: "north", model: "p2" }, false],
  ])("[A3] %j concerns the device: %s", (scope, expected) => {
    expect(concerns(scope, SUBJECT)).toBe(expected);
  });

  it("[A3] a rule of a model does not concern a device of no known model", () => {
    expect(concerns({ model: "p1" }, { ...SUBJECT, model: null })).toBe(false);
  });
});

describe("the rules of a device", () => {
  it("[A2] are those of the highest version it was told", () => {
    const device = new FakeAlerts();
    device.setRules(5, [{ id: "new", condition: ABOVE_10 }]);
    device.setRules(4, [{ id: "old", condition: ABOVE_10 }]);
    device.setRules(5, []);
    expect(kept(device)).toEqual(["new"]);
    device.setRules(6, []);
    expect(kept(device)).toEqual([]);
  });

  it("[A3] are those that concern it and are enabled", () => {
    const device = new FakeAlerts(
      { id: "c", condition: ABOVE_10, scope: { zone: "south" } },
      { id: "b", condition: ABOVE_10, enabled: false },
      { id: "a", condition: ABOVE_10, scope: { zone: "north" } },
    );
    expect(kept(device)).toEqual(["a"]);
  });

  it("[A3] are at most fifty, the first by id", () => {
    const ids = Array.from({ length: 120 }, (_, i) => `r${String(i).padStart(3, "0")}`);
    const device = new FakeAlerts(...ids.toReversed().map((id) => ({ id, condition: ABOVE_10 })));
    expect(kept(device)).toEqual(ids.slice(0, RULES_PER_DEVICE_MAX));
  });

  it("[A16] a rule made anew under the name of one that was removed is another: the alert of that one ends", () => {
    const device = new FakeAlerts({ condition: ABOVE_10 });
    device.temp(0, 11);
    const anew = { ...ruleOf({ condition: { ...ABOVE_10, metric: "other" } }), createdAt: NOW_MS };
    const [event] = setRules(device.alerts, SUBJECT, { version: 2, rules: [anew] }, NOW_MS);
    expect(event?.alert).toMatchObject({ state: "resolved", resolution: "rule_removed" });
    expect(activeAlerts(device.alerts)).toEqual([]);
    expect(device.alerts.rules).toEqual([anew]);
  });

  it("[A16] an edit keeps the alert, which carries the rule as it is now, and tells nobody", () => {
    const device = new FakeAlerts({ condition: ABOVE_10 });
    device.temp(0, 11);
    const edited = { name: "hotter", severity: "critical", condition: { ...ABOVE_10, above: 20 } } as const;
    expect(device.setRules(2, [{ ...edited, version: 2 }])).toEqual([]);
    expect(device.alert).toMatchObject({ revision: 1, state: "firing", reading: { value: 11 } });
    expect(device.alert!.rule).toMatchObject({ version: 2, name: "hotter", severity: "critical" });
    expect(device.alerts.outbox[0]!.alert.rule).toMatchObject({ version: 1, name: "a rule" });
    expect(device.temp(1, 9)).toEqual([]);
    expect(device.temp(2, 8)).toEqual(["resolved"]);
  });

  it("[A16] another condition begins anew: a pending breach is forgotten, an alert stays until the new one clears", () => {
    const device = new FakeAlerts({ condition: ABOVE_10, forMs: MINUTE_MS });
    device.temp(0, 11);
    device.setRules(2, [{ version: 2, condition: { ...ABOVE_10, above: 9 }, forMs: MINUTE_MS }]);
    expect(device.temp(MINUTE_MS, 11)).toEqual([]);
    expect(device.temp(2 * MINUTE_MS, 11)).toEqual(["fired"]);
    const other = { type: "threshold", metric: "flow", below: 3 };
    device.setRules(3, [{ version: 3, condition: other }]);
    expect(device.alert).toMatchObject({ metric: "flow", state: "firing" });
    expect(device.temp(3 * MINUTE_MS, 0)).toEqual([]);
    const late = { at: 2 * MINUTE_MS, receivedAt: 4 * MINUTE_MS, metrics: { flow: 4 } };
    expect(device.reports(late)).toEqual([]); // A9: the rule has seen later ones
    expect(device.reports({ at: 4 * MINUTE_MS, metrics: { flow: 4 } })).toHaveLength(1);
  });

  it("[A16] the same condition goes on: a pending breach keeps its time under a new duration", () => {
    const device = new FakeAlerts({ condition: ABOVE_10, forMs: 60 * MINUTE_MS });
    device.temp(0, 11);
    device.setRules(2, [{ version: 2, condition: ABOVE_10, forMs: MINUTE_MS }]);
    expect(device.temp(MINUTE_MS, 11)).toEqual(["fired"]);
  });

  it("[A16] a silence of a metric that has begun goes on under a shorter time", () => {
    const silence = { type: "no_data", metric: "temp", afterMs: 60 * MINUTE_MS };
    const device = new FakeAlerts({ condition: silence });
    device.temp(0, 1);
    device.setRules(2, [{ version: 2, condition: { ...silence, afterMs: MINUTE_MS } }]);
    expect(nextNoDataAt(device.alerts, START_MS)).toBe(START_MS + MINUTE_MS);
    device.setRules(3, [{ version: 3, condition: { ...silence, metric: "flow" } }]);
    expect(nextNoDataAt(device.alerts, START_MS)).toBeNull();
  });

  it("[A16] a detector goes on with what it has learnt under another level", () => {
    const condition = { type: "anomaly", metric: "temp", detector: "zscore", level: "warning" };
    const device = new FakeAlerts({ condition });
    for (let i = 0; i < 60; i++) device.temp(i, Math.sin(i));
    device.setRules(2, [{ version: 2, condition: { ...condition, level: "critical" } }]);
    expect(device.temp(100, 50)).toEqual(["fired"]);
  });

  it.each([
    ["rule_removed", []],
    ["rule_disabled", [{ condition: ABOVE_10, version: 2, enabled: false }]],
    ["out_of_scope", [{ condition: ABOVE_10, version: 2, scope: { device: "other" } }]],
  ])("[A16] resolves what ends as %s, and says so", (resolution, rules) => {
    const device = new FakeAlerts({ condition: ABOVE_10 });
    device.temp(0, 11);
    const events = device.setRules(2, rules, NOW_MS);
    expect(events).toMatchObject([
      {
        kind: "resolved",
        at: NOW_MS,
        by: null,
        alert: { state: "resolved", resolution, revision: 2, resolvedAt: NOW_MS, clearedBy: null },
      },
    ]);
    expect(device.alerts.outbox.slice(1)).toEqual(events);
    expect([device.alert, device.alerts.memory]).toEqual([undefined, {}]);
  });

  it("[A21] a rule that goes and comes back numbers its next alert unlike the one before", () => {
    const device = new FakeAlerts({ condition: ABOVE_10 });
    device.temp(0, 11);
    device.setRules(2, []);
    device.setRules(3, [{ condition: ABOVE_10 }]);
    device.temp(1, 11);
    expect(device.alerts.outbox.map(({ alert }) => alert.id)).toEqual([
      "r.2.1.pump.7",
      "r.2.1.pump.7",
      "r.2.2.pump.7",
    ]);
  });

  it("[A3] [A16] a device that moves keeps what still concerns it, and takes the rules of the same version again", () => {
    const rules = [
      { id: "all", condition: ABOVE_10 },
      { id: "north", condition: ABOVE_10, scope: { zone: "north" } },
      { id: "south", condition: ABOVE_10, scope: { zone: "south" } },
    ];
    const device = new FakeAlerts(...rules);
    device.temp(0, 11);
    device.subject = { ...SUBJECT, zone: "south" };
    expect(moved(device.alerts, device.subject, NOW_MS)).toMatchObject([
      { kind: "resolved", alert: { zone: "north", rule: { id: "north" }, resolution: "out_of_scope" } },
    ]);
    expect(moved(device.alerts, device.subject, NOW_MS)).toEqual([]);
    device.setRules(0, []);
    expect(kept(device)).toEqual(["all"]);
    expect(device.setRules(1, rules)).toEqual([]);
    expect(kept(device)).toEqual(["all", "south"]);
    expect(activeAlerts(device.alerts)).toMatchObject([{ zone: "north", rule: { id: "all" }, revision: 1 }]);
  });

  it("[A17] a device deleted while firing resolves its alerts as deleted", () => {
    const device = new FakeAlerts(
      { id: "a", condition: ABOVE_10 },
      { id: "b", condition: { type: "threshold", metric: "temp", below: 0 } },
      { id: "c", condition: ABOVE_10 },
    );
    device.temp(0, 11);
    const deleted = { state: "resolved", resolution: "deleted", resolvedAt: NOW_MS, revision: 2 };
    expect(endAll(device.alerts, "deleted", NOW_MS)).toMatchObject([
      { kind: "resolved", alert: { ...deleted, id: "a.2.1.pump.7" } },
      { kind: "resolved", alert: { ...deleted, id: "c.2.2.pump.7" } },
    ]);
    expect(activeAlerts(device.alerts)).toEqual([]);
    expect(endAll(device.alerts, "deleted", NOW_MS)).toEqual([]);
  });
});
