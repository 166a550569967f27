import * as fc from "fast-check";
import { expect, it } from "vitest";
import { byteRange } from "./range.ts";

const WHOLE = { kind: "whole" };
const BEYOND = { kind: "beyond" };
const part = (start: number, end: number) => ({ kind: "part", start, end });

it.each([
  [null, WHOLE],
  ["bytes=0-0", part(0, 1)],
  ["bytes=0-", part(0, 100)],
  ["bytes=99-", part(99, 100)],
  ["bytes=10-19", part(10, 20)],
  ["bytes=10-1000", part(10, 100)],
  ["bytes=10-99999999999999999999", part(10, 100)],
  ["Bytes=1-2", part(1, 3)],
  ["bytes= 1-2 ,", part(1, 3)],
  ["bytes=-1", part(99, 100)],
  ["bytes=-100", part(0, 100)],
  ["bytes=-500", part(0, 100)],
  ["bytes=100-", BEYOND],
  ["bytes=100-200", BEYOND],
  ["bytes=99999999999999999999-", BEYOND],
  ["bytes=-0", BEYOND],
  ["bytes=5-2", WHOLE],
  ["bytes=abc", WHOLE],
  ["bytes=a-b", WHOLE],
  ["bytes=-", WHOLE],
  ["bytes=", WHOLE],
  ["bytes", WHOLE],
  ["bytes=1", WHOLE],
  ["bytes=--1", WHOLE],
  ["bytes=1-2-3", WHOLE],
  ["bytes=1.5-3", WHOLE],
  ["bytes=+1-3", WHOLE],
  ["bytes=0x1-0x3", WHOLE],
  ["lines=0-3", WHOLE],
  ["bytes=0-1,4-5", WHOLE],
  ["bytes=0-1,200-", WHOLE],
  ["bytes=0-1=5", WHOLE],
  ["", WHOLE],
])("[Q35] %j of 100 bytes", (header, asked) => {
  expect(byteRange(header, 100)).toEqual(asked);
});

it("[Q35] of an empty file every range is beyond", () => {
  for (const header of ["bytes=0-", "bytes=0-0", "bytes=-5"]) expect(byteRange(header, 0)).toEqual(BEYOND);
});

it("[Q35] whatever the header, a part lies within the file", () => {
  fc.assert(
    fc.property(fc.string(), fc.nat(), (text, bytes) => {
      const asked = byteRange(`bytes=${text}`, bytes);
      if (asked.kind === "part")
        expect(0 <= asked.start && asked.start < asked.end && asked.end <= bytes).toBe(true);
    }),
  );
});
