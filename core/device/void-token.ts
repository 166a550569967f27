// A token that reaches a device → whether it is void there: its tenant's revocations void any, the device's own only its own.
import type { DeviceToken } from "../../schemas/token.ts";
import { isRevoked } from "../token/revocation.ts";
import type { DeviceState } from "./state.ts";

/** Whether a token was revoked, by the tenant or, of the device's own, for the device; all are while the tenant is deleted. */
export const isVoid = (
  { settings, revoked }: Pick<DeviceState, "settings" | "revoked">,
  token: DeviceToken,
): boolean =>
  settings.isEnding ||
  isRevoked(token, settings.tokens) ||
  (token.isGateway !== true && isRevoked(token, revoked));
