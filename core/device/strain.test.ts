import { expect, it } from "vitest";
import { FakeDevice, HOUR_MS, START_MS, TIMING } from "./fake-device.ts";
import { OUTBOX_MAX } from "./outbox.ts";
import type { Pending } from "./state.ts";
import { type QueueHeard, slowDownMsOf } from "./strain.ts";

const MINUTE_MS = 60_000;
const now = START_MS;
const pending = (count: number, attempts: number): Pending[] =>
  Array.from({ length: count }, (_, slot) => ({ startMs: slot, slot, revision: 1, resendAt: 0, attempts }));
const strain = (
  outbox: Pending[],
  heard?: Partial<QueueHeard>,
  unlistedFromMs: number | null = null,
  resendMs = 15 * MINUTE_MS,
) =>
  slowDownMsOf(
    { outbox, unlistedFromMs },
    heard && { heardAtMs: now, isRefusing: false, oldestMs: 0, ...heard },
    now,
    { resendMs },
  );

it.each<[what: string, expected: number, ...args: Parameters<typeof strain>]>([
  ["nothing waits", 0, []],
  ["a backlog was just sealed", 0, pending(500, 1)],
  ["a local run has sent some again for five minutes", 0, pending(500, 5), undefined, null, 15_000],
  ["and for a quarter of an hour", 30_000, pending(500, 7), undefined, null, 15_000],
  ["19 blocks were sent in vain", 0, pending(19, 2)],
  ["20 were", 1_200, pending(20, 2)],
  ["a full outbox was", 60_000, pending(OUTBOX_MAX, 5)],
  ["more than the outbox lists", 60_000, [], undefined, 5],
  ["the queue takes what it is sent", 0, pending(3, 1), {}],
  ["the queue refuses", 5_000, pending(1, 1), { isRefusing: true }],
  [
    "the queue refused five minutes ago",
    0,
    pending(1, 1),
    { isRefusing: true, heardAtMs: now - 5 * MINUTE_MS },
  ],
  ["the queue is ten minutes behind", 0, pending(1, 1), { oldestMs: 10 * MINUTE_MS }],
  ["the queue is twenty minutes behind", 5_000, pending(1, 1), { oldestMs: 20 * MINUTE_MS }],
])("[F18] %s: %i ms", (_what, expected, ...args) => {
  expect(strain(...args)).toBe(expected);
});

it("[F18] a device whose blocks nobody confirms is asked for ever longer waits, and all it sends is taken", () => {
  const device = new FakeDevice();
  const waits: number[] = [];
  for (let hour = 0; hour < 24 * 14; hour++) {
    const at = START_MS + hour * HOUR_MS;
    const reports = Array.from({ length: 60 }, (_, i) => ({
      at: at + i * MINUTE_MS,
      metrics: { a: i, b: i, c: i, d: i, e: i, f: i, g: i, h: i, i, j: i, k: i },
    }));
    expect(device.commit(at + HOUR_MS - 1, reports).counts[0]).toBe(reports.length * 11);
    waits.push(slowDownMsOf(device.state, undefined, at, TIMING));
  }
  expect(waits.slice(0, 10)).toEqual(Array(10).fill(0));
  expect(waits.at(-1)).toBeGreaterThan(1_200);
  expect(waits).toEqual(waits.toSorted((a, b) => a - b));
});
