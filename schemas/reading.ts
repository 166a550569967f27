// What a device sends and what it is answered, over HTTPS and over a socket.
import * as z from "zod";
import { VERDICTS } from "./codes.ts";
import { readingCode, readingProblem } from "./error.ts";
import { parseIso } from "./instant.ts";
import { ISO_INSTANT, METRICS_PER_REPORT_MAX } from "./limits.ts";
import { deviceName, metricName } from "./name.ts";

const isoText = z
  .string()
  .regex(ISO_INSTANT)
  .refine((text) => parseIso(text) !== undefined, { error: "no such date or time" });

/** zod leaves `__proto__` out of a record unseen; here it is refused as the name it would be. */
const refuseProto = (metrics: unknown, ctx: z.RefinementCtx) => {
  if (typeof metrics === "object" && metrics !== null && Object.hasOwn(metrics, "__proto__")) {
    ctx.addIssue({ code: "custom", message: "a metric cannot be called __proto__", path: ["__proto__"] });
  }
  return metrics;
};

/** One instant's values of one device. `at`: epoch ms on the device's clock, or ISO 8601; absent = arrival. */
export const report = z.object({
  at: z.union([z.number(), isoText]).optional(),
  device: deviceName.optional(),
  metrics: z.preprocess(
    refuseProto,
    z
      .record(metricName, z.number())
      .refine((metrics) => Object.keys(metrics).length <= METRICS_PER_REPORT_MAX, {
        error: `a report has at most ${METRICS_PER_REPORT_MAX} metrics`,
      }),
  ),
});
export type Report = z.infer<typeof report>;

/** The body of `POST /v1/telemetry` as JSON: one report or an array of them. NDJSON: one report a line. */
export const telemetryBody = z.union([report, z.array(report)]);

const count = z.number().int().nonnegative();

/**
 * What became of one reading of a request. `index` is its report's place in it, from 0; `metric` is absent where the report
 * could not be read, `code` present where the reading was refused.
 */
export const readingVerdict = z.object({
  index: count,
  metric: z.string().optional(),
  verdict: z.enum(VERDICTS),
  code: readingCode.optional(),
});
export type ReadingVerdict = z.infer<typeof readingVerdict>;

/** The answer to `POST /v1/telemetry`, counted in readings; the six counts add up to the readings sent. */
export const telemetryAnswer = z.object({
  stored: count,
  duplicate: count,
  corrected: count,
  late: count,
  quarantined: count,
  refused: count,
  problems: z.array(readingProblem),
  /**
   * How many of the readings came beyond the device's rate, of a tenant that has them thinned: of each minute the least and
   * the greatest of them are kept and the others counted. Absent: none.
   */
  thinned: count.optional(),
  /**
   * Of a 429: the reports that came too fast, as half-open ranges of their indices. They may be sent again in
   * `retryAfterMs`; the others have their verdict.
   */
  limitedReports: z.array(z.tuple([count, count])).optional(),
  /** Of a 429: when those may be sent again; of a 200 or 422: what we wait for is behind, please send no more for so long. */
  retryAfterMs: count.optional(),
  /** Where `?verdicts=each` asked for them: one for each reading, by index; they add up to the six counts. */
  verdicts: z.array(readingVerdict).optional(),
});
export type TelemetryAnswer = z.infer<typeof telemetryAnswer>;

/** A frame a device sends on `GET /v1/connect`. `flush` asks for the commit of everything held. */
export const deviceFrame = z.discriminatedUnion("type", [
  report.extend({ type: z.literal("report"), seq: count }),
  z.object({ type: z.literal("flush") }),
]);
export type DeviceFrame = z.infer<typeof deviceFrame>;

/** A frame a device receives. `ack` is cumulative: everything up to and including `seq` has its verdict and is durable. */
export const serverFrame = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("ack"),
    seq: count,
    stored: count,
    duplicate: count,
    corrected: count,
    late: count,
    quarantined: count,
    refused: count,
    thinned: count.optional(),
  }),
  z.object({
    type: z.literal("problem"),
    seq: count.optional(),
    index: count,
    metric: z.string().optional(),
    code: readingCode.or(z.enum(["unsupported_frame", "frame_too_large", "invalid_frame", "missing_seq"])),
    message: z.string(),
    retryAfterMs: count.optional(),
  }),
  z.object({
    type: z.literal("slow"),
    /** The frame that was refused; absent: none was, please send no more for so long. A frame may also have had none. */
    seq: count.optional(),
    /** Whose rate it is, on a gateway's socket. */
    device: deviceName.optional(),
    retryAfterMs: count,
  }),
]);
export type ServerFrame = z.infer<typeof serverFrame>;
