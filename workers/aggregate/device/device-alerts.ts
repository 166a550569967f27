// A device's rules and alerts: what `core/alert` decides, committed, and then told to the device's zone.
import { act } from "../../../core/alert/act.ts";
import { evaluateHot } from "../../../core/alert/hot.ts";
import { evaluateNoData, giveTimeAgain, recall } from "../../../core/alert/no-data.ts";
import { endAll, moved, setRules } from "../../../core/alert/set-rules.ts";
import { forgetTold, isNewerThan } from "../../../core/alert/state.ts";
import { planTelling } from "../../../core/device/commit.ts";
import { coolsAt, reportsPerSecond } from "../../../core/device/heat.ts";
import { type DeviceState, encodeState, receiptMs, subjectOf } from "../../../core/device/state.ts";
import type { AlertAction, AlertEvent } from "../../../schemas/alert.ts";
import type { AlertAnswer, ObjectProfile, TenantRules } from "../../../schemas/message.ts";
import { wallMs } from "../../clock.ts";
import { withDeadline } from "../../with-deadline.ts";
import { type AggregateEnv, startedAtOf } from "../env.ts";
import type { DeviceStore } from "./device-store.ts";

const ZONE_ANSWERS_MS = 10_000;

/**
 * What the rules of one device decide, and the telling of its zone. Most methods change the state; the caller commits
 * it.
 */
export class DeviceAlerts {
  readonly #zones: AggregateEnv["ZONE"];
  readonly #storage: DurableObjectStorage;
  readonly #store: DeviceStore;
  /** False: the object has loaded another state since, and this one is to be written no more. */
  readonly #isCurrent: (state: DeviceState) => boolean;
  /** When this run began, by the wall clock; 0: it has no beginning. */
  readonly #startedAt: number;
  #telling: Promise<void> | undefined;

  constructor(
    env: AggregateEnv,
    storage: DurableObjectStorage,
    store: DeviceStore,
    isCurrent: (state: DeviceState) => boolean,
  ) {
    this.#zones = env.ZONE;
    this.#startedAt = startedAtOf(env);
    this.#storage = storage;
    this.#store = store;
    this.#isCurrent = isCurrent;
  }

  /**
   * Judges the hot rules by what is known at `nowWallMs`, by the wall clock, which rates are measured by. Returns true
   * when one fired or its alert ended: commit now.
   */
  judgeHot(state: DeviceState, nowWallMs: number): boolean {
    const warmth = {
      reportsPerSecond: reportsPerSecond(state, nowWallMs),
      coolsAt: receiptMs(state, coolsAt(state)),
    };
    return evaluateHot(state.alerts, subjectOf(state), warmth, receiptMs(state, nowWallMs)).length > 0;
  }

  /**
   * Judges the no-data rules at `nowMs`, by the receipt clock. Returns true when one fired, or gives the device its
   * time again because we were away: commit now. A commit more, a row, for each device that was due in an absence.
   */
  judgeNoData(state: DeviceState, nowMs: number, isAlarmLost = false): boolean {
    const { alerts, lastReceivedAt } = state;
    const startedAt = this.#startedAt === 0 ? 0 : receiptMs(state, this.#startedAt);
    const isGiven = giveTimeAgain(alerts, lastReceivedAt, nowMs, { startedAt, isAlarmLost });
    return evaluateNoData(alerts, subjectOf(state), lastReceivedAt, nowMs).length > 0 || isGiven;
  }

  /** Replaces the device's rules. Returns true when `rules` were newer: commit now; false changes nothing. */
  setRules(state: DeviceState, rules: TenantRules, nowMs: number): boolean {
    if (!isNewerThan(state.alerts, rules.version)) return false;
    setRules(state.alerts, subjectOf(state), rules, nowMs);
    recall(state.alerts, (metric) => state.latest.get(metric));
    return true;
  }

  /** Sets the device's profile. With another zone or model, its rules are asked for anew before the next report. */
  move(state: DeviceState, profile: ObjectProfile, nowMs: number): void {
    const { zone, model } = state.profile;
    state.profile = profile;
    if (profile.zone === zone && profile.model === model) return;
    moved(state.alerts, subjectOf(state), nowMs);
    if (state.settings.rulesVersion > 0) state.settingsAt = 0;
  }

  /** Applies a person's action to an alert of the device; the caller commits when the alerts' outbox grew. */
  act(state: DeviceState, alert: string, action: AlertAction, by: string, nowMs: number): AlertAnswer {
    return act(state.alerts, alert, action, by, nowMs);
  }

  /** Ends every alert of the device, because it was deleted. */
  end(state: DeviceState, nowMs: number): void {
    endAll(state.alerts, "deleted", nowMs);
  }

  /**
   * Sends the zone every event it has not taken yet, after the commit is durable, and notes in one row that it has
   * them.
   * @throws when the zone does not answer within 10 s: the next commit or the alarm tries again.
   */
  async tellZone(state: DeviceState): Promise<void> {
    this.#telling ??= this.#tellAll(state).finally(() => {
      this.#telling = undefined;
    });
    await this.#telling;
  }

  /**
   * Sends the zone every event it has not taken yet, as `tellZone` does. Never fails: that the zone is away is
   * logged.
   */
  async tellSoon(state: DeviceState): Promise<void> {
    await this.tellZone(state).catch((error: unknown) => {
      const { tenant, device } = state;
      console.warn("zone not told of an alert yet", { tenant, device, error: String(error) });
    });
  }

  async #tellAll(state: DeviceState): Promise<void> {
    await this.#storage.sync();
    const { outbox } = state.alerts;
    if (outbox.length === 0) return;
    while (state.alerts.outbox.length > 0 && this.#isCurrent(state)) {
      const events = firstZone(state.alerts.outbox);
      const zone = `${state.tenant}/${events[0]!.alert.zone}`;
      await withDeadline(ZONE_ANSWERS_MS, "the zone", this.#zones.getByName(zone).alerts(events));
      forgetTold(state.alerts, events);
    }
    if (!this.#isCurrent(state)) return;
    planTelling(state, wallMs());
    this.#store.save(encodeState(state));
  }
}

/** The first events that are of one zone, in their order. */
function firstZone(outbox: readonly AlertEvent[]): AlertEvent[] {
  const end = outbox.findIndex(({ alert }) => alert.zone !== outbox[0]!.alert.zone);
  return outbox.slice(0, end < 0 ? outbox.length : end);
}
