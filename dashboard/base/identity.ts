// A token → who its bearer is and what they may do, as far as the page wants to know. The server decides.
import type { Claims, Role } from "../../schemas/token.ts";

export interface Identity {
  role: Role;
  /** Under which name the server notes what they do. */
  name: string;
  /** null: the token cannot be read. */
  tenant: string | null;
  /** Epoch ms; null: the token cannot be read. */
  expiresAt: number | null;
  /** A device's token names it. */
  device: string | null;
  mayOperate: boolean;
}

/** Of a token that cannot be read: a viewer, who may do nothing. */
export function identityOf(token: string | null): Identity {
  const { role = "viewer", sub, tenant = null, exp, device = null } = claimsOf(token ?? "") ?? {};
  const expiresAt = exp === undefined ? null : exp * 1_000;
  const mayOperate = role === "operator" || role === "admin";
  return { role, name: sub ?? role, tenant, expiresAt, device, mayOperate };
}

/** Null: it is no token; whether it is a good one only the server can say. */
export function claimsOf(token: string): Partial<Claims> | null {
  try {
    const parts = token.split(".");
    if (parts.length !== 3 || parts.some((part) => !/^[\w-]+$/.test(part))) return null;
    const payload = parts[1]!.replaceAll("-", "+").replaceAll("_", "/");
    const bytes = Uint8Array.from(atob(payload), (character) => character.charCodeAt(0));
    const claims: unknown = JSON.parse(new TextDecoder().decode(bytes));
    return typeof claims === "object" && claims !== null ? (claims as Partial<Claims>) : null;
  } catch {
    return null;
  }
}
