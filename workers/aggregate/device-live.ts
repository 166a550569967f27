// What a device shows its zone: nothing while nobody watches, then at most one coalesced update a second.
import { shownLatest } from "../../core/device/latest.ts";
import type { DeviceState } from "../../core/device/state.ts";
import type { DeviceGlance } from "../../schemas/live.ts";
import { wallMs } from "../clock.ts";
import type { AggregateEnv } from "./env.ts";

/** Shortest distance of two pushes of one device. */
const PUSH_EVERY_MS = 1_000;
/**
 * A lease is written down when less than this is left of the one written before, for objects sleep and forget between
 * reports: one row a device and five minutes of watching.
 */
const LEASE_LEFT_MS = 6 * 60_000;

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

  /** New latest readings: pushed now, or within the second together with what else comes. */
  note(state: DeviceState, changed: Iterable<string>, connected: boolean): void {
    if (state.watchedUntil <= wallMs()) return;
    for (const metric of changed) this.#changed.add(metric);
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

  /** Somebody watches until `untilMs`. True when that has to be written down now. */
  lease(state: DeviceState, untilMs: number): boolean {
    const write = state.watchedUntil - wallMs() < LEASE_LEFT_MS && untilMs > state.watchedUntil;
    state.watchedUntil = Math.max(state.watchedUntil, untilMs);
    return write;
  }

  /** The socket came or went: the zone keeps who is connected, and shows it to whoever watches. */
  async presence(state: DeviceState, connected: boolean): Promise<void> {
    if (state.joinedZone === null) return;
    state.watchedUntil = await this.#sent(
      this.#zone(state, state.joinedZone).presence(state.device, connected),
    );
    if (state.watchedUntil > 0) await this.#push(state, connected);
  }

  /** Makes the device a member of its zone, and of no other. */
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

  /** Makes the device a member of no zone. @throws when its zone is away; it is its member still. */
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

  glance(state: DeviceState, connected: boolean): DeviceGlance {
    const { device, profile, lastReceivedAt } = state;
    return { device, ...profile, connected, lastReceivedAt, metrics: shownLatest(state) };
  }

  async #push(state: DeviceState, connected: boolean): Promise<void> {
    if (state.joinedZone === null) return;
    const metrics = shownLatest(state, this.#changed);
    this.#changed.clear();
    this.#pushedAt = wallMs();
    const { device, lastReceivedAt } = state;
    const zone = this.#zone(state, state.joinedZone);
    try {
      state.watchedUntil = await this.#sent(zone.push({ device, connected, lastReceivedAt, metrics }));
    } catch (error) {
      console.warn("live update not delivered", { tenant: state.tenant, device, error: String(error) });
    }
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
