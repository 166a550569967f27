import { describe, expect, it } from "vitest";
import type { Alert } from "../../schemas/alert.ts";
import type { DeviceGlance, News, ZoneFrame } from "../../schemas/live.ts";
import { applyFrames, EMPTY_ZONE } from "./zone-state.ts";

const NOW = 1_763_800_000_000;
const reading = (at: number, value: number) => ({ at, value, receivedAt: at });
const glance = (device: string, over: Partial<DeviceGlance> = {}): DeviceGlance => ({
  device,
  zone: "z",
  name: null,
  model: null,
  connected: true,
  lastReceivedAt: NOW,
  metrics: { t: reading(10, 1) },
  ...over,
});
const snapshot = (seq: number, devices: DeviceGlance[], missing: string[] = []): News<ZoneFrame> => ({
  type: "snapshot",
  seq,
  zone: "z",
  at: NOW + 500,
  devices,
  missing,
  alerts: [],
});
const update = (
  seq: number,
  device: string,
  metrics: DeviceGlance["metrics"],
  connected = true,
): News<ZoneFrame> => ({
  type: "update",
  seq,
  device,
  connected,
  lastReceivedAt: NOW + seq,
  metrics,
});
const opened = applyFrames(EMPTY_ZONE, [snapshot(7, [glance("a"), glance("b")], ["c"])], NOW).state;

describe("applyFrames", () => {
  it("takes the snapshot whole and learns the server's clock", () => {
    expect(opened.seq).toBe(7);
    expect(opened.skewMs).toBe(500);
    expect([...opened.devices.keys()]).toEqual(["a", "b"]);
    expect([...opened.missing]).toEqual(["c"]);
  });

  it("an update merges into its device, tells which row changed and leaves the others the same objects", () => {
    const { state, changed, reshaped, readings } = applyFrames(
      opened,
      [update(8, "a", { t: reading(11, 2) })],
      NOW,
    );
    expect(state.devices.get("a")?.metrics.t).toEqual(reading(11, 2));
    expect(state.devices.get("b")).toBe(opened.devices.get("b"));
    expect([...changed]).toEqual(["a"]);
    expect(reshaped).toBe(false);
    expect(readings).toEqual([{ device: "a", metric: "t", reading: reading(11, 2) }]);
    expect(opened.devices.get("a")?.metrics.t).toEqual(reading(10, 1));
  });

  it("an older reading does not replace a newer one; the same instant corrects", () => {
    const frames = [update(8, "a", { t: reading(9, 5) }), update(9, "a", { t: reading(10, 6) })];
    const { state, readings } = applyFrames(opened, frames, NOW);
    expect(state.devices.get("a")?.metrics.t?.value).toBe(6);
    expect(readings).toHaveLength(1);
  });

  it("the same frames again change no value", () => {
    const frames = [update(8, "a", { t: reading(11, 2) }), update(9, "b", {}, false)];
    const once = applyFrames(opened, frames, NOW).state;
    const twice = applyFrames(once, frames, NOW);
    expect([...twice.state.devices]).toEqual([...once.devices]);
    expect(twice.state.seq).toBe(9);
    expect(twice.readings).toEqual([]);
  });

  it("a device first heard of in an update joins; a new metric reshapes", () => {
    const joined = applyFrames(opened, [update(8, "c", { t: reading(1, 1) })], NOW);
    expect(joined.reshaped).toBe(true);
    expect(joined.state.devices.get("c")?.connected).toBe(true);
    expect(joined.state.missing.size).toBe(0);
    expect(applyFrames(opened, [update(8, "a", { u: reading(1, 1) })], NOW).reshaped).toBe(true);
  });

  it("a device that left is gone, once", () => {
    const gone = applyFrames(opened, [{ type: "left", seq: 8, device: "a" }], NOW);
    expect([...gone.state.devices.keys()]).toEqual(["b"]);
    expect(gone.reshaped).toBe(true);
    expect(applyFrames(gone.state, [{ type: "left", seq: 8, device: "a" }], NOW).reshaped).toBe(false);
  });

  it("a fresh snapshot drops who is no longer there and may start the numbers again", () => {
    const { state } = applyFrames(opened, [snapshot(2, [glance("b"), glance("d")])], NOW);
    expect([...state.devices.keys()]).toEqual(["b", "d"]);
    expect(state.seq).toBe(2);
  });
});

