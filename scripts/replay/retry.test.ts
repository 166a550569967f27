import { expect, it } from "vitest";
import { BACKOFF_MAX_MS, backoffMs, isTransient, parseRetryAfterMs, sleep } from "./retry.ts";

it.each([
  [1, undefined, 0, 100],
  [1, undefined, 1, 200],
  [3, undefined, 0, 400],
  [40, undefined, 1, BACKOFF_MAX_MS],
  [1, 2000, 0, 2000],
  [1, 2000, 1, 2200],
  [1, 0, 0, 100],
  [40, 60_000, 0, 60_000],
])(
  "wait before repetition %i with Retry-After %s and chance %d is %i ms",
  (attempt, retryAfterMs, random, expected) => {
    expect(backoffMs(attempt, retryAfterMs, random)).toBe(expected);
  },
);

const nowMs = Date.UTC(2026, 10, 22, 12);
it.each([
  [null, undefined],
  ["", undefined],
  ["2", 2000],
  ["0.5", 500],
  ["-1", undefined],
  ["soon", undefined],
  ["Sun, 22 Nov 2026 12:00:30 GMT", 30_000],
  ["Sun, 22 Nov 2026 11:00:00 GMT", 0],
])("Retry-After %j is %s ms", (header, expected) => {
  expect(parseRetryAfterMs(header, nowMs)).toBe(expected);
});

it("a full or absent server may do better later, a refusal will not", () => {
  expect([429, 500, 502, 503, 504].every(isTransient)).toBe(true);
  expect([200, 400, 401, 403, 404, 413, 415].some(isTransient)).toBe(false);
});

it("a sleep ends at once when the signal aborts", async () => {
  const controller = new AbortController();
  const startedAt = performance.now();
  setTimeout(() => controller.abort(), 10);
  await sleep(60_000, controller.signal);
  await sleep(60_000, controller.signal);
  expect(performance.now() - startedAt).toBeLessThan(5_000);
});
