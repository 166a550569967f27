import { expect, it } from "vitest";
import type { Alert } from "../../schemas/alert.ts";
import { MISSING_LISTED_MAX, SNAPSHOT_BYTES_MAX } from "../../schemas/limits.ts";
import type { DeviceGlance } from "../../schemas/live.ts";
import { fitPage, SnapshotFit } from "./fit-snapshot.ts";
import { jsonBytes } from "./json-bytes.ts";

const T0 = 1_763_800_000_000;
const LONG = "é".repeat(60);

/** A device heard `index` ms after T0, whose metric 0 is the newest. */
const glance = (index: number, metrics: number, name = LONG): DeviceGlance => ({
  device: `d${String(index).padStart(6, "0")}`,
  zone: "z",
  name,
  model: null,
  connected: true,
  lastReceivedAt: T0 + index,
  reportEveryMs: 1_000,
  metrics: Object.fromEntries(
    Array.from({ length: metrics }, (_, i) => [`${name}-${i}`, { at: T0, value: i, receivedAt: T0 - i }]),
  ),
});
const alert = (id: number, severity: "critical" | "warning" | "info"): Alert =>
  ({ id: `a${id}`, firedAt: T0 + id, rule: { severity, name: LONG } }) as Alert;

const snapshot = (glances: readonly DeviceGlance[], missing: string[] = [], alerts: Alert[] = []) => {
  const fit = new SnapshotFit(50);
  for (const each of glances) fit.add(each);
  return fit.finish(missing, alerts);
};
const numbers = (count: number) => Array.from({ length: count }, (_, i) => i);

it("[L27] what fits is shown whole, and nothing is said to be left out", () => {
  const glances = [glance(2, 50), glance(1, 3)];
  expect(snapshot(glances)).toEqual({ devices: [glances[1], glances[0]], missing: [], alerts: [] });
});

it("[L27] too many metrics: every device is there, those of few metrics whole, the others with their newest", () => {
  const { devices, devicesLeftOut } = snapshot([
    ...numbers(400).map((i) => glance(i, 50)),
    ...numbers(100).map((i) => glance(1_000 + i, 3)),
  ]);
  expect([devices.length, devicesLeftOut]).toEqual([500, undefined]);
  const shown = Object.keys(devices[0]!.metrics);
  expect(shown).toEqual(numbers(shown.length).map((i) => `${LONG}-${i}`));
  expect(shown.length).toBeGreaterThanOrEqual(6);
  expect(devices[0]!.metricsLeftOut).toBe(50 - shown.length);
  expect(devices.at(-1)).toEqual(glance(1_099, 3));
});

it("[L27] too many devices: those that reported last, each with a metric, and the others are counted", () => {
  const { devices, devicesLeftOut } = snapshot(numbers(9_000).map((i) => glance(i, 50)));
  expect(devices.length + devicesLeftOut!).toBe(9_000);
  expect(devices.length).toBeGreaterThan(1_000);
  expect(devices.at(-1)!.device).toBe("d008999");
  expect(devices[0]!.device).toBe(`d00${9_000 - devices.length}`);
  expect(devices.every(({ metrics }) => Object.keys(metrics).length === 1)).toBe(true);
  expect(devices.every(({ metricsLeftOut }) => metricsLeftOut === 49)).toBe(true);
});

it("[L27] devices, alerts and who did not answer are at most a mebibyte together, whatever there is of each, and whoever answers first", () => {
  const glances = numbers(6_000).map((i) => glance(i, i % 50));
  const missing = numbers(50_000).map((i) => `${"m".repeat(120)}-${i}`);
  const alerts = numbers(20_000).map((i) => alert(i, i === 5 ? "critical" : i % 2 ? "warning" : "info"));
  const all = snapshot(glances, missing, alerts);
  expect(
    jsonBytes({ type: "snapshot", seq: T0 * 1_000, zone: "z".repeat(128), at: T0, ...all }),
  ).toBeLessThan(SNAPSHOT_BYTES_MAX);
  expect(all.missing).toEqual(missing.slice(0, MISSING_LISTED_MAX));
  expect(all.missingLeftOut).toBe(50_000 - MISSING_LISTED_MAX);
  expect(all.alerts.length + all.alertsLeftOut!).toBe(20_000);
  expect(all.alerts.map(({ id }) => id).slice(0, 1)).toEqual(["a5"]);
  expect(all.alerts.slice(1).every(({ rule }) => rule.severity === "warning")).toBe(true);
  expect(all.alerts.at(-1)!.id).toBe("a19999");
  expect(snapshot(glances.toReversed(), missing, alerts.toReversed())).toEqual(all);
});

it("[L27] no more than two snapshots are held at once, however many answer", () => {
  const fit = new SnapshotFit(50);
  let held = 0;
  for (let i = 0; i < 20_000; i++) {
    fit.add(glance(i, 50));
    held = Math.max(held, fit.bytes);
  }
  expect(held).toBeLessThanOrEqual(2 * SNAPSHOT_BYTES_MAX + jsonBytes(glance(0, 50)));
});

it("[L28] pages have every device once, with its metrics, and who did not answer; none is larger than a snapshot", () => {
  const names = numbers(1_000).map((i) => glance(i, 0).device);
  const seen: string[] = [];
  let after = "";
  for (let pages = 0; pages < 1_000; pages++) {
    const following = names.filter((name) => name > after);
    const asked = following.slice(0, 300);
    const answers = asked.map((name) => {
      const index = names.indexOf(name);
      return index % 10 === 0 ? undefined : glance(index, 50);
    });
    const page = fitPage(asked, answers, [], asked.length === following.length);
    expect(jsonBytes(page)).toBeLessThan(SNAPSHOT_BYTES_MAX);
    expect(page.devices.every(({ metrics }) => Object.keys(metrics).length === 50)).toBe(true);
    seen.push(...[...page.devices.map(({ device }) => device), ...page.missing].sort());
    if (page.next === null) break;
    after = page.next!;
  }
  expect(seen).toEqual(names);
});
