import { describe, expect, it } from "vitest";
import { isOverdue } from "./alarm.ts";
import { FakeDevice, HOUR_MS, START_MS, TIMING } from "./fake-device.ts";
import { confirm, needsCommit, OUTBOX_MAX, RESEND_AT_ONCE, takeOverdue } from "./outbox.ts";
import { giveUpExpired, handOver, unsettledFromMs } from "./retain.ts";
import { encodeState } from "./state.ts";

const now = START_MS + 50 * HOUR_MS;
const reading = (hour: number, value = 1) => ({ at: START_MS + hour * HOUR_MS, metrics: { m: value } });
const RESEND_MS_MAX = 6 * HOUR_MS;

/** A device with sealed, unconfirmed blocks of these hours. */
function deviceWithPending(...hours: number[]) {
  const device = new FakeDevice();
  // Later hours first: each is older than the newest, whose bucket is an hour.
  for (const hour of hours.toSorted((a, b) => b - a)) device.commit(now, [reading(hour)], true);
  return device;
}
const startsOf = (blocks: readonly { startMs: number }[]) =>
  blocks.map(({ startMs }) => (startMs - START_MS) / HOUR_MS);

describe("what is unconfirmed", () => {
  it("[D13] is sent again at doubling distance, at most six hours, until it is confirmed", () => {
    const device = deviceWithPending(0);
    const distances: number[] = [];
    let sentAt = now;
    for (let i = 0; i < 12; i++) {
      const { resendAt } = device.state.outbox[0]!;
      expect(takeOverdue(device.state, resendAt - 1, TIMING)).toEqual([]);
      expect(takeOverdue(device.state, resendAt, TIMING)).toHaveLength(1);
      distances.push(resendAt - sentAt);
      sentAt = resendAt;
    }
    const doubling = Array.from({ length: 12 }, (_, i) => Math.min(RESEND_MS_MAX, TIMING.resendMs * 2 ** i));
    expect(distances).toEqual(doubling);
    confirm(device.state, [{ startMs: START_MS, revision: 1 }]);
    expect(takeOverdue(device.state, Number.MAX_SAFE_INTEGER, TIMING)).toEqual([]);
  });

  it("[D13] survives an eviction", () => {
    const device = deviceWithPending(0, 1);
    device.evict();
    expect(device.commit(now + TIMING.resendMs).resent).toEqual([START_MS, START_MS + HOUR_MS]);
  });

  it("[D13] goes oldest first, a bounded number at once", () => {
    const hours = Array.from({ length: RESEND_AT_ONCE + 5 }, (_, i) => i);
    const device = deviceWithPending(...hours);
    const first = takeOverdue(device.state, now + TIMING.resendMs, TIMING);
    expect(startsOf(first)).toEqual(hours.slice(0, RESEND_AT_ONCE));
    const rest = takeOverdue(device.state, now + TIMING.resendMs, TIMING);
    expect(startsOf(rest)).toEqual(hours.slice(RESEND_AT_ONCE));
  });

  it("[D13] a block sealed again meanwhile is pending once, at its newest revision", () => {
    const device = deviceWithPending(0);
    device.commit(now + 1, [reading(0, 2)], true);
    expect(device.state.outbox).toMatchObject([{ startMs: START_MS, revision: 2, attempts: 1 }]);
  });
});