describe("[L31] what a snapshot had no room for", () => {
  const crowded = {
    ...snapshot(7, [glance("a", { metricsLeftOut: 2 })], ["m"]),
    devicesLeftOut: 2,
    missingLeftOut: 1,
  };
  const { state } = applyFrames(EMPTY_ZONE, [crowded as News<ZoneFrame>], NOW);

  it("is counted, and less of it as devices and metrics are heard of", () => {
    expect(state.leftOut).toEqual({ devices: 2, missing: 1, alerts: 0 });
    const heard = (frames: News<ZoneFrame>[]) => applyFrames(state, frames, NOW).state;
    expect(heard([update(8, "a", { t: reading(11, 2) })]).leftOut).toEqual(state.leftOut);
    expect(heard([update(8, "m", {})]).leftOut).toEqual(state.leftOut);
    expect(heard([update(8, "x", {}), update(9, "x", {})]).leftOut).toMatchObject({ devices: 1, missing: 1 });
    const all = ["x", "y", "z", "new"].map((device, index) => update(8 + index, device, {}));
    expect(heard(all).leftOut).toEqual({ devices: 0, missing: 0, alerts: 0 });
    const leftOf = (metrics: DeviceGlance["metrics"]) =>
      heard([update(8, "a", metrics)]).devices.get("a")!.metricsLeftOut;
    expect(leftOf({ t: reading(11, 2), u: reading(11, 2) })).toBe(1);
    expect(leftOf({ u: reading(11, 2), v: reading(11, 2), w: reading(11, 2) })).toBeUndefined();
  });

  it("counts what is known from before as there, and nothing once a snapshot has all", () => {
    const before = applyFrames(
      EMPTY_ZONE,
      [snapshot(1, [glance("a", { metrics: { u: reading(1, 1) } })])],
      NOW,
    );
    const after = applyFrames(before.state, [crowded as News<ZoneFrame>], NOW).state;
    expect(after.devices.get("a")!.metricsLeftOut).toBe(1);
    expect(applyFrames(after, [snapshot(9, [glance("a")])], NOW).state.leftOut.devices).toBe(0);
  });
});

describe("alerts", () => {
  const alert = (id: string, device: string, revision = 1, resolvedAt: number | null = null) =>
    ({ id, device, revision, resolvedAt }) as Alert;
  const frame = (seq: number, event: Alert): News<ZoneFrame> => ({
    type: "alert",
    seq,
    device: event.device,
    event: { kind: "fired", at: NOW, by: null, text: null, incident: "z.1", alert: event },
  });
  const firing = applyFrames(opened, [frame(8, alert("x", "a"))], NOW);

  it("[A45] a snapshot brings the active ones, an event changes them, and only their device's row is drawn", () => {
    expect(firing.state.alerts.get("a")).toEqual([alert("x", "a")]);
    expect([...firing.changed]).toEqual(["a"]);
    const again = applyFrames(
      firing.state,
      [{ ...snapshot(9, []), alerts: [alert("y", "b")] } as News<ZoneFrame>],
      NOW,
    );
    expect([...again.state.alerts.keys()]).toEqual(["b"]);
    expect(again.changed).toContain("a");
  });

  it("[A45] a lower revision changes nothing, one that is resolved goes", () => {
    const newer = applyFrames(
      firing.state,
      [frame(9, alert("x", "a", 3)), frame(10, alert("x", "a", 2))],
      NOW,
    );
    expect(newer.state.alerts.get("a")).toEqual([alert("x", "a", 3)]);
    const over = applyFrames(newer.state, [frame(11, alert("x", "a", 4, NOW))], NOW);
    expect(over.state.alerts.size).toBe(0);
  });
});
