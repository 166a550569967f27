// Provisioning: keys that admins make, and what a device says with one to get its own token.
import * as z from "zod";
import {
  CLAIM_SECRET_CHARS_MAX,
  CLAIM_SECRET_CHARS_MIN,
  DEVICES_PER_PROVISIONING_KEY_MAX,
  PROVISIONING_KEY_SECONDS_MAX,
  TOKEN_SECONDS_MAX,
} from "./limits.ts";
import { deviceName, label, zoneName } from "./name.ts";

/** `POST /v1/provisioning-keys`: which devices may claim their tokens with it, how many, and until when. */
export const provisioningKeySpec = z.strictObject({
  name: label(200).optional(),
  zone: zoneName.optional(),
  model: label(200).optional(),
  devicePrefix: deviceName.optional(),
  maxDevices: z.number().int().min(1).max(DEVICES_PER_PROVISIONING_KEY_MAX),
  ttlSeconds: z.number().int().min(1).max(PROVISIONING_KEY_SECONDS_MAX),
  tokenTtlSeconds: z
    .number()
    .int()
    .min(60)
    .max(TOKEN_SECONDS_MAX)
    .default(365 * 86_400),
});

/** What is known of a key; `claimed`: how many devices have claimed with it. Instants are epoch ms. */
export const provisioningKeyEntry = z.object({
  id: z.string(),
  name: z.string().nullable(),
  zone: zoneName.nullable(),
  model: z.string().nullable(),
  devicePrefix: z.string().nullable(),
  maxDevices: z.number().int(),
  tokenTtlSeconds: z.number().int(),
  createdAt: z.number(),
  createdBy: z.string(),
  expiresAt: z.number(),
  revokedAt: z.number().nullable(),
  claimed: z.number().int(),
  lastClaimAt: z.number().nullable(),
});
export type ProvisioningKeyEntry = z.infer<typeof provisioningKeyEntry>;

/** The key itself, once and never again. */
export const provisioningKeyMade = provisioningKeyEntry.extend({ provisioningKey: z.string() });
export type ProvisioningKeyMade = z.infer<typeof provisioningKeyMade>;

/** `GET /v1/provisioning-keys`, newest first. */
export const provisioningKeysQuery = z.object({
  after: z.string().max(100).optional(),
  limit: z.coerce.number().int().min(1).max(1_000).default(100),
});
export const provisioningKeyList = z.object({
  provisioningKeys: z.array(provisioningKeyEntry),
  next: z.string().nullable(),
});
export type ProvisioningKeyList = z.infer<typeof provisioningKeyList>;

/** `POST /v1/claim`, with a provisioning key for a token. `secret`: by which the device, and nobody else, may ask again. */
export const claimBody = z.strictObject({
  device: deviceName,
  secret: z.string().min(CLAIM_SECRET_CHARS_MIN).max(CLAIM_SECRET_CHARS_MAX),
});
export type ClaimBody = z.infer<typeof claimBody>;

export const claimAnswer = z.object({ device: deviceName, token: z.string(), expiresAt: z.number() });
export type ClaimAnswer = z.infer<typeof claimAnswer>;
