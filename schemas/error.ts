// The closed list of error codes, and the RFC 9457 problem document that carries one.
import * as z from "zod";
import { PROBLEM_CODES, READING_CODES } from "./codes.ts";

export const problemCode = z.enum(PROBLEM_CODES);
export const readingCode = z.enum(READING_CODES);

/** What was wrong with one report or reading of a request: `index` is the report's place in it, from 0. */
export const readingProblem = z.object({
  index: z.number().int().nonnegative(),
  metric: z.string().optional(),
  code: readingCode,
  message: z.string(),
  /** Of `rate_limited`: in how many ms the same may be sent again. */
  retryAfterMs: z.number().int().optional(),
});

/** RFC 9457 problem document, `application/problem+json`. `code` is ours and closed; `type` names it as a URI. */
export const problemDocument = z.object({
  type: z.string(),
  title: z.string(),
  status: z.number().int(),
  code: problemCode,
  detail: z.string(),
  problems: z.array(readingProblem).optional(),
  /** Of a problem that time mends: in how many ms to try again. */
  retryAfterMs: z.number().int().optional(),
});
export type ProblemDocument = z.infer<typeof problemDocument>;
export type { ProblemCode, ReadingCode, ReadingProblem } from "./codes.ts";
