import { env, evictDurableObject, runDurableObjectAlarm } from "cloudflare:test";
import { afterEach, expect, it, vi } from "vitest";
import { GLANCE_METRICS_MAX } from "../../../schemas/limits.ts";
import { packed, T0 } from "../../test-support.ts";
import { DeviceObject } from "../device/device-object.ts";
import { LEASE_MS } from "../live/lease.ts";
import { ZoneObject } from "./zone-object.ts";
import { follow, isSnapshot, isUpdate, join, leave, shows, watch } from "./zone-test-support.ts";

vi.setConfig({ testTimeout: 60_000 });

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

it("[L4] who comes back gets exactly the gap, as a socket or as an event stream", async () => {
  const device = await join("gap", "d1");
  const other = await join("gap", "d2");
  const staying = await watch("gap");
  await staying.until(isSnapshot);
  const leaving = await watch("gap");
  const { seq } = await leaving.until(isSnapshot);
  await leave(leaving);
  await device.report(packed([T0 + 1, { a: 1 }]), T0 + 1);
  await staying.until(shows("a", 1));
  await other.report(packed([T0 + 2, { a: 2 }]), T0 + 2);
  await staying.until(shows("a", 2));

  const missed = staying.frames.filter((frame) => frame.seq > seq);
  const back = await watch("gap", "default", `?after=${seq}`);
  await back.until(shows("a", 2));
  expect(back.frames).toEqual(missed);

  const events = await follow("gap", "", { "last-event-id": String(missed[0]!.seq) });
  expect(await events.next()).toEqual(missed[1]);
  expect(events.ids).toEqual([String(missed[1]!.seq)]);

  const ofOther = await follow("gap", `?device=d2&after=${seq}`);
  expect(await ofOther.next()).toEqual(missed[1]);
});

it("[L4] a number that is from before what is kept, or from elsewhere, gets a fresh snapshot", async () => {
  await join("fresh", "d1");
  const stream = await watch("fresh");
  const { seq } = await stream.until(isSnapshot);
  for (const after of [String(seq - 1_000_000), String(seq + 1_000_000), "soon", ""]) {
    const other = await watch("fresh", "default", `?after=${after}`);
    expect(await other.until(() => true)).toMatchObject({ type: "snapshot", devices: [{ device: "d1" }] });
  }
  await evictDurableObject(env.ZONE.getByName("fresh/default"));
  const after = await watch("fresh", "default", `?after=${seq}`);
  const again = await after.until(() => true);
  expect(again.type).toBe("snapshot");
  expect(again.seq).toBeGreaterThan(seq);
});

it("[L4] what changed while nobody watched is not lost on who comes back", async () => {
  const device = await join("hole", "d1");
  const stream = await watch("hole");
  await stream.until(isSnapshot);
  await device.report(packed([T0 + 1, { a: 1 }]), T0 + 1);
  const { seq } = await stream.until(isUpdate);
  await leave(stream);
  const pushed = vi.spyOn(ZoneObject.prototype, "push");
  await device.report(packed([T0 + 2, { a: 2 }]), T0 + 2);
  await vi.waitFor(() => expect(pushed).toHaveBeenCalled(), { timeout: 5_000 });
  const back = await watch("hole", "default", `?after=${seq}`);
  expect(await back.until(() => true)).toMatchObject({
    type: "snapshot",
    devices: [{ metrics: { a: { value: 2 } } }],
  });
  await device.report(packed([T0 + 3, { a: 3 }]), T0 + 3);
  await back.until(shows("a", 3));
});

it("[L6] the first push into a zone nobody watches ends the lease", async () => {
  const device = await join("unwatched", "d1");
  const stream = await watch("unwatched");
  await stream.until(isSnapshot);
  await leave(stream);
  const pushed = vi.spyOn(ZoneObject.prototype, "push");
  await device.report(packed([T0 + 1, { a: 1 }]), T0 + 1);
  await vi.waitFor(() => expect(pushed.mock.settledResults).toMatchObject([{ type: "fulfilled", value: 0 }]));
  await device.latest(); // the answer has reached the device
  for (let i = 2; i <= 10; i++) await device.report(packed([T0 + i, { a: i }]), T0 + i);
  expect(pushed).toHaveBeenCalledTimes(1);
});

it("[L6] a lease ends by itself", async () => {
  const device = await join("expired", "d1");
  const stream = await watch("expired");
  await stream.until(isSnapshot);
  const pushed = vi.spyOn(ZoneObject.prototype, "push");
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + LEASE_MS + 1000 });
  for (let i = 1; i <= 10; i++) await device.report(packed([T0 + i, { a: i }]), T0 + i);
  expect(pushed).not.toHaveBeenCalled();
});

it("[L6] the zone's alarm renews the leases of who is watched, over a hibernation; without watchers it asks nobody", async () => {
  const device = await join("renewed", "d1");
  await join("renewed", "d2");
  const zone = env.ZONE.getByName("renewed/default");
  const stream = await watch("renewed", "default", "?device=d1");
  await stream.until(isSnapshot);
  await evictDurableObject(zone);
  await evictDurableObject(device);
  const start = Date.now();
  vi.useFakeTimers({ toFake: ["Date"], now: start + 9 * 60_000 });
  const asked = vi.spyOn(DeviceObject.prototype, "watch");
  expect(await runDurableObjectAlarm(zone)).toBe(true);
  expect(asked.mock.calls).toEqual([[start + 9 * 60_000 + LEASE_MS, GLANCE_METRICS_MAX]]);

  vi.setSystemTime(start + 15 * 60_000);
  await evictDurableObject(device);
  await device.report(packed([T0 + 1, { a: 1 }]), T0 + 1);
  await stream.until(shows("a", 1));

  await leave(stream);
  expect(await runDurableObjectAlarm(zone)).toBe(true);
  expect(asked).toHaveBeenCalledTimes(1);
  expect(await runDurableObjectAlarm(zone)).toBe(false);
});
