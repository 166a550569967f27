// Path, query and body → checked values, or a problem document that names what is wrong.
import type * as z from "zod";
import type { ProblemCode } from "../../schemas/codes.ts";
import { Problem } from "../problem.ts";

/** The code of the problem, or which it is for a field that does not fit. */
type Code = ProblemCode | ((field: PropertyKey | undefined) => ProblemCode);

/** @throws Problem with `code`, naming the first field that does not fit, and what it was. */
export function validate<S extends z.ZodType>(schema: S, value: unknown, code: Code): z.output<S> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const { path, message } = parsed.error.issues[0]!;
  throw new Problem(
    typeof code === "string" ? code : code(path[0]),
    path.length > 0 ? `${path.join(".")}: ${message}${was(value, path)}` : message,
  );
}

/** The value at `path`, as it is shown to who sent it. */
function was(value: unknown, path: readonly PropertyKey[]): string {
  const found = path.reduce<unknown>((at, key) => (at as Record<PropertyKey, unknown>)?.[key], value);
  const text = JSON.stringify(found);
  return text === undefined ? "" : `, not ${text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}…` : text}`;
}

const SHOWN_MAX = 80;

/** A JSON body. @throws Problem `malformed_json`, and `code`. */
export async function validateBody<S extends z.ZodType>(
  schema: S,
  request: Request,
  code: Code = "invalid_body",
): Promise<z.output<S>> {
  let body: unknown;
  try {
    body = await request.json();
  } catch (error) {
    throw new Problem("malformed_json", `the body is not JSON: ${(error as Error).message}`);
  }
  return validate(schema, body, code);
}
