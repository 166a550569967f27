// POST /v1/telemetry: a body of reports → verdicts, answered after every device has committed.
import { groupReports } from "../../core/decode/group-reports.ts";
import { type ParsedReport, parseJsonBody, parseNdjsonBody } from "../../core/decode/parse-json.ts";
import { REPORTS_PER_REQUEST_MAX } from "../../schemas/limits.ts";
import { authenticate } from "../authenticate.ts";
import { nowMs } from "../clock.ts";
import { Problem } from "../problem.ts";
import type { IngestEnv } from "./env.ts";
import { readBody } from "./read-body.ts";
import { answerOf, sendReports } from "./send-reports.ts";

const NDJSON = new Set([
  "application/x-ndjson",
  "application/ndjson",
  "application/jsonl",
  "application/x-jsonlines",
]);

/** @throws Problem as `docs` of the error codes say; a request with at least one readable report is always 200. */
export async function acceptTelemetry(request: Request, env: IngestEnv): Promise<Response> {
  const now = nowMs(env, request);
  const caller = await authenticate(request, env, ["device", "gateway"]);
  const parsed = parse(request, await readBody(request));
  const grouped = groupReports(parsed, caller.device, now);
  if (grouped.mismatched === parsed.length && parsed.length > 0) {
    throw new Problem("device_mismatch", grouped.problems[0]!.message, grouped.problems);
  }
  if (grouped.shapeless === parsed.length && parsed.length > 0) {
    const { code, message } = grouped.problems[0]!;
    throw new Problem(code === "malformed_json" ? code : "invalid_report", message, grouped.problems);
  }
  const outcome = await sendReports(env, caller.tenant, grouped, now);
  if (outcome.unavailable) {
    const detail =
      "some devices' objects are away; send the whole request again: what was stored is known as duplicate";
    return new Problem("unavailable", detail).toResponse(answerOf(outcome));
  }
  return Response.json(answerOf(outcome));
}

function parse(request: Request, text: string): ParsedReport[] {
  const type = (request.headers.get("content-type") ?? "application/json")
    .split(";")[0]!
    .trim()
    .toLowerCase();
  const ndjson = NDJSON.has(type);
  if (!ndjson && type !== "application/json") {
    throw new Problem(
      "unsupported_media_type",
      `content-type ${type} is not known; send application/json or application/x-ndjson`,
    );
  }
  if (text.trim() === "") throw new Problem("empty_body", "the body is empty; send a report");
  let parsed: ParsedReport[];
  try {
    parsed = ndjson ? parseNdjsonBody(text) : parseJsonBody(text);
  } catch (error) {
    const hint = /^\s*\{[^\n]*\}\s*\n\s*\{/.test(text)
      ? "; for one report a line send application/x-ndjson"
      : "";
    throw new Problem("malformed_json", `the body is not JSON: ${(error as Error).message}${hint}`);
  }
  if (parsed.length > REPORTS_PER_REQUEST_MAX) {
    const message = `${parsed.length} reports in one request; at most ${REPORTS_PER_REQUEST_MAX} are taken: send it in parts`;
    throw new Problem("payload_too_large", message);
  }
  return parsed;
}
