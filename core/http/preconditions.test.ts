import { expect, it } from "vitest";
import { httpDate, judge } from "./preconditions.ts";

const SECOND = Date.UTC(2026, 0, 2, 3, 4, 5);
const FILE = { etag: '"abc"', modifiedMs: SECOND + 678 };
const SEND = { kind: "send", isRangeValid: true };
const WHOLE = { kind: "send", isRangeValid: false };
const FAILED = { kind: "failed" };
const UNCHANGED = { kind: "unchanged" };
const at = httpDate(FILE.modifiedMs);
const before = httpDate(SECOND - 1_000);
const after = httpDate(SECOND + 1_000);

it.each([
  [{}, SEND],
  [{ "if-match": '"abc"' }, SEND],
  [{ "if-match": '"x", "abc"' }, SEND],
  [{ "if-match": "*" }, SEND],
  [{ "if-match": '"x"' }, FAILED],
  [{ "if-match": 'W/"abc"' }, FAILED],
  [{ "if-match": "abc" }, FAILED],
  [{ "if-match": '"abc"', "if-unmodified-since": before }, SEND],
  [{ "if-unmodified-since": at }, SEND],
  [{ "if-unmodified-since": after }, SEND],
  [{ "if-unmodified-since": before }, FAILED],
  [{ "if-unmodified-since": "yesterday" }, SEND],
  [{ "if-none-match": '"abc"' }, UNCHANGED],
  [{ "if-none-match": 'W/"abc"' }, UNCHANGED],
  [{ "if-none-match": '"x",W/"y" , "abc"' }, UNCHANGED],
  [{ "if-none-match": "*" }, UNCHANGED],
  [{ "if-none-match": '"x"' }, SEND],
  [{ "if-none-match": "abc" }, SEND],
  [{ "if-none-match": '"x"', "if-modified-since": at }, SEND],
  [{ "if-modified-since": at }, UNCHANGED],
  [{ "if-modified-since": after }, UNCHANGED],
  [{ "if-modified-since": before }, SEND],
  [{ "if-modified-since": "2026-01-02" }, SEND],
  [{ "if-modified-since": "Friday, 02-Jan-26 03:04:05 GMT" }, UNCHANGED],
  [{ "if-modified-since": "Fri Jan  2 03:04:05 2026" }, UNCHANGED],
  [{ "if-modified-since": "Fri Jan  2 03:04:04 2026" }, SEND],
  [{ "if-match": '"x"', "if-none-match": '"abc"' }, FAILED],
  [{ "if-match": '"abc"', "if-none-match": '"abc"' }, UNCHANGED],
  [{ "if-none-match": '"abc"', "if-range": '"x"' }, UNCHANGED],
  [{ "if-range": '"abc"' }, SEND],
  [{ "if-range": 'W/"abc"' }, WHOLE],
  [{ "if-range": '"x"' }, WHOLE],
  [{ "if-range": at }, SEND],
  [{ "if-range": before }, WHOLE],
  [{ "if-range": after }, WHOLE],
  [{ "if-range": "nonsense" }, WHOLE],
] as [Record<string, string>, object][])("[Q36] %j", (headers, judged) => {
  expect(judge(new Headers(headers), FILE)).toEqual(judged);
});
