// What anybody may send costs time in proportion to its size: sizes are doubled four times, and the time may not grow
// much faster. A square would take 256 times as long for 16 times as much; 100 leaves room for a busy machine.
import { describe, expect, it } from "vitest";
import { instant } from "../../schemas/query.ts";
import { decodeFrame } from "./device-frame.ts";
import { groupReports } from "./group-reports.ts";
import {
  hasMoreBrackets,
  hasMoreElements,
  hasMoreLines,
  looksLikeLines,
  parseJsonBody,
  parseNdjsonBody,
} from "./parse-json.ts";

const NOW = Date.UTC(2026, 0, 1);
/** Characters: a square takes 30 ms of them, and seconds of sixteen times as many. */
const SMALL = 8_192;
const GROWTH_MAX = 100;
/** Less is noise, and counts as this: nothing linear takes a hundred times as long even of the large texts. */
const LEAST_MS = 5;

/** Texts by size, in characters. */
const TEXTS: Record<string, (size: number) => string> = {
  "a report, line ends and an x": (size) => `{}${"\n".repeat(size)}x`,
  "lines of one letter": (size) => "x\n".repeat(size / 2),
  "lines of blanks": (size) => " \t\r\n".repeat(size / 4),
  "one line of blanks": (size) => `{}\n${" ".repeat(size)}`,
  "an array of empty reports": (size) => `[${"{},".repeat(size / 3)}{}]`,
  "brackets that open": (size) => "[".repeat(size),
  "brackets, and nan in them": (size) => `${"[".repeat(size / 2)}nan${"]".repeat(size / 2)}`,
  "objects in objects": (size) => `{"metrics":${'{"a":'.repeat(size / 6)}1${"}".repeat(size / 6)}}`,
  "quotes that never end": (size) => `[nan,"${'\\"'.repeat(size / 2)}`,
  backslashes: (size) => `[nan,"${"\\".repeat(size)}"]`,
  "quotes without anything between": (size) => `[nan,${'"",'.repeat(size / 3)}""]`,
  "words that are no numbers": (size) => `{"metrics":{"a":[${"nan,".repeat(size / 4)}nan]}}`,
  "words that are nearly numbers": (size) => `[nan,${"nan(".repeat(size / 4)}]`,
  "a word that never ends": (size) => `[nan(${"a".repeat(size)}]`,
  "a number without end": (size) => `{"metrics":{"a":${"1".repeat(size)}}}`,
  "a fraction without end": (size) => `{"metrics":{"a":0.${"1".repeat(size)}}}`,
  "an exponent without end": (size) => `{"metrics":{"a":1e${"1".repeat(size)}}}`,
  "integers that are rounded": (size) => `{"metrics":{"a":[${"9007199254740993,".repeat(size / 17)}1]}}`,
  "integers of 300 digits": (size) => `{"metrics":{"a":[${`${"1".repeat(300)},`.repeat(size / 301)}1]}}`,
  "digits, signs and points": (size) => `[nan,${"-1.e+".repeat(size / 5)}]`,
  "readings that are none": (size) => `{"metrics":{${many(size, (i) => `"m${i}":"x"`)}}}`,
  "reports that are none": (size) => `[${many(size, () => '{"metrics":{"a":"x"}}')}]`,
  "fields that mean nothing": (size) => `{"metrics":{"a":1},${many(size, (i) => `"at${i}":1`)}}`,
  "one metric again and again": (size) => `{"metrics":{${many(size, () => '"a":1')}}}`,
  "a metric with a long name": (size) => `{"metrics":{"${"é".repeat(size)}":1}}`,
  "a device with a long name": (size) => `{"device":"${"a".repeat(size)}","metrics":{"a":1}}`,
  "a long text for a number": (size) => `{"metrics":{"a":"${"n".repeat(size)}"}}`,
  "a long text for an instant": (size) =>
    `{"at":"2026-01-01T00:00:00.${"1".repeat(size)}","metrics":{"a":1}}`,
  "a long number for an instant": (size) => `{"at":"${"2026".repeat(size / 4)}","metrics":{"a":1}}`,
  "seq and blanks": (size) => `{"seq"${" ".repeat(size / 2)}"seq"${" ".repeat(size / 2)}`,
};

const many = (size: number, part: (i: number) => string) => {
  const count = Math.floor(size / (part(size).length + 1));
  return Array.from({ length: count }, (_, i) => part(i)).join();
};

/** What a text goes through at each door; what is said of it has a bound, too. */
const DOORS: Record<string, (text: string) => unknown> = {
  "a JSON body": (text) =>
    hasMoreElements(text, 20_000) ||
    hasMoreBrackets(text, 200_000) ||
    answerTo(() => parseJsonBody(text), text),
  "an NDJSON body": (text) => hasMoreLines(text, 20_000) || answerTo(() => parseNdjsonBody(text), text),
  "a frame": (text) => decodeFrame(text.slice(0, 21_000), () => NOW),
};

function answerTo(parse: () => ReturnType<typeof parseJsonBody>, text: string): unknown {
  try {
    const { problems, notes } = groupReports(parse(), "d1", NOW);
    return { problems, notes };
  } catch (error) {
    return { message: (error as Error).message, hint: looksLikeLines(text) };
  }
}

/** The quickest of three runs, in ms: what else the machine does only makes it slower. */
function timeOf(run: () => unknown): number {
  const times = Array.from({ length: 3 }, () => {
    const start = performance.now();
    run();
    return performance.now() - start;
  });
  return Math.min(...times);
}

describe.each(Object.entries(DOORS))("%s", (_door, take) => {
  it.each(Object.entries(TEXTS))("[I27] of %s takes time in proportion to its size", (_what, textOf) => {
    const [small, large] = [textOf(SMALL), textOf(16 * SMALL)];
    take(small); // compiled
    const growth =
      timeOf(() => take(large)) /
      Math.max(
        timeOf(() => take(small)),
        LEAST_MS,
      );
    expect(growth).toBeLessThan(GROWTH_MAX);
  });

  it.each(Object.entries(TEXTS))("[I27] of %s is answered shortly", (_what, textOf) => {
    const answer = take(textOf(262_144));
    expect(JSON.stringify(answer).length).toBeLessThan(60_000);
  });
});

it("[I27] an instant in a question is read in proportion to its size", () => {
  for (const part of ["1", "2026", "2026-01-01T00:00:00", " ", "1 ", ":00", "2026-01-01T00:00:00.1111 "]) {
    const read = (size: number) => instant.safeParse(part.repeat(size / part.length));
    read(SMALL);
    expect(
      timeOf(() => read(16 * 65_536)) /
        Math.max(
          timeOf(() => read(65_536)),
          LEAST_MS,
        ),
    ).toBeLessThan(GROWTH_MAX);
  }
});
