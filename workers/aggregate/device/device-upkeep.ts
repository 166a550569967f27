// What a device's object does beside taking reports: it is swept, seals, sends again, hands over, moves, and is forgotten.
import { isNewerThan, type RulesMark, zonesOfAlerts } from "../../../core/alert/state.ts";
import { isAlarmLost, isOverdue } from "../../../core/device/alarm.ts";
import type { OpenBlock } from "../../../core/device/open-block.ts";
import { confirm, needsCommit, takeAgain } from "../../../core/device/outbox.ts";
import { beginsBefore, giveUpExpired, handOver } from "../../../core/device/retain.ts";
import { type DeviceState, encodeState, newState, receiptMs } from "../../../core/device/state.ts";
import type { AlarmTiming } from "../../../core/device/timing.ts";
import type { AlertAction } from "../../../schemas/alert.ts";
import type {
  AlertAnswer,
  BlockReceipt,
  DeviceLife,
  ObjectProfile,
  Swept,
} from "../../../schemas/message.ts";
import { defaultSettings } from "../../../schemas/tenant.ts";
import { wallMs } from "../../clock.ts";
import { readSettings } from "../../tenant.ts";
import { REVOKED, TOKEN_ENDED } from "../../token-note.ts";
import type { AggregateEnv } from "../env.ts";
import type { DeviceAlerts } from "./device-alerts.ts";
import type { DeviceAnnouncer } from "./device-announce.ts";
import type { DeviceHost } from "./device-host.ts";
import type { DeviceLive } from "./device-live.ts";
import type { DeviceSockets } from "./device-sockets.ts";
import type { DeviceStore } from "./device-store.ts";
import { unregister } from "./register.ts";

/** The parts of the object that upkeep works on. */
export interface UpkeepParts {
  storage: DurableObjectStorage;
  env(): AggregateEnv;
  store: DeviceStore;
  sockets: DeviceSockets;
  live: DeviceLive;
  announcer: DeviceAnnouncer;
  alerts: DeviceAlerts;
  timing: AlarmTiming;
}

/** A busy device overwrites what is past its age by itself: counting it deserves a row only now and then. */
const EXPIRED_UNCOUNTED_MAX = 100;

/** Why a socket is closed; the protocol takes 123 bytes (RFC 6455 §5.5). */
const DELETED = "device deleted: connect again and resend what was not acknowledged, its next life takes it";

/** Whether the device has been told rules since it had those. */
const hasOtherRules = ({ alerts }: DeviceState, before: RulesMark) =>
  alerts.rulesAreStale !== true && isNewerThan(before, alerts.rulesVersion);

/** What DeviceRpc promises beside reports and questions; the object passes its calls on. */
export class DeviceUpkeep {
  readonly #host: DeviceHost;
  readonly #of: UpkeepParts;

  constructor(host: DeviceHost, of: UpkeepParts) {
    this.#host = host;
    this.#of = of;
  }

  /** Seals overdue blocks, sends unconfirmed ones again, drops expired ones, sets a lost alarm (SPEC D25). */
  async sweep(): Promise<Swept> {
    const { storage, store, alerts, timing } = this.#of;
    const known = this.#host.loadKnown();
    if (known === undefined) return { acted: false, expired: 0 };
    const { rulesVersion, rulesAreStale } = known.alerts;
    await this.#host.prepare(); // a silent device asks for its rules at no other time
    const alarmFor = await storage.getAlarm();
    const state = this.#host.load();
    const hasNewRules = hasOtherRules(state, { rulesVersion, rulesAreStale });
    const now = receiptMs(state, wallMs());
    const isLost = isAlarmLost(state, alarmFor, now, timing);
    if (isLost) state.alarmAt = null;
    const { evictedThroughMs } = state;
    const deleted = giveUpExpired(state, store, now);
    const isExpired = deleted.length > 0 || state.evictedThroughMs > evictedThroughMs;
    const isCounted = state.expired < EXPIRED_UNCOUNTED_MAX;
    if (!hasNewRules && !isLost && !isExpired && isCounted && !isOverdue(state, now, timing))
      return { acted: false, expired: 0 };
    const { expired } = state;
    state.expired = 0;
    alerts.judgeNoData(state, now, alarmFor === null);
    alerts.judgeHot(state, wallMs());
    this.#host.commit(now, { deleted });
    await this.#host.sent();
    return { acted: true, expired };
  }

