// The tokens a replay calls with: signed with the local secret, or given.
import { signToken } from "../../core/token/sign.ts";

export interface Tokens {
  gateway(): Promise<string>;
  device(device: string): Promise<string>;
  /** Undefined when there is none to be had: then devices are not sealed. */
  admin(): Promise<string | undefined>;
}

/** Outlives whatever runs on it; these tokens never leave the process. */
const TTL_SECONDS = 365 * 86_400;

/** Signs tokens for `tenant`; each is made once. */
export function signedTokens(secret: string, tenant: string, nowMs: number): Tokens {
  const made = new Map<string, Promise<string>>();
  const sign = (role: "gateway" | "admin" | "device", device?: string) => {
    const key = `${role} ${device ?? ""}`;
    let token = made.get(key);
    if (!token) {
      token = signToken({ tenant, role, device, ttlSeconds: TTL_SECONDS }, secret, nowMs);
      made.set(key, token);
    }
    return token;
  };
  return {
    gateway: () => sign("gateway"),
    admin: () => sign("admin"),
    device: (device) => sign("device", device),
  };
}

/** Calls with one given token, whatever it is; the server says whether it will do. */
export function givenTokens(token: string, adminToken?: string): Tokens {
  return { gateway: async () => token, device: async () => token, admin: async () => adminToken };
}
