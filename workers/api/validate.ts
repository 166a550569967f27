// Path, query and body → checked values, or a problem document that names what is wrong.
import * as z from "zod";
import { describe } from "../../core/decode/check-report.ts";
import { unknownNames } from "../../core/decode/unknown-names.ts";
import type { ProblemCode } from "../../schemas/codes.ts";
import { Problem } from "../problem.ts";
import { readQuery } from "../query.ts";
import { readJson } from "./read-json.ts";

/** The code of the problem, or which it is for a field that does not fit. */
type Code = ProblemCode | ((field: PropertyKey | undefined, isUnknown: boolean) => ProblemCode);

/** The code for a body that changes settings: an unknown key has one of its own. */
export const settingCode = (_field: PropertyKey | undefined, isUnknown: boolean): ProblemCode =>
  isUnknown ? "unknown_setting" : "invalid_body";

/**
 * Returns `value` as `schema` reads it.
 * @throws Problem with `code`, naming the first key that is unknown, else the first field that does not fit, and what
 * it was.
 */
export function validate<S extends z.ZodType>(schema: S, value: unknown, code: Code): z.output<S> {
  const parsed = schema.safeParse(value, { error: unknownKeys });
  if (parsed.success) return parsed.data;
  const { issues } = parsed.error;
  // A mistyped key is why the right one is missing.
  const unknown = issues.find((issue) => issue.code === "unrecognized_keys");
  const { path, message } = unknown ?? issues[0]!;
  throw new Problem(
    typeof code === "string" ? code : code(path[0], unknown !== undefined),
    `${path.length > 0 ? `${path.join(".")}: ` : ""}${message}${unknown === undefined && path.length > 0 ? was(value, path) : ""}`,
  );
}

const unknownKeys: z.core.$ZodErrorMap = (issue) =>
  issue.code === "unrecognized_keys" && issue.inst instanceof z.ZodObject
    ? unknownNames("key", issue.keys, Object.keys(issue.inst.shape))
    : undefined;

/** The value at `path`, as it is shown to who sent it. */
function was(value: unknown, path: readonly PropertyKey[]): string {
  const found = path.reduce<unknown>((at, key) => (at as Record<PropertyKey, unknown>)?.[key], value);
  // Of an object its kind: to write out a nested one could take more stack than there is.
  const text = typeof found === "object" && found !== null ? describe(found) : JSON.stringify(found);
  return text === undefined ? "" : `, not ${text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}…` : text}`;
}

const SHOWN_MAX = 80;

/**
 * Returns the query of `url` as `schema` reads it; a list's name may come several times.
 * @throws Problem `invalid_query`.
 */
export function validateQuery<S extends z.ZodObject>(schema: S, url: string): z.output<S> {
  const fields = Object.entries(schema.shape);
  const lists = fields.filter(([, field]) => field instanceof z.ZodArray).map(([name]) => name);
  return validate(schema, readQuery(url, Object.keys(schema.shape), lists), "invalid_query");
}

/**
 * Returns a request's JSON body, of at most 64 KB, as `schema` reads it.
 * @param empty what no body stands for; absent: one has to be there
 * @throws Problem as `readJson` does, or with `code` when it does not fit.
 */
export async function validateBody<S extends z.ZodType>(
  schema: S,
  request: Request,
  code: Code = "invalid_body",
  empty?: unknown,
): Promise<z.output<S>> {
  return validate(schema, await readJson(request, empty), code);
}
