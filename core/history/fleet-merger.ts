// Windows of devices, or of sets of devices that have none in common → windows of all of them.
import type { FleetPoint } from "../../schemas/query.ts";
import { alignDown, BUCKET_MS_MAX, type WindowAt } from "../window/align.ts";
import { merge, type Summary } from "../window/summary.ts";
import { fleetPointOf } from "./point.ts";

/**
 * A window of some devices, from `startMs`: how many of them have readings in it, and the summary of all of these.
 */
export interface FleetPart {
  startMs: number;
  devices: number;
  summary: Summary;
}

/** Gathers parts of equal length, in any order. Parts of the same window have no devices in common, and add up. */
export class FleetMerger {
  readonly #parts = new Map<number, FleetPart>();

  /** Adds parts of devices that the same windows do not have yet. */
  add(parts: Iterable<FleetPart>): void {
    for (const part of parts) {
      const known = this.#parts.get(part.startMs);
      this.#parts.set(
        part.startMs,
        known === undefined ? part : together(known, part, known.devices + part.devices),
      );
    }
  }

  /**
   * Windows, ascending; each part lies in one. Who reported in several parts of a window is not known: such a window has
   * as many devices as the part that had most.
   */
  points(windowAt: WindowAt): FleetPoint[] {
    const windows = new Map<number, FleetPart & { endMs: number }>();
    for (const part of [...this.#parts.values()].sort((a, b) => a.startMs - b.startMs)) {
      const { startMs, endMs } = windowAt(part.startMs);
      const known = windows.get(startMs);
      const devices = Math.max(known?.devices ?? 0, part.devices);
      const whole = known === undefined ? { ...part, startMs } : together(known, part, devices);
      windows.set(startMs, { ...whole, endMs });
    }
    return [...windows.values()].map(({ devices, ...window }) => fleetPointOf(window, devices));
  }
}

const together = ({ startMs, summary }: FleetPart, other: FleetPart, devices: number): FleetPart => ({
  startMs,
  devices,
  summary: merge(summary, other.summary),
});

/**
 * A device's block is sealed at the latest this long after its bucket ended: 1 min, the spread of 50, and the alarm of a
 * silent device with buckets of six hours, six times 20 (core/device/alarm.ts); and some minutes to be stored.
 */
const SEALED_AFTER_MS = 3 * 3_600_000;

/** Before this instant every block that came in time has been sealed, those of the longest buckets too. */
export const sealedToMs = (nowMs: number) => alignDown(nowMs - SEALED_AFTER_MS, BUCKET_MS_MAX);
