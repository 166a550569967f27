// Path, query and body → checked values, or a problem document that names what is wrong.
import type * as z from "zod";
import type { ProblemCode } from "../../schemas/codes.ts";
import { Problem } from "../problem.ts";

/** @throws Problem with `code`, naming the first field that does not fit. */
export function validate<S extends z.ZodType>(schema: S, value: unknown, code: ProblemCode): z.output<S> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const { path, message } = parsed.error.issues[0]!;
  throw new Problem(code, path.length > 0 ? `${path.join(".")}: ${message}` : message);
}

/** A JSON body. @throws Problem `malformed_json`, `invalid_body`. */
export async function validateBody<S extends z.ZodType>(schema: S, request: Request): Promise<z.output<S>> {
  let body: unknown;
  try {
    body = await request.json();
  } catch (error) {
    throw new Problem("malformed_json", `the body is not JSON: ${(error as Error).message}`);
  }
  return validate(schema, body, "invalid_body");
}
