import { expect, it } from "vitest";
import { type Cursor, cursorText, parseCursor } from "./cursor.ts";

it.each<Cursor>([
  { resolution: "raw", fromMs: 0, toMs: 1 },
  { resolution: "1h", fromMs: 3_600_000, toMs: 7_200_000 },
  { resolution: "1d", fromMs: 1_763_856_000_000, toMs: 1e14 },
  { resolution: "1d", fromMs: 0, toMs: 1, timeZone: "America/Argentina/ComodRivadavia" },
  { resolution: "raw", fromMs: 0, toMs: 1, timeZone: "Etc/GMT+5" },
])("[Q12] a cursor says where the page before ended: %j", (cursor) => {
  expect(parseCursor(cursorText(cursor))).toEqual(cursor);
  expect(parseCursor(new URLSearchParams(`after=${cursorText(cursor)}`).get("after")!)).toEqual(cursor);
});

it.each([
  "",
  "1h",
  "1h_1_",
  "1h_2_1",
  "1h_1_1",
  "2m_1_2",
  "auto_1_2",
  "toString_1_2",
  "raw_1.5_2",
  "raw_-1_2",
  "raw_1_9e15",
  `raw_1_${1e14 + 1}`,
  " raw_1_2",
  "1d_1_2_",
  "1d_1_2_Mars",
  "1d_1_2_%",
])("[Q12] %j is none", (text) => {
  expect(parseCursor(text)).toBeUndefined();
});
