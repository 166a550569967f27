import { expect, it } from "vitest";
import { alertOf, noticeOf, resolvedOf, snapshotOf } from "./fake-notice.ts";
import { trim } from "./trim.ts";

const bytes = (value: unknown) => new TextEncoder().encode(JSON.stringify(value)).length;
const members = (count: number) =>
  Array.from({ length: count }, (_, i) =>
    (i % 2 === 0 ? resolvedOf : alertOf)({ device: `pump-${i}`, model: "é" }),
  );

it("[A25] a notice of five hundred members keeps all of them", () => {
  const notice = noticeOf({ snapshot: snapshotOf(members(500)) });
  expect(trim(notice)).toBe(notice);
});

it("[A25] a notice too large for a row says how many members are missing, and those are over", () => {
  const notice = noticeOf({ snapshot: snapshotOf(members(5_000)) });
  expect(bytes(notice)).toBeGreaterThan(2_000_000);
  const { snapshot, omitted } = trim(notice);
  expect(bytes({ ...notice, snapshot, omitted })).toBeLessThan(1_500_000);
  expect(snapshot.alerts.length + omitted).toBe(5_000);
  expect(snapshot.incident).toEqual(notice.snapshot.incident);
  const small = trim(notice, 10_000);
  expect(small.snapshot.alerts.length).toBeGreaterThan(5);
  expect(small.snapshot.alerts.every(({ state }) => state === "firing")).toBe(true);
  // One byte more or less than it takes.
  const two = noticeOf({ snapshot: snapshotOf(members(2)), omitted: 3 });
  expect(trim(two, bytes(two) + 1)).toBe(two);
  expect(trim(two, bytes(two) - 300)).toMatchObject({
    omitted: 4,
    snapshot: { alerts: [{ device: "pump-1" }] },
  });
});
