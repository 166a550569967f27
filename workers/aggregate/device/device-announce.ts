// What registry and zone should know of a device → told once, and noted in its state row.
import { type DeviceState, encodeState } from "../../../core/device/state.ts";
import type { ObjectProfile } from "../../../schemas/message.ts";
import { logFailure } from "../../missing-migration.ts";
import type { DeviceLive } from "./device-live.ts";
import type { DeviceStore } from "./device-store.ts";
import { register } from "./register.ts";

/** Whether registry or zone have yet to be told of the device. */
export const isNews = (state: DeviceState) =>
  (!state.registered && state.firstReceivedAt !== null) || state.joinedZone !== state.profile.zone;

interface Device {
  /** False: the object has loaded another state since, and this one is to be written no more. */
  isCurrent(state: DeviceState): boolean;
  isConnected(): boolean;
  /** The registry says where the device is, and what. */
  move(state: DeviceState, profile: ObjectProfile): void;
  /** Asks its tenant for settings and rules anew, and ends what is void by them. @throws when a commit fails. */
  askAnew(state: DeviceState): Promise<void>;
  /** The device's life was deleted with its tenant. */
  isOver(): void;
}

/** Tells registry and zone of a device, one thing at a time. */
export class DeviceAnnouncer {
  readonly #control: D1Database;
  readonly #store: DeviceStore;
  readonly #live: DeviceLive;
  readonly #device: Device;
  /** The end of what is under way, which never fails: one thing at a time is said of a device. */
  #last: Promise<void> = Promise.resolve();
  #announcing = false;

  constructor(control: D1Database, store: DeviceStore, live: DeviceLive, device: Device) {
    this.#control = control;
    this.#store = store;
    this.#live = live;
    this.#device = device;
  }

  /**
   * Tells registry and zone what they do not know yet. Never fails: a failure is logged, and the next commit tries
   * again. One row notes that they know: an object that sleeps after each commit would tell them with each commit.
   */
  async announce(state: DeviceState): Promise<void> {
    if (this.#announcing) return;
    this.#announcing = true;
    await this.inTurn(() => this.#announceAll(state)).catch((error: unknown) => {
      const { tenant, device } = state;
      logFailure("warn", "device not announced yet", { tenant, device }, error);
    });
    this.#announcing = false;
  }

  async #announceAll(state: DeviceState): Promise<void> {
    while (isNews(state)) {
      if (!this.#device.isCurrent(state)) return;
      if (!state.registered && state.firstReceivedAt !== null) {
        const { profile } = state;
        const known = await register(this.#control, state);
        if (known === undefined) return this.#device.isOver();
        if (state.profile === profile) this.#device.move(state, known);
        await this.#device.askAnew(state); // what changed before the registry knew it, nobody told it
        state.registered = true;
      }
      await this.#live.join(state, this.#device.isConnected());
    }
    if (this.#device.isCurrent(state)) this.#store.save(encodeState(state));
  }

  /** Does `work` when nothing is being announced, and announces nothing meanwhile. @throws what `work` throws. */
  inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.#last.then(work);
    this.#last = done.catch(() => undefined);
    return done;
  }
}
