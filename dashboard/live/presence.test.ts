import { describe, expect, it } from "vitest";
import { formatInstant } from "../base/format.ts";
import { presenceInWords, presenceOf } from "./presence.ts";

const HOUR_MS = 3_600_000;
const AT = Date.UTC(2026, 0, 5, 12);
const heard = (reportEveryMs: number | null | undefined, connected = false) => ({
  connected,
  lastReceivedAt: AT,
  reportEveryMs,
});

describe("[L9] presence is judged by the device's own rhythm", () => {
  it.each([
    [10_000, 30_000, "reporting"],
    [10_000, 30_001, "quiet"],
    [1_000, 29_000, "reporting"],
    [1_000, 31_000, "quiet"],
    [HOUR_MS, 3 * HOUR_MS, "reporting"],
    [HOUR_MS, 3 * HOUR_MS + 1, "quiet"],
    [null, HOUR_MS, "reporting"],
    [null, HOUR_MS + 1, "quiet"],
    [undefined, HOUR_MS, "reporting"],
  ] as const)("[L9] every %s ms, heard %i ms ago: %s", (everyMs, agoMs, presence) => {
    expect(presenceOf(heard(everyMs), AT + agoMs)).toBe(presence);
  });

  it("[L9] a clock that is behind the server's makes nobody quiet", () => {
    expect(presenceOf(heard(1_000), AT - HOUR_MS)).toBe("reporting");
  });

  it("[L9] a socket alone is no report: its device is connected, and quiet", () => {
    expect(presenceOf(heard(10_000, true), AT + 10_000)).toBe("reporting");
    expect(presenceOf(heard(10_000, true), AT + 60_000)).toBe("connected");
    expect(presenceOf({ connected: true, lastReceivedAt: null }, AT)).toBe("connected");
    expect(presenceOf({ connected: false, lastReceivedAt: null }, AT)).toBe("quiet");
  });

  it("[L9] says it in words, and since when", () => {
    const since = formatInstant(AT);
    expect(presenceInWords(heard(HOUR_MS), AT + HOUR_MS)).toBe("reporting");
    expect(presenceInWords(heard(10_000), AT + HOUR_MS)).toBe(`quiet since ${since}`);
    expect(presenceInWords(heard(10_000, true), AT + HOUR_MS)).toBe(`connected, quiet since ${since}`);
    expect(presenceInWords({ connected: false, lastReceivedAt: null }, AT)).toBe("no report received");
  });
});
