// The names of things (tenant, zone, device, metric, time zone), and what people call and write of them.
import * as z from "zod";
import { METRIC_NAME_BYTES_MAX, NAME_PATTERN } from "./limits.ts";
import { oddCharacter } from "./one-line.ts";

/** What people call a thing: one line of visible text of 1 to `charsMax` characters. */
export const label = (charsMax: number) => labelOrNothing(charsMax).min(1);

/** What `label` is, or empty. */
export const labelOrNothing = (charsMax: number) =>
  z
    .string()
    .max(charsMax)
    .superRefine((text, context) => {
      const odd = oddCharacter(text);
      if (odd !== undefined)
        context.addIssue({
          code: "custom",
          message: `it has ${odd}: a name is one line of visible text, so take it out`,
        });
    });

/** What people write of a thing: text of 1 to `charsMax` characters, in several lines if they like. */
export const prose = (charsMax: number) =>
  z
    .string()
    .min(1)
    .max(charsMax)
    .superRefine((text, context) => {
      const odd = oddCharacter(text, "many");
      if (odd !== undefined)
        context.addIssue({
          code: "custom",
          message: `it has ${odd}: text is of visible characters, tabs and line ends, so take it out`,
        });
    });

export const tenantName = z.string().regex(NAME_PATTERN);
export const zoneName = z.string().regex(NAME_PATTERN);
export const deviceName = z.string().regex(NAME_PATTERN);

const metric = z
  .string()
  .min(1)
  .refine((name) => name.isWellFormed(), { error: "a metric name is well-formed Unicode" })
  .refine((name) => name !== "__proto__", { error: "a metric cannot be called __proto__" })
  .refine((name) => new TextEncoder().encode(name).length <= METRIC_NAME_BYTES_MAX, {
    error: `a metric name has at most ${METRIC_NAME_BYTES_MAX} UTF-8 bytes`,
  });

/** An IANA name, as this runtime knows them. */
export const timeZone = z
  .string()
  .refine(isTimeZone, { error: "a time zone is an IANA name like Europe/Berlin" });

function isTimeZone(name: string): boolean {
  try {
    return name.length <= 64 && new Intl.DateTimeFormat("en", { timeZone: name }) !== undefined;
  } catch {
    return false;
  }
}

/**
 * The name of a metric as reports and rules give it, of 1 to 128 UTF-8 bytes: names come from many worlds (`PM2.5`,
 * `http.server.duration`).
 */
export const metricName = metric.superRefine((name, context) => {
  const odd = oddCharacter(name);
  if (odd === undefined || !name.isWellFormed()) return;
  context.addIssue({
    code: "custom",
    message: `a metric name has no control characters; this one has ${odd}`,
  });
});

/** A metric that may be stored: of those that came earlier some have characters that `metricName` refuses. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
export const storedMetricName = metric.refine((name) => !/[\u0000-\u001f\u007f]/.test(name), {
  error: "a metric name has no control characters",
});
