// What devices say of themselves → who sends too much, and what was refused. Bounded, and forgotten with the object.
import type { LimitCode } from "../../../schemas/codes.ts";
import type { TenantUse } from "../../../schemas/message.ts";
import { wallMs } from "../../clock.ts";

/** A device that is still hot says so each minute. */
const HOT_MS = 120_000;
/** Most devices remembered, the hottest, or those most was refused of. */
const DEVICES_MAX = 1_000;

/** The devices that are hot. */
export class HotDevices {
  readonly #devices = new Map<string, { reportsPerSecond: number; at: number }>();

  /** Notes how many reports a second a device sends; null: it is not hot. */
  note(device: string, reportsPerSecond: number | null): void {
    if (reportsPerSecond === null) return void this.#devices.delete(device);
    this.#devices.set(device, { reportsPerSecond, at: wallMs() });
    if (this.#devices.size > DEVICES_MAX) this.#devices.delete(this.list().at(-1)!.device);
  }

  /** Those that were hot within the last two minutes, the hottest first. */
  list(): TenantUse["hot"] {
    const now = wallMs();
    for (const [device, { at }] of this.#devices) if (now - at > HOT_MS) this.#devices.delete(device);
    return [...this.#devices]
      .map(([device, { reportsPerSecond }]) => ({ device, reportsPerSecond }))
      .sort((a, b) => b.reportsPerSecond - a.reportsPerSecond);
  }
}

/** Readings counted by device: all of them, and of which devices most. */
export class ReadingsByDevice {
  #readings = 0;
  readonly #byDevice = new Map<string, number>();

  /** Counts readings; `device` undefined: of several. */
  note(device: string | undefined, readings: number): void {
    if (readings <= 0) return;
    this.#readings += readings;
    if (device === undefined) return;
    this.#byDevice.set(device, (this.#byDevice.get(device) ?? 0) + readings);
    if (this.#byDevice.size > DEVICES_MAX) this.#byDevice.delete(this.#sorted().at(-1)![0]);
  }

  /** All of it, the devices of most readings first. */
  list(): { readings: number; byDevice: Record<string, number> } {
    return { readings: this.#readings, byDevice: Object.fromEntries(this.#sorted().slice(0, LISTED_MAX)) };
  }

  #sorted(): [string, number][] {
    return [...this.#byDevice].sort(([, a], [, b]) => b - a);
  }
}

const LISTED_MAX = 100;

/** What was refused, by why and by device. */
export class Refusals {
  readonly #sinceMs = wallMs();
  readonly #refused: Partial<Record<LimitCode, number>> = {};
  readonly #all = new ReadingsByDevice();

  /** Counts readings that were refused; `device` undefined: of several. */
  note(device: string | undefined, refused: Partial<Record<LimitCode, number>>): void {
    for (const [code, readings] of Object.entries(refused) as [LimitCode, number][]) {
      if (readings <= 0) continue;
      this.#refused[code] = (this.#refused[code] ?? 0) + readings;
      this.#all.note(device, readings);
    }
  }

  /** All of it, the devices most was refused of first. */
  list(): Pick<TenantUse, "refused" | "refusedByDevice" | "sinceMs"> {
    const refusedByDevice = this.#all.list().byDevice;
    return { refused: { ...this.#refused }, refusedByDevice, sinceMs: this.#sinceMs };
  }
}
