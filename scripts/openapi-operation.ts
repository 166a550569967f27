// One route of the API → its operation in the OpenAPI document.
import * as z from "zod";
import type { ZodOpenApiOperationObject, ZodOpenApiParameters } from "zod-openapi";
import { problemDocument } from "../schemas/error.ts";

/** Named in the document, so that it has it once. */
z.globalRegistry.add(problemDocument, { id: "Problem" });

export const problem = {
  description: "A problem document",
  content: { "application/problem+json": { schema: problemDocument } },
};
const json = (schema: z.ZodType) => ({ content: { "application/json": { schema } } });

interface Described {
  summary: string;
  tag: "devices" | "operators" | "alerts" | "admins" | "owners";
  answer: z.ZodType;
  /** 200 unless said. */
  status?: "200" | "201" | "202";
  /** Another status that comes with the same answer, and when. */
  also?: { status: string; description: string };
  body?: z.ZodType;
  bodies?: Record<string, z.ZodType>;
  parameters?: ZodOpenApiParameters;
  /** Other forms of the answer, by content type, beside JSON. */
  answers?: Record<string, z.ZodType>;
}

export function operation({
  summary,
  tag,
  answer,
  status = "200",
  also,
  body,
  bodies,
  parameters,
  answers = {},
}: Described): ZodOpenApiOperationObject {
  const contentOf = (schemas: Record<string, z.ZodType>) =>
    Object.fromEntries(Object.entries(schemas).map(([type, schema]) => [type, { schema }]));
  const content = bodies ?? (body && { "application/json": body });
  return {
    summary,
    tags: [tag],
    security: [{ bearer: [] }],
    requestParams: parameters,
    requestBody: content && { content: contentOf(content) },
    responses: {
      [status]: {
        description: summary,
        content: contentOf({ "application/json": answer, ...answers }),
      },
      ...(also && { [also.status]: { description: also.description, ...json(answer) } }),
      default: problem,
    },
  };
}
