// A body of reports → what `POST /v1/telemetry` answered, with every way of failing made a status.
import type { TelemetryAnswer } from "../../schemas/reading.ts";
import { parseRetryAfterMs } from "./retry.ts";

export interface Answer {
  /** 503 also stands for a server that did not answer at all. */
  status: number;
  /**
   * The verdicts; present when `status` is 200, at 422 (none was taken), at 429 (`limitedReports` were not taken), and at 503
   * when only some devices were out of reach.
   */
  body?: TelemetryAnswer;
  /** The code of the problem document. */
  code?: string;
  /** A sentence for people. */
  reason: string;
  retryAfterMs?: number;
}

/** A request that takes longer is taken for lost; sent again it is free. */
const REQUEST_TIMEOUT_MS = 60_000;

/** Posts NDJSON. Never throws: a refused connection is an answer of 503 like any other. */
export async function postReports(
  url: string,
  token: string,
  body: string,
  headers: Record<string, string> = {},
): Promise<Answer> {
  try {
    const response = await fetch(`${url}/v1/telemetry`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/x-ndjson", ...headers },
      body,
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
    });
    const retryAfterMs = parseRetryAfterMs(response.headers.get("retry-after"), Date.now());
    const text = await response.text();
    const parsed = parseJson(text);
    if (isTelemetryAnswer(parsed)) {
      return {
        status: response.status,
        body: parsed,
        reason: parsed.problems[0]?.message ?? "ok",
        retryAfterMs,
      };
    }
    if (response.status === 200)
      return { status: 502, reason: `200 with no verdicts in it: ${text.slice(0, 200)}` };
    const { code, detail } = (parsed ?? {}) as { code?: string; detail?: string };
    return { status: response.status, code, reason: detail ?? text.slice(0, 200), retryAfterMs };
  } catch (error) {
    const cause = (error as Error).cause;
    return {
      status: 503,
      reason: `${url} did not answer: ${(cause instanceof Error ? cause : (error as Error)).message}`,
    };
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Returns those of the reports of a request that came too fast, in their order: they may be sent again. */
export const limitedOf = <Report>(
  reports: readonly Report[],
  { limitedReports = [] }: TelemetryAnswer,
): Report[] => limitedReports.flatMap(([from, to]) => reports.slice(from, to));

/** Enough of a look to tell the answer from a proxy's page. */
function isTelemetryAnswer(value: unknown): value is TelemetryAnswer {
  const answer = value as TelemetryAnswer | undefined;
  return typeof answer?.stored === "number" && Array.isArray(answer.problems);
}
