// The names of things: tenant, zone, device, metric.
import * as z from "zod";
import { METRIC_NAME_BYTES_MAX, NAME_PATTERN } from "./limits.ts";

export const tenantName = z.string().regex(NAME_PATTERN);
export const zoneName = z.string().regex(NAME_PATTERN);
export const deviceName = z.string().regex(NAME_PATTERN);

/** Any printable text of 1 to 128 UTF-8 bytes: metric names come from many worlds (`PM2.5`, `http.server.duration`). */
export const metricName = z
  .string()
  .min(1)
  .refine((name) => name.isWellFormed(), { error: "a metric name is well-formed Unicode" })
  .refine((name) => name !== "__proto__", { error: "a metric cannot be called __proto__" })
  .refine((name) => new TextEncoder().encode(name).length <= METRIC_NAME_BYTES_MAX, {
    error: `a metric name has at most ${METRIC_NAME_BYTES_MAX} UTF-8 bytes`,
  })
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
  .refine((name) => !/[\u0000-\u001f\u007f]/.test(name), {
    error: "a metric name has no control characters",
  });
