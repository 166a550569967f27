// POST /v1/telemetry: a body of reports → verdicts, answered after every device has committed.
import { describe, shortened } from "../../core/decode/check-report.ts";
import {
  countReadings,
  type GroupedReports,
  groupReports,
  listProblems,
} from "../../core/decode/group-reports.ts";
import {
  hasMoreBrackets,
  hasMoreElements,
  hasMoreLines,
  looksLikeLines,
  type ParsedReport,
  parseJsonBody,
  parseNdjsonBody,
} from "../../core/decode/parse-json.ts";
import type { Caller } from "../../core/token/verify.ts";
import {
  BODY_BYTES_MAX,
  BRACKETS_PER_REQUEST_MAX,
  EACH_VERDICT_READINGS_MAX,
  REPORTS_PER_REQUEST_MAX,
} from "../../schemas/limits.ts";
import { nowMs } from "../clock.ts";
import { Problem, retryAfterOf, revokedProblem } from "../problem.ts";
import { readQuery } from "../query.ts";
import { type BodyLimit, readBody } from "../read-body.ts";
import { authenticateSender } from "./device-certificate.ts";
import type { IngestEnv } from "./env.ts";
import { type Held, inFlight } from "./in-flight.ts";
import { answerOf, rangesOf, sendReports } from "./send-reports.ts";

const LIMIT: BodyLimit = { mostBytes: BODY_BYTES_MAX, remedy: "send it in parts" };

const NDJSON = new Set([
  "application/x-ndjson",
  "application/ndjson",
  "application/jsonl",
  "application/x-jsonlines",
]);

/**
 * Answers `POST /v1/telemetry`. Returns 200 when a reading was taken or nothing was wrong; 422 with the same body
 * when none was taken, for a device that looks at the status only; `?status=200` asks for 200 then too, and
 * `?verdicts=each` for the verdict on each reading. `retryAfterMs` and `Retry-After` of such an answer ask the device to wait
 * before it sends more, which it need not.
 * @throws Problem when the body cannot be read, the token does not allow it, or what became of all reports is not
 * known.
 */
export async function acceptTelemetry(request: Request, env: IngestEnv): Promise<Response> {
  const now = nowMs(env, request);
  const caller = await authenticateSender(request, env);
  const wishes = wishesOf(request.url);
  const held = inFlight.hold(caller.tenant, 0);
  try {
    return await accept(request, env, caller, { ...wishes, now, held });
  } finally {
    held.release();
  }
}

async function accept(
  request: Request,
  env: IngestEnv,
  caller: Caller,
  { emptyStatus, wantsEach, now, held }: Wishes & { now: number; held: Held },
): Promise<Response> {
  const parsed = parse(request, await readBody(request, { ...LIMIT, held }));
  const grouped = groupReports(parsed, caller.device, now, wantsEach);
  const listed = listProblems(grouped.problems, grouped.notes);
  if (grouped.mismatched === parsed.length && parsed.length > 0) {
    throw new Problem("device_mismatch", grouped.problems[0]!.message, { problems: listed });
  }
  if (grouped.shapeless === parsed.length && parsed.length > 0) {
    const { code, message } = grouped.problems[0]!;
    throw new Problem(code === "malformed_json" ? code : "invalid_report", message, { problems: listed });
  }
  if (wantsEach) checkReadings(grouped);
  const outcome = await sendReports(env, caller, grouped, now);
  if (outcome.isVoid) return revokedProblem().toResponse(answerOf(outcome));
  if (outcome.unavailable) {
    const detail =
      "some devices' objects are away; send the whole request again: what was stored is known as duplicate";
    return new Problem("unavailable", detail).toResponse(answerOf(outcome));
  }
  const answer = answerOf(outcome);
  const { limited, limitCode, retryAfterMs, slowDownMs } = outcome;
  if (limitCode !== undefined) {
    const detail = `${limited.length} of ${parsed.length} reports were more than may be sent; the others have their verdict: send those of limitedReports again in ${retryAfterMs} ms`;
    const problem = new Problem(limitCode, detail, { retryAfterMs });
    return problem.toResponse({ ...answer, limitedReports: rangesOf(limited) });
  }
  const taken = answer.stored + answer.duplicate + answer.corrected + answer.late + answer.quarantined;
  const status = taken === 0 && answer.problems.length > 0 ? emptyStatus : 200;
  if (slowDownMs === 0) return Response.json(answer, { status });
  const headers = { "retry-after": retryAfterOf(slowDownMs) };
  return Response.json({ ...answer, retryAfterMs: slowDownMs }, { status, headers });
}

interface Wishes {
  emptyStatus: number;
  wantsEach: boolean;
}

/** The status of an answer that took no reading, and whether the verdict on each reading is wanted. */
function wishesOf(url: string): Wishes {
  const { status, verdicts } = readQuery(url, ["status", "verdicts"]);
  if (status !== undefined && status !== "200")
    throw new Problem("invalid_query", `status: only 200 can be asked for, not ${describe(status)}`);
  if (verdicts !== undefined && verdicts !== "each")
    throw new Problem("invalid_query", `verdicts: only each can be asked for, not ${describe(verdicts)}`);
  return { emptyStatus: status === undefined ? 422 : 200, wantsEach: verdicts === "each" };
}

/** @throws Problem `invalid_query`: more readings than are told one by one. */
function checkReadings(grouped: GroupedReports): void {
  const readings = countReadings(grouped) + grouped.refused;
  if (readings <= EACH_VERDICT_READINGS_MAX) return;
  const detail = `verdicts=each lists at most ${EACH_VERDICT_READINGS_MAX} readings a request; this one has ${readings}`;
  throw new Problem(
    "invalid_query",
    `${detail}: send it in parts, or without verdicts; nothing of it was taken`,
  );
}

/** @throws Problem when it is too much or none of it can be read; what is too much is not parsed. */
function parse(request: Request, text: string): ParsedReport[] {
  const type = (request.headers.get("content-type") ?? "application/json")
    .split(";", 1)[0]!
    .trim()
    .toLowerCase();
  const ndjson = NDJSON.has(type);
  if (!ndjson && type !== "application/json") {
    throw new Problem(
      "unsupported_media_type",
      `content-type ${shortened(type)} is not known; send application/json or application/x-ndjson`,
    );
  }
  if (!/\S/.test(text)) throw new Problem("empty_body", "the body is empty; send a report");
  if ((ndjson ? hasMoreLines : hasMoreElements)(text, REPORTS_PER_REQUEST_MAX)) {
    const message = `${REPORTS_PER_REQUEST_MAX + 1} reports or more in one request; at most ${REPORTS_PER_REQUEST_MAX} are taken: send it in parts`;
    throw new Problem("payload_too_large", message);
  }
  if (hasMoreBrackets(text, BRACKETS_PER_REQUEST_MAX)) {
    const message = `more than ${BRACKETS_PER_REQUEST_MAX} objects and arrays in one request; a report has two: send it in parts`;
    throw new Problem("payload_too_large", message);
  }
  try {
    return ndjson ? parseNdjsonBody(text) : parseJsonBody(text);
  } catch (error) {
    const hint = looksLikeLines(text) ? "; for one report a line send application/x-ndjson" : "";
    throw new Problem("malformed_json", `the body is not JSON: ${(error as Error).message}${hint}`);
  }
}
