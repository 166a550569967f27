import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FRAME_BYTES_MAX } from "../../schemas/limits.ts";
import { deviceFrame, serverFrame } from "../../schemas/reading.ts";
import { decodeFrame } from "./device-frame.ts";

const now = Date.UTC(2026, 0, 1);
const decode = (message: string | ArrayBuffer) => decodeFrame(message, () => now);

describe("a good frame", () => {
  it("[I18] a report has its seq, its receipt time and its readings", () => {
    expect(decode('{"type":"report","seq":7,"metrics":{"a":1}}')).toEqual({
      type: "report",
      seq: 7,
      receivedAt: now,
      report: { device: undefined, at: now, names: ["a"], values: [1] },
      refused: 0,
      problems: [],
    });
  });

  it("[I18] a flush is a flush", () => {
    expect(decode('{"type":"flush"}')).toEqual({ type: "flush", problems: [] });
  });

  it("[I18] the receipt time is what the caller makes of what the frame says of it", () => {
    const frame = decodeFrame(
      '{"type":"report","seq":0,"clockMs":5,"metrics":{}}',
      (said) => now + Number(said),
    );
    expect(frame).toMatchObject({ receivedAt: now + 5 });
  });

  it("[I23] what means nothing in a frame is named by one problem, and costs no reading", () => {
    const frame = decode('{"type":"report","seq":3,"clockMs":5,"metrics":{"a":1},"metricz":{},"unit":"C"}');
    expect(frame).toMatchObject({ seq: 3, refused: 0, report: { names: ["a"], values: [1] } });
    expect(frame).toMatchObject({ problems: [{ type: "problem", seq: 3, index: 0, code: "unknown_field" }] });
    const [problem] = (frame as { problems: { message: string }[] }).problems;
    expect(problem!.message).toBe(
      'no field is called "metricz" (did you mean "metrics"?), "unit"; there are at, device, metrics',
    );
    expect(serverFrame.parse(problem)).toEqual(problem);
    expect(decode('{"type":"flush","seq":3}')).toMatchObject({
      type: "flush",
      problems: [{ type: "problem", code: "unknown_field", message: expect.stringContaining('"seq"') }],
    });
  });

  it("[I10] a report partly bad keeps its good readings, and its problems carry the seq", () => {
    const frame = decode('{"type":"report","seq":3,"metrics":{"a":1,"b":NaN}}');
    expect(frame).toMatchObject({ refused: 1, report: { names: ["a"] } });
    expect(frame).toMatchObject({
      problems: [{ type: "problem", seq: 3, index: 0, metric: "b", code: "not_finite" }],
    });
  });
});

describe("a bad frame", () => {
  it.each([
    ["unsupported_frame", new ArrayBuffer(4)],
    ["frame_too_large", `{"type":"flush","pad":"${"x".repeat(FRAME_BYTES_MAX)}"}`],
    ["frame_too_large", `{"type":"flush","pad":"${"温".repeat(FRAME_BYTES_MAX / 3)}"}`],
    ["malformed_json", "{"],
    ["malformed_json", ""],
    ["invalid_frame", "null"],
    ["invalid_frame", "7"],
    ["invalid_frame", "[]"],
    ["invalid_frame", '{"type":"hello"}'],
    ["invalid_frame", '{"seq":1,"metrics":{"a":1}}'],
    ["missing_seq", '{"type":"report","metrics":{"a":1}}'],
    ["missing_seq", '{"type":"report","seq":-1,"metrics":{"a":1}}'],
    ["missing_seq", '{"type":"report","seq":1.5,"metrics":{"a":1}}'],
    ["missing_seq", '{"type":"report","seq":9007199254740992,"metrics":{"a":1}}'],
    ["missing_seq", '{"type":"report","seq":"1","metrics":{"a":1}}'],
  ])("[I18] is answered by the problem %s", (code, message) => {
    const frame = decode(message);
    expect(frame).toMatchObject({ type: "invalid", problem: { type: "problem", code } });
    expect(frame.type === "invalid" && serverFrame.safeParse(frame.problem).success).toBe(true);
  });

  it("[I18] a frame of exactly the limit is read, whatever its characters", () => {
    for (const pad of ["x", "é", "温"]) {
      const empty = '{"type":"flush","pad":""}';
      const room = FRAME_BYTES_MAX - empty.length;
      const size = new TextEncoder().encode(pad).length;
      const text = pad.repeat(Math.floor(room / size)) + "x".repeat(room % size);
      expect(decode(empty.replace('""', `"${text}"`))).toMatchObject({ type: "flush" });
      expect(decode(empty.replace('""', `"${text}x"`))).toMatchObject({
        problem: { code: "frame_too_large" },
      });
    }
  });

  it("[I18] any text at all is decoded without throwing, to a frame of the contract or a problem", () => {
    const anything = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.json(),
      fc
        .record({
          type: fc.constantFrom("report", "flush", 1),
          seq: fc.oneof(fc.nat(), fc.double()),
          metrics: fc.jsonValue(),
        })
        .map((value) => JSON.stringify(value)),
    );
    fc.assert(
      fc.property(anything, (text) => {
        const frame = decode(text);
        const isFine = frame.type === "flush" || (frame.type === "report" && frame.problems.length === 0);
        if (isFine) expect(deviceFrame.safeParse(JSON.parse(text)).success).toBe(true);
        else expect(frame.type === "report" ? frame.problems : [frame]).not.toEqual([]);
      }),
    );
  });
});
