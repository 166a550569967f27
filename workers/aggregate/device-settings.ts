// The tenant's settings and rules → a device's copy of them, asked for once however many wait for the answer.
import type { DeviceState } from "../../core/device/state.ts";
import { wallMs } from "../clock.ts";
import { readRules } from "../rules.ts";
import { readSettings } from "../tenant.ts";
import { within } from "../within.ts";
import type { DeviceAlerts } from "./device-alerts.ts";
import type { AggregateEnv } from "./env.ts";

/** How old the copy of the tenant's settings may get before a commit asks for them again. */
const SETTINGS_AGE_MS_MAX = 3_600_000;
const SETTINGS_RETRY_MS = 60_000;
/** A report waits for this: what holds meanwhile is what was known. */
const RULES_ANSWER_MS = 5_000;

export class DeviceSettings {
  readonly #env: AggregateEnv;
  readonly #alerts: DeviceAlerts;
  /** The question while it is under way: first reports that come together ask once. */
  #asking: Promise<void> | undefined;

  constructor(env: AggregateEnv, alerts: DeviceAlerts) {
    this.#env = env;
    this.#alerts = alerts;
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
      const settings = await readSettings(this.#env.TENANT, state.tenant);
      await this.#refreshRules(state, settings.rulesVersion);
      state.settings = settings;
      state.settingsAt = wallMs();
    } catch (error) {
      state.settingsAt = wallMs() - SETTINGS_AGE_MS_MAX + SETTINGS_RETRY_MS;
      console.warn("tenant settings not read", { tenant: state.tenant, error: String(error) });
    } finally {
      this.#asking = undefined;
    }
  }

  /** The version was read before the rules, so these are at least as new. */
  async #refreshRules(state: DeviceState, version: number): Promise<void> {
    if (version === state.alerts.rulesVersion) return;
    const rules = await within(RULES_ANSWER_MS, "D1", readRules(this.#env.CONTROL, state.tenant));
    this.#alerts.setRules(state, { version, rules }, wallMs() + state.clockOffsetMs);
  }
}
