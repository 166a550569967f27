// Whether a silent gateway explains the silence of a device.
import type { Alert } from "../../schemas/alert.ts";

/** Knows the active alert that a device as a whole is silent. */
interface Silences {
  silence(device: string): Alert | undefined;
}

/** The device as a whole is silent; that one of its metrics is says nothing of those behind it. */
export const isSilence = ({ rule, metric }: Alert) => rule.condition.type === "no_data" && metric === null;

/** A no-data alert that another device may explain. */
export const isWithGateway = ({ rule, gateway, device }: Alert) =>
  rule.condition.type === "no_data" && gateway !== null && gateway !== device;

/** Its gateway is silent. Gateways in a circle explain nothing, or nobody would hear of any. */
export function isSilenced(alert: Alert, silences: Silences): boolean {
  const seen = new Set([alert.device]);
  let explained = false;
  for (let { gateway } = alert; gateway !== null; explained = true) {
    const silence = silences.silence(gateway);
    if (silence === undefined || silence.gateway === gateway) return explained || silence !== undefined;
    if (seen.has(gateway)) return false;
    seen.add(gateway);
    gateway = silence.gateway;
  }
  return explained;
}
