import { describe, expect, it } from "vitest";
import { chooseNext, type Waiting } from "./next.ts";

const NOW = 1_000_000;
const WELL = { failures: 0, retryAt: 0 };
const NONE = new Set<number>();
const waiting = (...own: Partial<Waiting>[]): Waiting[] =>
  own.map((change, i) => ({
    ...{ seq: i + 1, incident: `i${i + 1}`, kind: "fire", attempts: 0, dueAt: NOW, isTold: false },
    ...change,
  }));

describe("what is sent next", () => {
  it("[A33] a channel that does well: oldest first, six at once", () => {
    const eight = waiting(...Array.from({ length: 8 }, () => ({})));
    expect(chooseNext(eight, NONE, WELL, NOW)).toEqual({
      start: [1, 2, 3, 4, 5, 6],
      drop: [],
      wakeAt: undefined,
    });
    expect(chooseNext(eight, new Set([1, 2, 3, 4]), WELL, NOW).start).toEqual([5, 6]);
    expect(chooseNext(eight, new Set([1, 2, 3, 4, 5, 6]), WELL, NOW).start).toEqual([]);
  });

  it("[A32] [A33] of an incident one at a time, in their order", () => {
    const own = waiting({ incident: "a" }, { incident: "a", kind: "resolve" }, { incident: "b" });
    expect(chooseNext(own, NONE, WELL, NOW).start).toEqual([1, 3]);
    expect(chooseNext(own, new Set([1]), WELL, NOW).start).toEqual([3]);
    // Also while the first of them waits for its next attempt.
    const later = waiting({ incident: "a", dueAt: NOW + 5 }, { incident: "a", kind: "resolve" });
    expect(chooseNext(later, NONE, WELL, NOW)).toEqual({ start: [], drop: [], wakeAt: NOW + 5 });
  });

  it("[A32] a resolve goes when its incident was told, and never when it was not", () => {
    expect(chooseNext(waiting({ kind: "resolve", isTold: true }), NONE, WELL, NOW).start).toEqual([1]);
    const untold = waiting({ incident: "a", kind: "resolve" }, { incident: "b" });
    expect(chooseNext(untold, NONE, WELL, NOW)).toEqual({ start: [2], drop: [1], wakeAt: undefined });
  });

  it("[A33] a channel that fails: nothing before its time, then one, the one tried least", () => {
    const failing = { failures: 3, retryAt: NOW + 10 };
    const own = waiting({ attempts: 3 }, { attempts: 1 }, { attempts: 1 });
    expect(chooseNext(own, NONE, failing, NOW)).toEqual({ start: [], drop: [], wakeAt: NOW + 10 });
    expect(chooseNext(own, NONE, failing, NOW + 10).start).toEqual([2]);
    expect(chooseNext(own, new Set([2]), failing, NOW + 10).start).toEqual([]);
  });

  it("[A33] a message waits for its own next attempt too", () => {
    const own = waiting({ dueAt: NOW + 20 }, { dueAt: NOW + 10 }, {});
    expect(chooseNext(own, NONE, WELL, NOW)).toEqual({ start: [3], drop: [], wakeAt: NOW + 10 });
    const failing = { failures: 1, retryAt: NOW + 5 };
    expect(chooseNext(own.slice(0, 2), NONE, failing, NOW).wakeAt).toBe(NOW + 10);
  });

  it("[A33] nothing waits: nothing is to be done", () => {
    expect(chooseNext([], NONE, WELL, NOW)).toEqual({ start: [], drop: [], wakeAt: undefined });
  });
});