  /** Sets and commits the device's profile, and asks at once for the rules of the zone it is in then. */
  async setProfile(profile: ObjectProfile): Promise<void> {
    const state = await this.#host.prepare();
    this.#of.alerts.move(state, profile, receiptMs(state, wallMs()));
    this.#host.commit(receiptMs(state, wallMs()));
    const { rulesVersion, rulesAreStale } = state.alerts;
    const moved = await this.#host.prepare(true);
    if (moved.generation === state.generation && hasOtherRules(moved, { rulesVersion, rulesAreStale }))
      this.#host.commit(receiptMs(moved, wallMs()));
  }

  /**
   * Takes confirmed blocks from the outbox. That is written with the next commit, is kept in a socket's attachment
   * until then, or is committed at once when neither may come.
   */
  confirm(stored: BlockReceipt[]): void {
    const state = this.#host.loadKnown();
    if (state === undefined) return;
    const taken = confirm(state, stored);
    if (taken.length === 0) return;
    const isNoted = this.#of.sockets.all()[0]?.noteConfirmed(stored) ?? false;
    if (!isNoted && needsCommit(state, taken)) this.#host.commit(receiptMs(state, wallMs()));
  }

  /**
   * Seals every open block and sends every unconfirmed one again. Returns how many it sealed, and how many are
   * unconfirmed.
   */
  async seal(): Promise<{ sealed: number; pending: number }> {
    const state = this.#host.loadKnown();
    if (state === undefined) return { sealed: 0, pending: 0 };
    const sealed = state.open.length;
    for (const pending of state.outbox) pending.resendAt = 0;
    this.#host.commit(receiptMs(state, wallMs()), { mustSeal: () => true });
    await this.#host.sent();
    return { sealed, pending: state.outbox.length + (state.unlistedFromMs === null ? 0 : 1) };
  }

  /** Returns how many sealed blocks that begin before `beforeMs` storage has yet to confirm; those not listed count as one. */
  unconfirmed(beforeMs: number): number {
    const state = this.#host.loadKnown();
    if (state === undefined) return 0;
    const listed = state.outbox.filter(({ startMs }) => startMs < beforeMs).length;
    return listed + ((state.unlistedFromMs ?? beforeMs) < beforeMs ? 1 : 0);
  }

  /**
   * Seals what is open of `[fromMs, toMs)` and sends one page of its blocks that begin after `afterMs`: a page only,
   * so that a queue that was away is not flooded. Returns how many were sent, and the next `afterMs`; null when that
   * was the last.
   */
  async resend(
    fromMs: number,
    toMs: number,
    afterMs: number,
  ): Promise<{ sent: number; nextMs: number | null }> {
    const { store, timing } = this.#of;
    const state = this.#host.loadKnown();
    if (state === undefined) return { sent: 0, nextMs: null };
    const overlaps = ({ mark }: OpenBlock) =>
      mark.startMs < toMs && mark.endMs > fromMs && mark.startMs > afterMs;
    if (state.open.some(overlaps)) this.#host.commit(receiptMs(state, wallMs()), { mustSeal: overlaps });
    const span = { fromMs, toMs, afterMs };
    const { page, nextMs } = takeAgain(state, store, span, wallMs(), timing);
    if (page.length > 0) store.save(encodeState(state));
    await this.#host.send(state, store.readSealed(page));
    return { sent: page.length, nextMs };
  }

