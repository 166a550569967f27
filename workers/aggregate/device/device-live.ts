// What a device shows its zone: nothing while nobody watches, then at most one coalesced update a second.
import { isHot, reportsPerSecond } from "../../../core/device/heat.ts";
import { newestMetrics, shownLatest } from "../../../core/device/latest.ts";
import { reportEveryMs } from "../../../core/device/rhythm.ts";
import type { DeviceState } from "../../../core/device/state.ts";
import { GLANCE_METRICS_MAX } from "../../../schemas/limits.ts";
import type { DeviceGlance } from "../../../schemas/live.ts";
import type { LatestAnswer } from "../../../schemas/query.ts";
import { wallMs } from "../../clock.ts";
import type { AggregateEnv } from "../env.ts";

/** Shortest distance of two pushes of one device. */
const PUSH_EVERY_MS = 1_000;
/**
 * A lease is written down when less than this is left of the one written before, for objects sleep and forget between
 * reports: one row a device and five minutes of watching.
 */
const LEASE_LEFT_MS = 6 * 60_000;

/** What one device shows its zone, and its membership there. */
export class DeviceLive {
  readonly #ctx: DurableObjectState;
  readonly #env: AggregateEnv;
  #changed = new Set<string>();
  #pushedAt = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** What is on its way to a zone: a device leaves only after it, or it would be back. */
  readonly #underWay = new Set<Promise<number>>();

  constructor(ctx: DurableObjectState, env: AggregateEnv) {
    this.#ctx = ctx;
    this.#env = env;
  }

  /**
   * Pushes the latest readings of the `changed` metrics now, or within the second together with others; unwatched:
   * nothing. Never throws: a fault in what is shown takes nothing from what is kept.
   */
  note(state: DeviceState, changed: Iterable<string>, connected: boolean): void {
    try {
      this.#note(state, changed, connected);
    } catch (error) {
      notDelivered(state, error);
    }
  }

  #note(state: DeviceState, changed: Iterable<string>, connected: boolean): void {
    if (state.watchedUntil <= wallMs()) return;
    for (const metric of changed) this.#changed.add(metric);
    this.#pushSoon(state, connected);
  }

  /** Pushes what changed as soon as the last push is a second ago. */
  #pushSoon(state: DeviceState, connected: boolean): void {
    if (this.#changed.size === 0 || this.#timer !== undefined) return;
    const waitMs = this.#pushedAt + PUSH_EVERY_MS - wallMs();
    if (waitMs <= 0) this.#ctx.waitUntil(this.#push(state, connected));
    else {
      // Holds the object awake for a second at most, and only while somebody looks.
      this.#timer = setTimeout(() => {
        this.#timer = undefined;
        if (state.watchedUntil <= wallMs()) return;
        this.#ctx.waitUntil(this.#push(state, connected));
      }, waitMs);
    }
  }

  /**
   * Notes that somebody watches until `untilMs`, by the wall clock. Returns true when that has to be committed now.
   */
  lease(state: DeviceState, untilMs: number): boolean {
    const write = state.watchedUntil - wallMs() < LEASE_LEFT_MS && untilMs > state.watchedUntil;
    state.watchedUntil = Math.max(state.watchedUntil, untilMs);
    return write;
  }

  /**
   * Tells the zone that the device joined whether it holds a socket; without such a zone, nothing.
   * @throws when the zone is away.
   */
  async presence(state: DeviceState, connected: boolean): Promise<void> {
    if (state.joinedZone === null) return;
    state.watchedUntil = await this.#sent(
      this.#zone(state, state.joinedZone).presence(state.device, connected),
    );
    if (state.watchedUntil > 0) await this.#push(state, connected);
  }

  /**
   * Makes the device a member of its profile's zone, and of no other. @throws when a zone is away; to be tried again.
   */
  async join(state: DeviceState, connected: boolean): Promise<void> {
    const { zone } = state.profile;
    if (state.joinedZone === zone) return;
    if (state.joinedZone !== null) await this.#zone(state, state.joinedZone).leave(state.device);
    state.watchedUntil = await this.#zone(state, zone).presence(state.device, connected);
    state.joinedZone = zone;
    if (state.watchedUntil === 0) return;
    for (const metric of state.latest.keys()) this.#changed.add(metric);
    await this.#push(state, connected);
  }

  /** Makes the device a member of no zone. @throws when its zone is away; the device is its member still. */
  async leave(state: DeviceState): Promise<void> {
    const zone = state.joinedZone ?? state.profile.zone;
    const { watchedUntil } = state;
    state.joinedZone = null;
    state.watchedUntil = 0;
    try {
      await Promise.allSettled(this.#underWay);
      await this.#zone(state, zone).leave(state.device);
    } catch (error) {
      state.joinedZone = zone;
      state.watchedUntil = watchedUntil;
      throw error;
    }
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#changed.clear();
  }

  /** Returns what a watcher sees of the device: of its metrics at most `metricsMax`, the newest. */
  glance(state: DeviceState, connected: boolean, metricsMax?: number): DeviceGlance {
    const { device, profile, latest } = state;
    const { zone, name, model } = profile;
    const metrics = shownLatest(state, newestMetrics(state, metricsMax));
    const leftOut = metricsMax === undefined ? 0 : Math.max(0, latest.size - metricsMax);
    return {
      ...{ device, zone, name, model, ...heardOf(state, connected), ...heatOf(state), metrics },
      ...(leftOut === 0 ? {} : { metricsLeftOut: leftOut }),
    };
  }

  async #push(state: DeviceState, connected: boolean): Promise<void> {
    if (state.joinedZone === null) return;
    this.#pushedAt = wallMs();
    try {
      const told = [...this.#changed].slice(0, GLANCE_METRICS_MAX);
      for (const metric of told) this.#changed.delete(metric);
      const metrics = shownLatest(state, told);
      const { device } = state;
      const heard = { ...heardOf(state, connected), ...heatOf(state) };
      const zone = this.#zone(state, state.joinedZone);
      state.watchedUntil = await this.#sent(zone.push({ device, ...heard, metrics }));
    } catch (error) {
      notDelivered(state, error);
    }
    if (state.watchedUntil > wallMs()) this.#pushSoon(state, connected);
    else this.#changed.clear();
  }

  async #sent(call: Promise<number>): Promise<number> {
    this.#underWay.add(call);
    try {
      return await call;
    } finally {
      this.#underWay.delete(call);
    }
  }

  #zone(state: DeviceState, zone: string) {
    return this.#env.ZONE.getByName(`${state.tenant}/${zone}`);
  }
}

const notDelivered = ({ tenant, device }: DeviceState, error: unknown) =>
  console.warn("live update not delivered", { tenant, device, error: String(error) });

/** How much a device sends, when that is too much. */
const heatOf = (state: DeviceState) =>
  isHot(state, wallMs()) ? { reportsPerSecond: reportsPerSecond(state, wallMs()) } : {};

/** Whether a device holds a socket, when it last reported (null: never), and how often it usually does. */
export const heardOf = ({ lastReceivedAt, gapsMs }: DeviceState, connected: boolean) => ({
  connected,
  lastReceivedAt,
  reportEveryMs: reportEveryMs(gapsMs),
});

/** The answer to a question for a device's latest readings. */
export const latestOf = (state: DeviceState, connected: boolean): LatestAnswer => ({
  device: state.device,
  zone: state.profile.zone,
  ...heardOf(state, connected),
  metrics: shownLatest(state),
  clock: state.clock,
});
