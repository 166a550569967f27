// The part of the OpenAPI document that is about machines' keys.
import * as z from "zod";
import type { ZodOpenApiPathsObject } from "zod-openapi";
import { apiKeyBody, apiKeyList, apiKeyMade, apiKeyRevoked } from "../schemas/api-key.ts";
import { operation } from "./openapi-operation.ts";

export const machinePaths: ZodOpenApiPathsObject = {
  "/v1/api-keys": {
    get: operation({
      summary: "API keys that have not expired, the oldest first; never the keys themselves",
      tag: "admins",
      answer: apiKeyList,
    }),
    post: operation({
      summary: "Make an API key for a machine; it is in this answer and never again",
      tag: "admins",
      status: "201",
      body: apiKeyBody,
      answer: apiKeyMade,
    }),
  },
  "/v1/api-keys/{key}": {
    delete: operation({
      summary: "Void an API key, at every door",
      tag: "admins",
      parameters: { path: z.object({ key: z.string() }) },
      answer: apiKeyRevoked,
    }),
  },
};
