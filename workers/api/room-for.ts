// Devices that nobody knows yet → whether the tenant may have them.
import type { TenantSettings } from "../../schemas/tenant.ts";
import { Problem } from "../problem.ts";
import { admitDevice, readSettings, tellUse } from "../tenant.ts";
import type { ApiEnv } from "./env.ts";
import { countWith, readDevice } from "./registry.ts";

/** @throws Problem `quota_devices`: nobody knows the device, and the tenant has as many as it may. */
export async function roomFor(
  env: ApiEnv,
  tenant: string,
  device: string,
  { limits: { devices: most } }: TenantSettings,
): Promise<void> {
  if (most === null || (await readDevice(env.CONTROL, tenant, device)) !== undefined) return;
  if (await admitDevice(env.TENANT, tenant, device)) return;
  throw new Problem(
    "quota_devices",
    `the tenant has all the ${most} devices it may have, and ${device} is none of them; delete one, or raise the limit`,
  );
}

/**
 * @param names what is no text is no name
 * @throws Problem `quota_devices`: with those nobody knows the tenant would have more than it may; none is made.
 */
export async function roomForAll(env: ApiEnv, tenant: string, names: readonly unknown[]): Promise<void> {
  const { devices: most } = (await readSettings(env.TENANT, tenant)).limits;
  if (most === null) return;
  const { known, fresh } = await countWith(env.CONTROL, tenant, names);
  const isRefused = known + fresh > most;
  await tellUse(env.TENANT, tenant, "devices", { used: isRefused ? known : known + fresh, isRefused, most });
  if (!isRefused) return;
  throw new Problem(
    "quota_devices",
    `the tenant has ${known} devices and may have ${most}; ${fresh} more are too many, and none was made: delete some, or raise the limit`,
  );
}
