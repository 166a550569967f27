// One WebSocket frame of a device → a checked report, a flush, or what was wrong with it.

import { FRAME_BYTES_MAX } from "../../schemas/limits.ts";
import type { ServerFrame } from "../../schemas/reading.ts";
import { type CheckedReport, checkReport } from "./check-report.ts";
import { type ParsedValue, parseNumbers } from "./parse-json.ts";
import { unknownNames } from "./unknown-names.ts";

/** The frame that says what is wrong with a frame or a reading. */
export type ProblemFrame = Extract<ServerFrame, { type: "problem" }>;

/** What one frame of a device was: a checked report, a flush, or neither. */
export type DecodedFrame =
  | {
      type: "report";
      seq: number;
      receivedAt: number;
      report: CheckedReport | undefined;
      refused: number;
      problems: ProblemFrame[];
    }
  | { type: "flush"; problems: ProblemFrame[] }
  | { type: "invalid"; problem: ProblemFrame };

/**
 * Decodes a frame. `nowOf` returns the receipt time, epoch ms, from what the frame says of it where frames may say
 * so. Never throws: what is wrong with a frame is returned.
 */
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
  let parsed: ParsedValue;
  try {
    parsed = parseNumbers(message);
  } catch (error) {
    const seq = /"seq"\s*:\s*(\d{1,15})/.exec(message)?.[1];
    return invalid("malformed_json", `the frame is not JSON: ${(error as Error).message}`, seq);
  }
  const { value, written } = parsed;
  const { type, seq } = (value ?? {}) as { type?: unknown; seq?: unknown };
  if (type === "flush") return { type, problems: unknownInFlush(Object.keys(value as object)) };
  if (type !== "report")
    return invalid("invalid_frame", 'a frame is {"type":"report","seq":…,"metrics":{…}} or {"type":"flush"}');
  if (typeof seq !== "number" || !Number.isSafeInteger(seq) || seq < 0) {
    return invalid(
      "missing_seq",
      'a report frame has a "seq", an integer from 0 that rises with each report',
    );
  }
  const { type: _type, seq: _seq, clockMs, ...report } = value as Record<string, unknown>;
  const receivedAt = nowOf(clockMs);
  const { problems, ...checked } = checkReport(report, 0, receivedAt, written);
  return {
    type,
    seq,
    receivedAt,
    ...checked,
    problems: problems.map((problem) => ({ type: "problem", seq, ...problem })),
  };
}

function unknownInFlush(fields: readonly string[]): ProblemFrame[] {
  const unknown = fields.filter((field) => field !== "type");
  if (unknown.length === 0) return [];
  const message = unknownNames("field of a flush", unknown, ["type"]);
  return [{ type: "problem", index: 0, code: "unknown_field", message }];
}

/** A UTF-16 unit takes at most three bytes, so only a long text has to be counted. */
const utf8Bytes = (text: string) =>
  text.length * 3 <= FRAME_BYTES_MAX ? text.length : new TextEncoder().encode(text).length;

const invalid = (code: ProblemFrame["code"], message: string, seq?: string): DecodedFrame => ({
  type: "invalid",
  problem: { type: "problem", ...(seq === undefined ? {} : { seq: Number(seq) }), index: 0, code, message },
});
