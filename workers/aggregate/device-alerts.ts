// A device's rules and alerts: what `core/alert` decides, committed, and then told to the device's zone.
import { act } from "../../core/alert/act.ts";
import { evaluateReports } from "../../core/alert/evaluate.ts";
import { endAll, moved, setRules } from "../../core/alert/set-rules.ts";
import { evaluateSilence, recall } from "../../core/alert/silence.ts";
import { forgetTold, type Subject } from "../../core/alert/state.ts";
import { oldestTaken } from "../../core/device/retain.ts";
import { type DeviceState, encodeState } from "../../core/device/state.ts";
import type { AlertAction, AlertEvent } from "../../schemas/alert.ts";
import type { AlertAnswer, ObjectProfile, PackedReports, TenantRules } from "../../schemas/message.ts";
import { wallMs } from "../clock.ts";
import { within } from "../within.ts";
import type { DeviceStore } from "./device-store.ts";
import type { AggregateEnv } from "./env.ts";

/** A zone that has not taken an event by then is told again; meanwhile each commit tries. */
const TELL_AGAIN_MS = 30_000;
const ZONE_ANSWERS_MS = 10_000;

export class DeviceAlerts {
  readonly #zones: AggregateEnv["ZONE"];
  readonly #storage: DurableObjectStorage;
  readonly #store: DeviceStore;
  /** False: the object has loaded another state since, and this one is to be written no more. */
  readonly #isCurrent: (state: DeviceState) => boolean;
  #telling: Promise<void> | undefined;

  constructor(
    env: AggregateEnv,
    storage: DurableObjectStorage,
    store: DeviceStore,
    isCurrent: (state: DeviceState) => boolean,
  ) {
    this.#zones = env.ZONE;
    this.#storage = storage;
    this.#store = store;
    this.#isCurrent = isCurrent;
  }

  /** Lets the rules see reports as they come. True: something happened to an alert, which has to be committed now. */
  see(state: DeviceState, reports: PackedReports): boolean {
    const oldest = (receivedAt: number) => oldestTaken(state, receivedAt);
    return evaluateReports(state.alerts, subjectOf(state), reports, oldest).length > 0;
  }

  /** Judges the device's silence. True: it is an alert, which has to be committed now. */
  listen(state: DeviceState, nowMs: number): boolean {
    return evaluateSilence(state.alerts, subjectOf(state), state.lastReceivedAt, nowMs).length > 0;
  }

  /** True: they are newer, and have to be committed. */
  setRules(state: DeviceState, rules: TenantRules, nowMs: number): boolean {
    const before = state.alerts.rulesVersion;
    setRules(state.alerts, subjectOf(state), rules, nowMs);
    if (state.alerts.rulesVersion <= before) return false;
    recall(state.alerts, (metric) => state.latest.get(metric));
    return true;
  }

  /** The device is elsewhere now, or something else: which rules concern it is asked before the next report. */
  move(state: DeviceState, profile: ObjectProfile, nowMs: number): void {
    const { zone, model } = state.profile;
    state.profile = profile;
    if (profile.zone === zone && profile.model === model) return;
    moved(state.alerts, subjectOf(state), nowMs);
    if (state.settings.rulesVersion > 0) state.settingsAt = 0;
  }

  act(state: DeviceState, alert: string, action: AlertAction, by: string, nowMs: number): AlertAnswer {
    return act(state.alerts, alert, action, by, nowMs);
  }

  end(state: DeviceState, nowMs: number): void {
    endAll(state.alerts, "deleted", nowMs);
  }

  /** With each commit: notes when the zone is to be told again what it does not take now. */
  plan(state: DeviceState): void {
    state.tellAt = state.alerts.outbox.length === 0 ? null : wallMs() + TELL_AGAIN_MS;
  }

  /**
   * Tells the zone, after the commit is durable, what it was not told yet. One row notes that it has taken it.
   * @throws when the zone is away: it is told again with the next commit, or by the alarm.
   */
  async tell(state: DeviceState): Promise<void> {
    this.#telling ??= this.#tell(state).finally(() => {
      this.#telling = undefined;
    });
    await this.#telling;
  }

  async #tell(state: DeviceState): Promise<void> {
    await this.#storage.sync();
    const { outbox } = state.alerts;
    if (outbox.length === 0) return;
    while (state.alerts.outbox.length > 0 && this.#isCurrent(state)) {
      const events = firstZone(state.alerts.outbox);
      const zone = `${state.tenant}/${events[0]!.alert.zone}`;
      await within(ZONE_ANSWERS_MS, "the zone", this.#zones.getByName(zone).alerts(events));
      forgetTold(state.alerts, events);
    }
    if (!this.#isCurrent(state)) return;
    this.plan(state);
    this.#store.save(encodeState(state));
  }
}

const subjectOf = ({ device, profile, generation }: DeviceState): Subject => ({
  device,
  zone: profile.zone,
  model: profile.model,
  gateway: profile.gateway ?? null,
  generation,
});

/** The first events that are of one zone, in their order. */
function firstZone(outbox: readonly AlertEvent[]): AlertEvent[] {
  const end = outbox.findIndex(({ alert }) => alert.zone !== outbox[0]!.alert.zone);
  return outbox.slice(0, end < 0 ? outbox.length : end);
}
