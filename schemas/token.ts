// Who is calling: the claims of a signed token (JWT, HS256), the only place a tenant is ever read from.
import * as z from "zod";
import { TOKEN_SECONDS_MAX, TOKENS_PER_REQUEST_MAX } from "./limits.ts";
import { deviceName, label, tenantName } from "./name.ts";

/** `owner`: whoever runs the deployment, who is of no tenant; the others are of one. */
export const role = z.enum(["device", "gateway", "viewer", "operator", "admin", "owner"]);
export type Role = z.infer<typeof role>;
const tenantRole = role.exclude(["owner"]);
export type TenantRole = z.infer<typeof tenantRole>;

/** A device token names its device; the others do not. An owner's names no tenant; the others do. `sub`: what its bearer is called. `jti`: its id. `exp` and `iat` are
 * seconds, as RFC 7519 has them, of which `iat` may have a fraction. */
export const claims = z.object({
  iss: z.literal("telltale"),
  tenant: tenantName.optional(),
  role,
  device: deviceName.optional(),
  sub: label(200).optional(),
  jti: z.string().min(1).max(200).optional(),
  iat: z.number(),
  exp: z.number(),
});
export type Claims = z.infer<typeof claims>;

/** The 32 bytes of a public key's coordinate, base64url. */
const coordinate = z
  .string()
  .regex(/^[A-Za-z0-9_-]{43}$/, { error: "32 bytes as base64url are 43 characters" });
const anyKey = {
  x: coordinate,
  kid: z.string().min(1).max(200).optional(),
  use: z.literal("sig").optional(),
  key_ops: z.array(z.literal("verify")).max(1).optional(),
};

/** A public key as a JWK (RFC 7517): P-256 for ES256, or Ed25519 for EdDSA. */
export const publicKey = z.discriminatedUnion("kty", [
  z.strictObject({
    kty: z.literal("EC"),
    crv: z.literal("P-256"),
    y: coordinate,
    alg: z.literal("ES256").optional(),
    ...anyKey,
  }),
  z.strictObject({
    kty: z.literal("OKP"),
    crv: z.literal("Ed25519"),
    alg: z.enum(["EdDSA", "Ed25519"]).optional(),
    ...anyKey,
  }),
]);

/** PERSISTED with the tenant: who may sign tokens for its devices beside the deployment, and with which keys. */
export const issuer = z.strictObject({
  issuer: z
    .string()
    .min(1)
    .max(200)
    .refine((name) => name !== "telltale", { error: "telltale is the deployment itself" }),
  jwks: z.strictObject({ keys: z.array(publicKey).min(1).max(10) }),
});
export type Issuer = z.infer<typeof issuer>;
export const issuers = z
  .array(issuer)
  .max(5)
  .refine((all) => new Set(all.map((one) => one.issuer)).size === all.length, {
    error: "each issuer is named once, with all its keys",
  });

/**
 * PERSISTED, with the tenant and with a device: which of the tokens that are not expired are void. Those issued at or before
 * `notBeforeMs`, epoch ms, and those of these ids, each kept until it expires.
 */
export const revocation = z.object({
  notBeforeMs: z.number().default(0),
  ids: z.array(z.object({ id: z.string(), expiresAt: z.number() })).default([]),
});
export type Revocation = z.infer<typeof revocation>;

/** What a person's request is let in by. `viewersMax`: how many streams the tenant may have open, null: any number. */
export interface Admission extends Revocation {
  viewersMax: number | null;
}

/** What a token is judged by after its signature: when it was issued and expires, epoch ms, and its id where it has one. */
export interface TokenLife {
  issuedAtMs: number;
  expiresAt: number;
  id?: string;
}

/** A token as a device's object is told of it. */
export interface DeviceToken extends TokenLife {
  /** It is a gateway's, which speaks for every device of the tenant; absent: the device's own. */
  isGateway?: boolean;
}

