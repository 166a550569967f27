// Who is calling: the claims of a signed token (JWT, HS256), the only place a tenant is ever read from.
import * as z from "zod";
import { deviceName, tenantName } from "./name.ts";

export const role = z.enum(["device", "gateway", "viewer", "operator", "admin"]);
export type Role = z.infer<typeof role>;

/** A device token names its device; the others do not. `sub`: what its bearer is called. `exp` and `iat` are seconds, as RFC 7519 has them. */
export const claims = z.object({
  iss: z.literal("telltale"),
  tenant: tenantName,
  role,
  device: deviceName.optional(),
  sub: z.string().min(1).max(200).optional(),
  iat: z.number(),
  exp: z.number(),
});
export type Claims = z.infer<typeof claims>;
