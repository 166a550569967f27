import { afterEach, expect, it, vi } from "vitest";
import { FAILURES_MAX, FailedSignIns } from "./failed-sign-ins.ts";
import type { Problem } from "./problem.ts";

const NOW = Date.UTC(2026, 0, 5);

afterEach(() => void vi.useRealTimers());

/** The problem, or undefined. */
function noted(failures: FailedSignIns, address: string | null): Problem | undefined {
  try {
    failures.note(address);
    return undefined;
  } catch (error) {
    return error as Problem;
  }
}

it("[F23] the twenty-first token within a minute that is none is too many, for the rest of that minute", () => {
  vi.useFakeTimers({ toFake: ["Date"], now: NOW });
  const failures = new FailedSignIns();
  for (let i = 0; i < FAILURES_MAX; i++) expect(noted(failures, "192.0.2.1")).toBeUndefined();
  vi.setSystemTime(NOW + 20_000);
  const problem = noted(failures, "192.0.2.1")!;
  expect([problem.code, problem.status, problem.retryAfterMs]).toEqual(["too_many_failures", 429, 40_000]);
  expect(noted(failures, "192.0.2.2")).toBeUndefined();
  vi.setSystemTime(NOW + 60_000);
  expect(noted(failures, "192.0.2.1")).toBeUndefined();
});

it("[F23] no more than ten thousand addresses are remembered, and none where there is none", () => {
  const failures = new FailedSignIns();
  for (let i = 0; i < 12_000; i++) failures.note(`2001:db8::${i.toString(16)}`);
  for (let i = 0; i < 100; i++) failures.note(null);
  expect(failures.size).toBe(10_000);
});
