// Whether the gateway that a device speaks through explains why nothing came from the device: the one place where that is decided.
import type { Alert } from "../../schemas/alert.ts";

/** Finds the active no-data alert about a device as a whole; undefined when there is none. */
interface NoDataAlerts {
  noDataAlert(device: string): Alert | undefined;
}

/**
 * Whether the alert says that a device as a whole has no data. That one of its metrics is missing says nothing of the
 * devices behind it.
 */
export const isNoData = ({ rule, metric }: Alert) => rule.condition.type === "no_data" && metric === null;

/** Whether the alert is a no-data alert that another device, its gateway, may explain. */
export const isWithGateway = ({ rule, gateway, device }: Alert) =>
  rule.condition.type === "no_data" && gateway !== null && gateway !== device;

/**
 * Whether a no-data alert is muted: its device's gateway, or a gateway of that, has no data either, by whichever
 * rule. Gateways in a circle mute nothing, or nobody would be told of any.
 */
export function isMuted(alert: Alert, known: NoDataAlerts): boolean {
  const seen = new Set([alert.device]);
  let explained = false;
  for (let { gateway } = alert; gateway !== null; explained = true) {
    const above = known.noDataAlert(gateway);
    if (above === undefined || above.gateway === gateway) return explained || above !== undefined;
    if (seen.has(gateway)) return false;
    seen.add(gateway);
    gateway = above.gateway;
  }
  return explained;
}