/** What is to be revoked: all that was issued up to an instant, epoch ms, or single tokens, or both. */
export interface RevokeOrder {
  notBeforeMs?: number;
  ids?: { id: string; expiresAt: number }[];
}

/** The same for a tenant, whose single tokens are gateways' (`ids`) and people's (`people`). */
export interface TenantRevokeOrder extends RevokeOrder {
  people?: { id: string; expiresAt: number }[];
}

/** `POST /v1/devices/:device/revoke`: that device's tokens that were issued at or before `notBefore`, epoch ms, are void. */
export const deviceRevokeAnswer = z.object({ device: deviceName, notBefore: z.number() });

/** A token that is to be made: for a device, which it names, a gateway, or a person. */
export const tokenSpec = z
  .strictObject({
    role: tenantRole,
    device: deviceName.optional(),
    name: z.string().min(1).max(200).optional(),
    days: z
      .number()
      .positive()
      .max(TOKEN_SECONDS_MAX / 86_400)
      .default(365),
  })
  .refine(({ role, device }) => (role === "device") === (device !== undefined), {
    error: "a token of role device names its device, and no other does",
    path: ["device"],
  });
export type TokenSpec = z.infer<typeof tokenSpec>;

/** `POST /v1/tokens`: one token, or many. */
export const tokensBody = z.strictObject({ tokens: z.array(tokenSpec).min(1).max(TOKENS_PER_REQUEST_MAX) });

/** What is known of a token that was made. `revokedAt` null: it was not revoked. Instants are epoch ms. */
export const tokenEntry = z.object({
  id: z.string(),
  role: tenantRole,
  device: deviceName.nullable(),
  name: z.string().nullable(),
  issuedAt: z.number(),
  issuedBy: z.string(),
  expiresAt: z.number(),
  revokedAt: z.number().nullable(),
});
export type TokenEntry = z.infer<typeof tokenEntry>;

/** The tokens themselves, once and never again, in the order they were asked for. */
export const tokensMade = z.object({ tokens: z.array(tokenEntry.extend({ token: z.string() })) });
export type TokensMade = z.infer<typeof tokensMade>;

/** `GET /v1/tokens`, newest first. `device`: of that device only. */
export const tokensQuery = z.object({
  device: deviceName.optional(),
  after: z.string().max(100).optional(),
  limit: z.coerce.number().int().min(1).max(1_000).default(100),
});
export const tokenList = z.object({ tokens: z.array(tokenEntry), next: z.string().nullable() });
export type TokenList = z.infer<typeof tokenList>;

const tokenId = z.string().min(1).max(100);

/** `POST /v1/tokens/revoke`: one token, some, or without a body all that were issued before now. */
export const revokeBody = z
  .strictObject({ id: tokenId, ids: z.array(tokenId).min(1).max(TOKENS_PER_REQUEST_MAX) })
  .partial()
  .refine(({ id, ids }) => id === undefined || ids === undefined, { error: "either id or ids" });

/**
 * What was revoked: all that was issued at or before `notBefore`, epoch ms, or the tokens of `ids`. `told`: every registered
 * device knows, and every stream has ended; else the cron tells the others. `own`: the token it was asked with is void too.
 */
export const revokeAnswer = z.object({
  notBefore: z.number().optional(),
  ids: z.array(z.string()).optional(),
  told: z.boolean(),
  own: z.boolean(),
});
export type RevokeAnswer = z.infer<typeof revokeAnswer>;

/** `GET /v1/session`: whose the token is. `name` null: it names nobody. `expiresAt`: epoch ms. */
export const sessionAnswer = z.object({
  tenant: tenantName,
  role,
  name: z.string().nullable(),
  expiresAt: z.number(),
});
export type SessionAnswer = z.infer<typeof sessionAnswer>;

/** `POST /v1/session`: a token for the page of somebody whom Cloudflare Access signed in. */
export const sessionToken = z.object({ token: z.string() });
export type SessionToken = z.infer<typeof sessionToken>;
