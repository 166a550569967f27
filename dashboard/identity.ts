// A token → who its bearer is and what they may do, as far as the page wants to know. The server decides.
import type { Role } from "../schemas/token.ts";

export interface Identity {
  role: Role;
  /** Under which name the server notes what they do. */
  name: string;
  mayOperate: boolean;
}

/** Of a token that cannot be read: a viewer, who may do nothing. */
export function identityOf(token: string | null): Identity {
  const { role = "viewer", sub } = claimsOf(token ?? "");
  return { role, name: sub ?? role, mayOperate: role === "operator" || role === "admin" };
}

function claimsOf(token: string): { role?: Role; sub?: string } {
  try {
    const payload = (token.split(".")[1] ?? "").replaceAll("-", "+").replaceAll("_", "/");
    const bytes = Uint8Array.from(atob(payload), (character) => character.charCodeAt(0));
    return JSON.parse(new TextDecoder().decode(bytes)) as { role?: Role; sub?: string };
  } catch {
    return {};
  }
}
