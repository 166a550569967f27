// The tenant's settings and rules → a device's copy of them, asked for once however many wait for the answer.
import type { DeviceState } from "../../../core/device/state.ts";
import type { TenantSettings } from "../../../schemas/tenant.ts";
import { wallMs } from "../../clock.ts";
import { logFailure } from "../../missing-migration.ts";
import { readRules } from "../../rules.ts";
import { readSettings } from "../../tenant.ts";
import { withDeadline } from "../../with-deadline.ts";
import type { AggregateEnv } from "../env.ts";
import type { DeviceAlerts } from "./device-alerts.ts";

/** How old the copy of the tenant's settings may get before a commit asks for them again. */
const SETTINGS_AGE_MS_MAX = 3_600_000;
const SETTINGS_RETRY_MS = 60_000;
/** The same of a tenant that is being deleted: it may be made anew. */
const ENDING_AGE_MS_MAX = 5_000;
/** The same of a device that the registry does not know yet, so that nobody can tell it of a change. */
const UNTOLD_AGE_MS_MAX = 1_000;
/** A report waits for this: what holds meanwhile is what was known. */
const RULES_ANSWER_MS = 5_000;

/** The device's copy of its tenant's settings and rules. */
export class DeviceSettings {
  readonly #env: AggregateEnv;
  readonly #alerts: DeviceAlerts;
  /** The question while it is under way: first reports that come together ask once. */
  #asking: Promise<void> | undefined;
  /** When it is asked again for a device that the registry does not know. */
  #untoldDueAt = 0;
  /** Whether newer settings came with an answer, and no commit has written them yet. */
  #isUnwritten = false;

  constructor(env: AggregateEnv, alerts: DeviceAlerts) {
    this.#env = env;
    this.#alerts = alerts;
  }

  /**
   * Whether the copy is older than an hour, or there is none; of a tenant that is being deleted, older than five seconds; of a
   * device that the registry does not know yet, older than a second.
   */
  areDue({ settings, settingsAt, registered }: DeviceState): boolean {
    if (!registered && wallMs() > this.#untoldDueAt) return true;
    return wallMs() - settingsAt > (settings.isEnding ? ENDING_AGE_MS_MAX : SETTINGS_AGE_MS_MAX);
  }

  /** Takes settings that the device was told of. Returns false when its copy is as new, and written: nothing changes. */
  take(state: DeviceState, settings: TenantSettings | undefined): boolean {
    if (settings === undefined || settings.settingsVersion < versionOf(state)) return false;
    const isNews = this.#isUnwritten || settings.settingsVersion > versionOf(state);
    state.settings = settings;
    return isNews;
  }

  /** To be called when a commit has written the state. */
  written(): void {
    this.#isUnwritten = false;
  }

  /** Asks as `refresh` does, but not before now: an answer that is under way may be older. */
  async askAnew(state: DeviceState): Promise<void> {
    await this.#asking;
    await this.refresh(state);
  }

  /**
   * Reads settings and rules into `state`; the next commit makes them durable. Never fails: when they cannot be read,
   * the known ones stay and are due again in a minute.
   */
  async refresh(state: DeviceState): Promise<void> {
    this.#asking ??= this.#ask(state);
    await this.#asking;
  }

  async #ask(state: DeviceState): Promise<void> {
    try {
      const settings = await readSettings(this.#env.TENANT, state.tenant);
      await this.#refreshRules(state, settings.rulesVersion);
      const before = versionOf(state); // it may have been told of newer ones meanwhile
      if (settings.settingsVersion >= before) state.settings = settings;
      if (settings.settingsVersion > before) this.#isUnwritten = true;
      state.settingsAt = wallMs();
      this.#untoldDueAt = wallMs() + UNTOLD_AGE_MS_MAX;
    } catch (error) {
      state.settingsAt = wallMs() - SETTINGS_AGE_MS_MAX + SETTINGS_RETRY_MS;
      this.#untoldDueAt = wallMs() + SETTINGS_RETRY_MS;
      logFailure("warn", "tenant settings not read", { tenant: state.tenant }, error);
    } finally {
      this.#asking = undefined;
    }
  }

  /** The version was read before the rules, so these are at least as new. */
  async #refreshRules(state: DeviceState, version: number): Promise<void> {
    const { rulesVersion, rulesAreStale = false } = state.alerts;
    if (version === rulesVersion && !rulesAreStale) return;
    const rules = await withDeadline(RULES_ANSWER_MS, "D1", readRules(this.#env.CONTROL, state.tenant));
    this.#alerts.setRules(state, { version, rules }, wallMs() + state.clockOffsetMs);
  }
}

/** The version of the copy; rows of before there were versions have none. */
const versionOf = ({ settings }: DeviceState) => settings.settingsVersion ?? 0;
