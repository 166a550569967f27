import { expect, it } from "vitest";
import {
  ASK_EVERY_BYTES,
  afterAnswer,
  afterSending,
  afterSleep,
  type Credit,
  FULL_CREDIT,
  isOverdrawn,
  isToBeWritten,
  UNANSWERED_BYTES_MAX,
} from "./credit.ts";

/** Sends frames of so many bytes, numbered from 1, until one is one too many, or `most` are sent. */
function send(frameBytes: number, most: number, answer: (askedSeq: number) => number | undefined) {
  let credit: Credit = FULL_CREDIT;
  let bytes = 0;
  let asked = 0;
  for (let seq = 1; seq <= most; seq++) {
    if (isOverdrawn(credit, frameBytes)) return { isCut: true, bytes, asked };
    credit = afterSending(credit, { bytes: frameBytes, seq });
    bytes += frameBytes;
    if (credit.askedSeq !== seq) continue;
    asked++;
    const said = answer(seq);
    if (said !== undefined) credit = afterAnswer(credit, said);
  }
  return { isCut: false, bytes, asked };
}

it.each([100, 10_000, 999_999])(
  "[L26] a viewer that answers nothing is asked once and cut a megabyte later, with frames of %i bytes",
  (frameBytes) => {
    const { isCut, bytes, asked } = send(frameBytes, 1e5, () => undefined);
    expect([isCut, asked]).toEqual([true, 1]);
    expect(bytes).toBeLessThanOrEqual(ASK_EVERY_BYTES + frameBytes + UNANSWERED_BYTES_MAX);
    expect(bytes).toBeGreaterThan(UNANSWERED_BYTES_MAX - frameBytes);
  },
);

it("[L26] one that answers is asked each 256 KB, and never cut", () => {
  const { isCut, asked } = send(1_000, 1e5, (seq) => seq);
  expect([isCut, asked]).toEqual([false, Math.floor(1e5 / Math.ceil(ASK_EVERY_BYTES / 1_000))]);
});

it("[L26] a number that was not asked for is no answer", () => {
  expect(send(1_000, 1e5, (seq) => seq - 1).isCut).toBe(true);
  expect(send(1_000, 1e5, () => Number.MAX_SAFE_INTEGER).isCut).toBe(true);
});

it("[L26] what was sent since the question counts on when it is answered", () => {
  const asked = afterSending(FULL_CREDIT, { bytes: ASK_EVERY_BYTES, seq: 7 });
  expect(asked).toEqual({ bytes: 0, askedSeq: 7 });
  const more = afterSending(asked, { bytes: 900_000, seq: 8 });
  expect(isOverdrawn(more, 100_000)).toBe(false);
  expect(isOverdrawn(more, 100_001)).toBe(true);
  const answered = afterAnswer(more, 7);
  expect(isOverdrawn(answered, 1e9)).toBe(false);
  expect(afterSending(answered, { bytes: 1, seq: 9 })).toEqual({ bytes: 0, askedSeq: 9 });
});

it.each([1, 300, 5_000])(
  "[L26] however often the object sleeps, at least what was sent is counted, with frames of %i bytes",
  (frameBytes) => {
    let credit: Credit | undefined;
    let written: Credit | undefined;
    let bytes = 0;
    for (let seq = 1; bytes < 200_000 && seq < 20_000; seq++) {
      if (seq % 7 === 0) credit = undefined;
      const before = credit ?? afterSleep(written);
      const after = afterSending(before, { bytes: frameBytes, seq });
      if (credit === undefined || isToBeWritten(before, after)) written = after;
      credit = after;
      bytes += frameBytes;
      if (after.askedSeq !== undefined) break;
      expect(after.bytes).toBeGreaterThanOrEqual(bytes);
      expect(afterSleep(written).bytes).toBeGreaterThanOrEqual(after.bytes);
    }
  },
);
