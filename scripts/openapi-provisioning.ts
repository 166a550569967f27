// The paths of the OpenAPI document by which devices get their tokens.
import * as z from "zod";
import type { ZodOpenApiPathsObject } from "zod-openapi";
import {
  claimAnswer,
  claimBody,
  provisioningKeyEntry,
  provisioningKeyList,
  provisioningKeyMade,
  provisioningKeySpec,
  provisioningKeysQuery,
} from "../schemas/provisioning.ts";
import { operation } from "./openapi-operation.ts";

const key = z.object({ key: z.string() });

export const provisioningPaths: ZodOpenApiPathsObject = {
  "/v1/provisioning-keys": {
    get: operation({
      summary: "Provisioning keys and how far each is used, newest first; never the keys themselves",
      tag: "admins",
      parameters: { query: provisioningKeysQuery },
      answer: provisioningKeyList,
    }),
    post: operation({
      summary:
        "Make a key with which so many devices claim their tokens; it is in this answer and never again",
      tag: "admins",
      status: "201",
      body: provisioningKeySpec,
      answer: provisioningKeyMade,
    }),
  },
  "/v1/provisioning-keys/{key}": {
    get: operation({
      summary: "One provisioning key",
      tag: "admins",
      parameters: { path: key },
      answer: provisioningKeyEntry,
    }),
    delete: operation({
      summary: "Revoke a provisioning key; the tokens that were claimed with it stay",
      tag: "admins",
      parameters: { path: key },
      answer: provisioningKeyEntry,
    }),
  },
  "/v1/claim": {
    post: operation({
      summary: "A device gets its own token, with a provisioning key as the bearer token",
      tag: "devices",
      status: "201",
      also: {
        status: "200",
        description: "It has claimed before, with the same secret: the same token again",
      },
      body: claimBody,
      answer: claimAnswer,
    }),
  },
};