  /**
   * Leaves everything before `beforeMs` to the archive, once storage has it. Returns how many blocks it has yet to
   * confirm.
   * @throws RangeError when `beforeMs` is within the lateness horizon.
   */
  async handOver(beforeMs: number): Promise<{ pending: number }> {
    const { storage, store } = this.#of;
    const state = await this.#host.prepare();
    const now = receiptMs(state, wallMs());
    let answer = handOver(state, beforeMs, now);
    if (state.open.some(beginsBefore(beforeMs))) {
      this.#host.commit(now, { mustSeal: beginsBefore(beforeMs) });
      answer = handOver(state, beforeMs, now);
    }
    if (answer.pending === 0) store.save(encodeState(state));
    await storage.sync();
    return answer;
  }

  /** Returns the life the device is in, the zones that may know of it, and whether tokens of it were revoked. */
  life(): DeviceLife {
    const { generation, alerts, profile, revoked } = this.#host.load();
    const zones = new Set([profile.zone, ...zonesOfAlerts(alerts)]);
    const isKnown = this.#host.loadKnown() !== undefined;
    return { generation, isKnown, zones: [...zones], wasRevoked: revoked !== null };
  }

  /**
   * Ends the device's lives up to `generation` and begins the next; changes nothing when that has begun already.
   * `isRegistered` false: the registry's row, if there is one, is of the next life.
   * @throws when a zone or the registry does not answer; the call may be repeated.
   */
  async forget(generation: number, isRegistered = true): Promise<void> {
    const { env, store, sockets, live, announcer, alerts } = this.#of;
    await announcer.inTurn(async () => {
      let old = this.#host.load();
      if (old.generation > generation) return;
      await live.leave(old);
      if (isRegistered) await unregister(env().CONTROL, old); // who registers it after this is not undone
      for (;;) {
        old = this.#host.load();
        alerts.end(old, receiptMs(old, wallMs()));
        if (old.alerts.outbox.length === 0) break; // else something may fire while the zone is told
        store.save(encodeState(old));
        await alerts.tellZone(old);
      }
      sockets.closeAll(4003, DELETED);
      const next = newState(old.tenant, old.device, defaultSettings, 0);
      next.generation = generation + 1;
      next.revoked = old.revoked; // a token that was revoked is void in every life
      if (old.settings.tokens !== undefined)
        next.settings = { ...next.settings, tokens: old.settings.tokens };
      this.#host.begin(next);
      await store.replaceAll(encodeState(next));
    });
  }

  /** `DeviceRpc.act`: what somebody does to an alert, durable when it resolves. */
  async act(alert: string, action: AlertAction, by: string): Promise<AlertAnswer> {
    const state = this.#host.loadKnown();
    if (state === undefined) return { refused: "unknown" };
    const before = state.alerts.outbox.length;
    const now = receiptMs(state, wallMs());
    const answer = this.#of.alerts.act(state, alert, action, by, now);
    if (state.alerts.outbox.length > before) this.#host.commit(now);
    await this.#host.sync();
    return answer;
  }

  /**
   * `DeviceRpc.erase`: deletes all there is of the life there is; what comes after that asks its tenant, and begins its life.
   * @throws when another has begun meanwhile, or the zone does not answer; the call may be repeated.
   */
  async erase(generation: number): Promise<void> {
    const { env, store, sockets, live, announcer } = this.#of;
    const { tenant, generation: living } = this.#host.load();
    // A sweep may have begun the next life: there is nothing of it while the tenant is being deleted.
    if (living >= generation && !(await readSettings(env().TENANT, tenant)).isEnding) return;
    await announcer.inTurn(async () => {
      const old = this.#host.load();
      if (old.generation !== living) throw new Error("the device's life has ended meanwhile");
      await live.leave(old);
      sockets.closeAll(TOKEN_ENDED, REVOKED);
      this.#host.begin(newState(old.tenant, old.device, defaultSettings, 0));
      await store.replaceAll();
    });
  }
}
