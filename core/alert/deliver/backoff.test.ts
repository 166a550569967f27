import { describe, expect, it } from "vitest";
import { backoffMs } from "./backoff.ts";
import { isWithinBudget } from "./budget.ts";
import { type Failure, failed, outcomeOf } from "./outcome.ts";

const NOW = Date.UTC(2026, 10, 22, 10);

describe("back-off", () => {
  it("[A33] begins at a second, doubles to a quarter of an hour, a quarter more or less", () => {
    for (let failures = 1; failures < 40; failures++) {
      const plain = Math.min(900_000, 1_000 * 2 ** (failures - 1));
      const waits = Array.from({ length: 50 }, (_, i) => backoffMs(`key-${i}`, failures));
      expect(Math.min(...waits)).toBeGreaterThanOrEqual(plain * 0.75);
      expect(Math.max(...waits)).toBeLessThanOrEqual(plain * 1.25);
      expect(new Set(waits).size).toBeGreaterThan(40); // what failed together does not come back together
      expect(backoffMs("key-1", failures)).toBe(waits[1]); // and a restart changes nothing
    }
  });
});

describe("budget", () => {
  it.each([
    ["warning", 59, 60, true],
    ["warning", 60, 60, false],
    ["info", 1_000, null, true],
    ["critical", 1_000_000, 1, true],
  ] as const)("[A30] %s after %i messages, of %s an hour: %s", (severity, taken, max, expected) => {
    expect(isWithinBudget(severity, taken, max)).toBe(expected);
  });
});

describe("what came of an attempt", () => {
  const answered = (status: number, retryAfter: string | null = null) =>
    outcomeOf({ status, retryAfter, location: null, text: "" }, NOW);

  it("[A33] 2xx is delivered", () => {
    for (const status of [200, 201, 202, 204]) expect(answered(status)).toEqual({ sent: true });
  });

  it("[A35] a redirect is a failure that says so, and where to", () => {
    const outcome = outcomeOf({ status: 302, retryAfter: null, location: "http://10.0.0.1/", text: "" }, NOW);
    expect(outcome).toMatchObject({ sent: false, isRefused: false });
    expect(outcome).toHaveProperty(
      "error",
      expect.stringMatching(/302.*not followed.*http:\/\/10\.0\.0\.1\//),
    );
  });

  it("[A59] 4xx is for good, but for 408, 425 and 429; everything else may pass later", () => {
    for (let status = 400; status < 500; status++)
      expect(answered(status)).toHaveProperty("isRefused", ![408, 425, 429].includes(status));
    for (const status of [300, 301, 302, 307, 308, 500, 501, 502, 503, 504, 599])
      expect(answered(status)).toMatchObject({ sent: false, isRefused: false });
    expect(failed("no way", NOW)).toMatchObject({ sent: false, isRefused: false, error: "no way" });
  });

  it("[A59] what a provider says is shown on one line, and no more of it than 300 characters", () => {
    const text = `{"message":\r\n\t"The \u202esubject\u2028is odd"}${"x".repeat(1_000)}`;
    const { error } = outcomeOf({ status: 422, retryAfter: null, location: null, text }, NOW) as Failure;
    expect(error).toMatch(/^answered 422: \{"message": "The subject is odd"\}x+…$/);
    expect(error.length).toBe("answered 422: ".length + 300);
  });

  it.each([
    [429, "30", 30_000],
    [503, "Sun, 22 Nov 2026 10:01:00 GMT", 60_000],
    [503, "86400", 3_600_000],
    [429, "Sun, 22 Nov 2026 09:00:00 GMT", 0],
    [429, "soon", 0],
    [429, null, 0],
    [500, "30", 0],
  ])("[A33] %i with Retry-After %s waits %i ms", (status, retryAfter, waitMs) => {
    expect(answered(status, retryAfter)).toHaveProperty("notBeforeMs", NOW + waitMs);
  });

  it("[A33] what the receiver says is kept", () => {
    expect(outcomeOf({ status: 500, retryAfter: null, location: null, text: " boom\n" }, NOW)).toHaveProperty(
      "error",
      "answered 500: boom",
    );
  });
});
