// A report or a connection → why its tenant may not have it: one device too many, or storage that is full.
import { type Refusal, refuseAfter } from "../../../core/device/allowance.ts";
import type { DeviceState } from "../../../core/device/state.ts";
import type { LimitCode } from "../../../schemas/codes.ts";
import type { PackedReports } from "../../../schemas/message.ts";
import { wallMs } from "../../clock.ts";
import { admitDevice } from "../../tenant.ts";
import { withDeadline } from "../../with-deadline.ts";
import type { AggregateEnv } from "../env.ts";

/** The first report waits for this; a device whose tenant does not answer is let in. */
const ADMITS_MS = 5_000;
/** A device that was refused is refused this long without asking: it may try as often as it likes. */
const REFUSED_MS = 1_000;

/** Why a tenant may not have what a device sends, and when it should try again: somebody has to do something first. */
export interface QuotaRefusal {
  code: LimitCode;
  message: string;
  retryAfterMs: number;
}

/** Whether the tenant has room for what this device sends. */
export class DeviceQuota {
  readonly #tenants: AggregateEnv["TENANT"];
  #refusedUntilMs = 0;

  constructor(tenants: AggregateEnv["TENANT"]) {
    this.#tenants = tenants;
  }

  /**
   * Returns why nothing of the device is taken; undefined: it is. Asks the tenant's object only for a device that
   * nobody knew, where the tenant has a limit. Never fails.
   */
  async refuses(state: DeviceState, isKnown: boolean): Promise<QuotaRefusal | undefined> {
    return refusesStorage(state) ?? (isKnown ? undefined : await this.#refusesNew(state));
  }

  async #refusesNew({ tenant, device, settings }: DeviceState): Promise<QuotaRefusal | undefined> {
    const most = settings.limits.devices;
    if (most === null) return undefined;
    const refusal = {
      code: "quota_devices",
      message: `tenant ${tenant} has all the ${most} devices it may have, and ${device} is none of them: delete one, or raise the limit (PUT /v1/tenant, limits.devices)`,
      retryAfterMs: 60_000,
    } as const;
    if (wallMs() < this.#refusedUntilMs) return refusal;
    try {
      if (await withDeadline(ADMITS_MS, "the tenant", admitDevice(this.#tenants, tenant, device)))
        return undefined;
    } catch (error) {
      console.warn("a new device was let in unasked", { tenant, device, error: String(error) });
      return undefined;
    }
    this.#refusedUntilMs = wallMs() + REFUSED_MS;
    return refusal;
  }
}

/** Returns why nothing is taken while the tenant's storage is full; undefined: it is not. */
export function refusesStorage({ tenant, settings }: DeviceState): QuotaRefusal | undefined {
  if (!settings.isStorageFull) return undefined;
  return {
    code: "quota_storage",
    message: `tenant ${tenant} has more than the ${settings.limits.storageBytes} bytes of files it may have: delete some, keep them for less long, or raise the limit (PUT /v1/tenant, limits.storageBytes)`,
    retryAfterMs: 600_000,
  };
}

/** What is said of all reports of a request. */
export const refuseAll = (reports: PackedReports, refusal: QuotaRefusal): Refusal =>
  refuseAfter(reports, 0, refusal).refusal;
