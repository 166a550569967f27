// One WebSocket frame of a device → a checked report, a flush, or what was wrong with it.

import { FRAME_BYTES_MAX } from "../../schemas/limits.ts";
import type { ServerFrame } from "../../schemas/reading.ts";
import { type CheckedReport, checkReport } from "./check-report.ts";
import { parseLenient } from "./parse-json.ts";

export type ProblemFrame = Extract<ServerFrame, { type: "problem" }>;

export type DecodedFrame =
  | {
      type: "report";
      seq: number;
      receivedAt: number;
      report: CheckedReport | undefined;
      refused: number;
      problems: ProblemFrame[];
    }
  | { type: "flush" }
  | { type: "invalid"; problem: ProblemFrame };

/** Decodes a frame; `nowOf` gives the receipt time, from what the frame says of it where that may be said. Never throws. */
export function decodeFrame(
  message: string | ArrayBuffer,
  nowOf: (clockMs: unknown) => number,
): DecodedFrame {
  if (typeof message !== "string")
    return invalid("unsupported_frame", "frames are JSON text; this one is binary");
  const bytes = utf8Bytes(message);
  if (bytes > FRAME_BYTES_MAX) {
    return invalid("frame_too_large", `a frame has at most ${FRAME_BYTES_MAX} bytes; this one has ${bytes}`);
  }
  let value: unknown;
  try {
    value = parseLenient(message);
  } catch (error) {
    const seq = /"seq"\s*:\s*(\d{1,15})/.exec(message)?.[1];
    return invalid("malformed_json", `the frame is not JSON: ${(error as Error).message}`, seq);
  }
  const { type, seq } = (value ?? {}) as { type?: unknown; seq?: unknown };
  if (type === "flush") return { type };
  if (type !== "report")
    return invalid("invalid_frame", 'a frame is {"type":"report","seq":…,"metrics":{…}} or {"type":"flush"}');
  if (typeof seq !== "number" || !Number.isSafeInteger(seq) || seq < 0) {
    return invalid(
      "missing_seq",
      'a report frame has a "seq", an integer from 0 that rises with each report',
    );
  }
  const receivedAt = nowOf((value as { clockMs?: unknown }).clockMs);
  const { report, refused, problems } = checkReport(value, 0, receivedAt);
  return {
    type,
    seq,
    receivedAt,
    report,
    refused,
    problems: problems.map((problem) => ({ type: "problem", seq, ...problem })),
  };
}

/** A UTF-16 unit takes at most three bytes, so only a long text has to be counted. */
const utf8Bytes = (text: string) =>
  text.length * 3 <= FRAME_BYTES_MAX ? text.length : new TextEncoder().encode(text).length;

const invalid = (code: ProblemFrame["code"], message: string, seq?: string): DecodedFrame => ({
  type: "invalid",
  problem: { type: "problem", ...(seq === undefined ? {} : { seq: Number(seq) }), index: 0, code, message },
});
