// API keys: by what a machine says who it is, in place of a signed token.
import * as z from "zod";
import { TOKEN_SECONDS_MAX } from "./limits.ts";
import { label } from "./name.ts";

/** A device has a token of its own, which needs no look-up. */
const apiKeyRole = z.enum(["gateway", "viewer", "operator", "admin"]);

/** `POST /v1/api-keys`: a key that is to be made. `name`: what the machine is called. */
export const apiKeyBody = z.strictObject({
  name: label(200),
  role: apiKeyRole,
  days: z
    .number()
    .positive()
    .max(TOKEN_SECONDS_MAX / 86_400)
    .default(365),
});

/** What is known of a key, never the key itself. `lastUsedAt`: to the hour, null: never. Instants are epoch ms. */
export const apiKeyEntry = z.object({
  id: z.string(),
  name: z.string(),
  role: apiKeyRole,
  madeAt: z.number(),
  madeBy: z.string(),
  expiresAt: z.number(),
  lastUsedAt: z.number().nullable(),
});
export type ApiKeyEntry = z.infer<typeof apiKeyEntry>;

/** PERSISTED with the tenant: a key, of which there is the SHA-256 as hex. */
export interface ApiKey extends ApiKeyEntry {
  hash: string;
}

/** The key itself, once and never again. */
export const apiKeyMade = apiKeyEntry.extend({ apiKey: z.string() });
export type ApiKeyMade = z.infer<typeof apiKeyMade>;

/** `GET /v1/api-keys`, the oldest first: all that have not expired. */
export const apiKeyList = z.object({ apiKeys: z.array(apiKeyEntry) });
export type ApiKeyList = z.infer<typeof apiKeyList>;

/** `DELETE /v1/api-keys/:key`; `told` and `own` as of a token that is revoked. */
export const apiKeyRevoked = z.object({
  id: z.string(),
  name: z.string(),
  told: z.boolean(),
  own: z.boolean(),
});
export type ApiKeyRevoked = z.infer<typeof apiKeyRevoked>;