describe("more unconfirmed blocks than the outbox lists", { timeout: 60_000 }, () => {
  const count = OUTBOX_MAX + 700;
  const everyMs = 6 * HOUR_MS;
  const instantOf = (index: number) => START_MS + index * everyMs;

  /** A device that sealed blocks while the queue was away. */
  function deviceWithBacklog() {
    const device = new FakeDevice({ latenessHorizonMs: count * everyMs });
    for (let i = 0; i < count; i++)
      device.commit(instantOf(i), [{ at: instantOf(i), metrics: { m: i } }], true);
    return device;
  }

  it("[D13] [D22] [X3] are kept at a bounded row, and drain oldest first when it is back, each at its last revision", () => {
    const device = deviceWithBacklog();
    const later = instantOf(count);
    device.commit(later, [{ at: instantOf(7) + 1, metrics: { m: 1 } }], true); // listed, at another revision
    device.commit(later, [{ at: instantOf(count - 7) + 1, metrics: { m: 1 } }], true); // not listed
    expect(device.state.outbox).toHaveLength(OUTBOX_MAX);
    expect(encodeState(device.state).length).toBeLessThan(150_000);
    device.evict();
    expect(unsettledFromMs(device.state)).toBe(
      Math.min(...[...device.ring.rows.values()].map((row) => row.startMs)),
    );
    const stored = new Map<number, number>();
    const order: number[] = [];
    for (
      let now = later + RESEND_MS_MAX;
      device.state.outbox.length > 0 || device.state.unlistedFromMs !== null;
      now += everyMs
    ) {
      const { resent } = device.commit(now);
      const receipts = [...device.ring.rows.values()].filter(({ startMs }) => resent.includes(startMs));
      for (const { startMs, revision } of receipts) stored.set(startMs, revision);
      order.push(...resent);
      confirm(device.state, receipts);
      device.keep();
      if (now % 7 === 0) device.evict();
      expect(now).toBeLessThan(later + count * everyMs);
    }
    expect(order).toEqual(order.toSorted((a, b) => a - b));
    const rows = [...device.ring.rows.values()].map(({ startMs, revision }) => [startMs, revision]);
    expect(new Map(rows as [number, number][])).toEqual(stored);
    expect(unsettledFromMs(device.state)).toBe(Number.MAX_SAFE_INTEGER);
  });

  it("[D12] [D43] [D26] hold what they begin at: nothing of it is given up or handed over", () => {
    const device = deviceWithBacklog();
    confirm(device.state, device.state.outbox);
    const unlistedFromMs = device.state.unlistedFromMs!;
    const later = instantOf(count) * 2;
    expect(handOver(device.state, unlistedFromMs + 1, later)).toEqual({ pending: 1 });
    giveUpExpired(device.state, device.ring, later);
    expect(device.state.evictedThroughMs).toBe(unlistedFromMs);
    expect(unsettledFromMs(device.state)).toBe(unlistedFromMs);
    for (let i = 0; i < 50; i++) device.commit(later, [{ at: later - i * everyMs, metrics: { m: 1 } }], true);
    expect([...device.ring.rows.values()].some(({ startMs }) => startMs === unlistedFromMs)).toBe(true);
    expect(device.state.evictedThroughMs).toBe(unlistedFromMs);
  });

  it("[D41] deserve a commit when the outbox has room again and nothing else would make one", () => {
    const device = deviceWithBacklog();
    device.commit(START_MS, [{ at: START_MS - 1, metrics: { m: 1 } }]);
    device.state.bucketMs = HOUR_MS;
    const taken = confirm(device.state, device.state.outbox.slice(1));
    const fresh = taken.map((pending) => ({ ...pending, attempts: 1 }));
    expect(needsCommit(device.state, fresh)).toBe(false);
    confirm(device.state, device.state.outbox);
    expect(needsCommit(device.state, fresh)).toBe(true);
    expect(isOverdue(device.state, 0, TIMING)).toBe(true);
  });
});

describe("a confirmation", () => {
  it("[D14] takes off what it names, and says which", () => {
    const device = deviceWithPending(0, 1, 2);
    const stored = [0, 2, 7].map((hour) => ({ startMs: START_MS + hour * HOUR_MS, revision: 1 }));
    expect(startsOf(confirm(device.state, stored)).sort()).toEqual([0, 2]);
    expect(startsOf(device.state.outbox)).toEqual([1]);
    expect(confirm(device.state, stored)).toEqual([]);
  });

  it("[D14] of an older revision confirms nothing newer; of a newer one it confirms the older", () => {
    const device = deviceWithPending(0);
    device.commit(now, [reading(0, 2)], true);
    expect(confirm(device.state, [{ startMs: START_MS, revision: 1 }])).toEqual([]);
    expect(device.state.outbox).toHaveLength(1);
    expect(confirm(device.state, [{ startMs: START_MS, revision: 3 }])).toHaveLength(1);
  });

  it("[D41] deserves a commit of its own when none is expected soon, or when it was forgotten once", () => {
    const idle = deviceWithPending(0);
    expect(needsCommit(idle.state, confirm(idle.state, [{ startMs: START_MS, revision: 1 }]))).toBe(true);
    const busy = deviceWithPending(0);
    busy.commit(now, [reading(-1)]);
    const [first] = busy.state.outbox;
    expect(needsCommit(busy.state, [first!])).toBe(false);
    expect(needsCommit(busy.state, [{ ...first!, attempts: 2 }])).toBe(true);
    const slow = deviceWithPending(0);
    slow.commit(now, [reading(50)]);
    expect(needsCommit(slow.state, [first!])).toBe(true);
  });

  it("[D42] [D24] of another life confirms nothing; one that says none is of the first", () => {
    const device = deviceWithPending(0);
    const receipt = { startMs: START_MS, revision: 1 };
    expect(confirm(device.state, [{ ...receipt, generation: 1 }])).toEqual([]);
    device.state.generation = 1;
    expect(confirm(device.state, [receipt, { ...receipt, generation: 0 }])).toEqual([]);
    expect(confirm(device.state, [{ ...receipt, generation: 1 }])).toHaveLength(1);
    const first = deviceWithPending(0);
    expect(confirm(first.state, [receipt])).toHaveLength(1);
  });
});
