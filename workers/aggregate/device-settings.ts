// The tenant's settings → a device's copy of them, asked for once however many wait for the answer.
import type { DeviceState } from "../../core/device/state.ts";
import { wallMs } from "../clock.ts";
import { readSettings } from "../tenant.ts";

/** How old the copy of the tenant's settings may get before a commit asks for them again. */
const SETTINGS_AGE_MS_MAX = 3_600_000;
const SETTINGS_RETRY_MS = 60_000;

export class DeviceSettings {
  readonly #tenants: DurableObjectNamespace;
  /** The question while it is under way: first reports that come together ask once. */
  #asking: Promise<void> | undefined;

  constructor(tenants: DurableObjectNamespace) {
    this.#tenants = tenants;
  }

  areDue(state: DeviceState): boolean {
    return wallMs() - state.settingsAt > SETTINGS_AGE_MS_MAX;
  }

  /** The settings ride with the next commit. Not read: the known ones stay, and it asks again in a minute. */
  async refresh(state: DeviceState): Promise<void> {
    this.#asking ??= this.#ask(state);
    await this.#asking;
  }

  async #ask(state: DeviceState): Promise<void> {
    try {
      state.settings = await readSettings(this.#tenants, state.tenant);
      state.settingsAt = wallMs();
    } catch (error) {
      state.settingsAt = wallMs() - SETTINGS_AGE_MS_MAX + SETTINGS_RETRY_MS;
      console.warn("tenant settings not read", { tenant: state.tenant, error: String(error) });
    } finally {
      this.#asking = undefined;
    }
  }
}
