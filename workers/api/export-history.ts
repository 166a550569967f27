// GET /v1/devices/:device/history/export: points as a stream of lines, read as fast as they are taken.
import { CONTENT_TYPES, exportError, exportHead, exportLines } from "../../core/history/export-text.ts";
import { windowsOf } from "../../core/history/windows.ts";
import type { ExportFormat, ExportQuery } from "../../schemas/query.ts";
import { Problem } from "../problem.ts";
import type { ApiEnv } from "./env.ts";
import { rangeOf } from "./history.ts";
import { Meter, type Pace, readPoints, SLICE_HOURS_MAX } from "./read-points.ts";

/** A slice of an export: its points are some 3 MB. */
const PACE: Pace = { readings: 50_000, firstMs: 24 * 3_600_000, hours: SLICE_HOURS_MAX };
/** Text is sent in pieces of at least this, and made of so many points at once. */
const PIECE_CHARS = 64 * 1024;
const PIECE_POINTS = 2_000;

/** How long the last lines have to get through: breaking off the connection overtakes what is on its way. */
const LAST_LINES_MS = 1_000;

interface Asked {
  tenant: string;
  device: string;
  query: ExportQuery;
  format: ExportFormat;
  nowMs: number;
}

/**
 * Returns a response that streams the export. What fails under way ends the stream with an error, so that it is not
 * taken for complete; of NDJSON the last line says why, if it gets through.
 * @throws Problem when nothing can be answered at all.
 */
export async function exportHistory(env: ApiEnv, asked: Asked): Promise<Response> {
  const { device, query, format } = asked;
  const pieces = readText(env, asked);
  let next: IteratorResult<string> | undefined = await pieces.next();
  let failure: unknown;
  const encoder = new TextEncoder();
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          if (failure !== undefined) throw failure;
          const { done, value } = next ?? (await pieces.next());
          next = undefined;
          if (done) controller.close();
          else controller.enqueue(encoder.encode(value));
        } catch (error) {
          if (failure === undefined) {
            console.error("export failed under way", { device, error: String(error) });
            failure = error;
            if (format === "ndjson") return controller.enqueue(encoder.encode(errorLine(error)));
          }
          await scheduler.wait(LAST_LINES_MS);
          controller.error(error);
        }
      },
      cancel: () => void pieces.return(undefined),
    },
    { highWaterMark: 0 },
  );
  const file = `${device}-${query.resolution}.${format}`.replaceAll(":", "_");
  return new Response(body, {
    headers: {
      "content-type": CONTENT_TYPES[format],
      "content-disposition": `attachment; filename="${file}"`,
      "cache-control": "no-store",
    },
  });
}

/** Metric by metric, each ascending. */
async function* readText(
  env: ApiEnv,
  { tenant, device, query, format, nowMs }: Asked,
): AsyncGenerator<string> {
  const { resolution } = query;
  const range = rangeOf(query, nowMs);
  const windows = windowsOf(resolution, query.tz, range);
  let text = exportHead(format, resolution === "raw");
  for (const metric of new Set(query.metric)) {
    const asked = { tenant, device, metric, windows, ...range, pinned: undefined, pace: PACE };
    for await (const { points } of readPoints(env, asked, new Meter())) {
      for (let start = 0; start < points.length; start += PIECE_POINTS) {
        text += exportLines(format, metric, points.slice(start, start + PIECE_POINTS));
        if (text.length < PIECE_CHARS) continue;
        yield text;
        text = "";
      }
    }
  }
  yield text;
}

const errorLine = (error: unknown) =>
  error instanceof Problem
    ? exportError(error.code, error.message)
    : exportError("internal", "an unexpected error, noted in the log; asking again is safe");

/** The format asked for: by name, else by the `Accept` header, else NDJSON. */
export const formatOf = ({ format }: ExportQuery, accept: string): ExportFormat =>
  format ?? (/\btext\/csv\b/.test(accept) ? "csv" : "ndjson");
