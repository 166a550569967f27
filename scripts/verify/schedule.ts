// A grid and a seed → what is delivered when: every row within a week, some of it twice, some of it corrected.
import type { RecordedReport } from "../recordings/recording.ts";
import { atOf, type Grid, indexOf, METRICS } from "./beijing-grid.ts";
import { randomOf } from "./random.ts";

/** What one request spans of the time of delivery: its reports have one receipt time, that of the last of them. */
export const REQUEST_MS = 12 * 3_600_000;
/** With the request's span this stays within the horizon of 7 days, so nothing is too old. */
const DELAY_MS_MAX = 7 * 86_400_000 - REQUEST_MS;
const DUPLICATE_SHARE = 0.05;
const CORRECTION_SHARE = 0.02;

export interface Delivery {
  station: number;
  hour: number;
  deliveredAt: number;
  /** The one cell that says something else than the file, if it is a correction. */
  metric?: number;
  value?: number;
}

/** In order of delivery. A duplicate or correction comes after its row, and the two in any order. */
export function planDeliveries(grid: Grid, seed: number): Delivery[] {
  const random = randomOf(seed);
  const deliveries: Delivery[] = [];
  for (let station = 0; station < grid.stations.length; station++) {
    for (let hour = 0; hour < grid.hours; hour++) {
      const present = METRICS.flatMap((_, m) =>
        Number.isNaN(grid.cells[indexOf(grid, station, hour, m)]) ? [] : [m],
      );
      if (present.length === 0) continue;
      const delayMs = Math.floor(random() * DELAY_MS_MAX);
      const later = () => atOf(hour) + delayMs + Math.floor(random() * (DELAY_MS_MAX - delayMs));
      deliveries.push({ station, hour, deliveredAt: atOf(hour) + delayMs });
      if (random() < DUPLICATE_SHARE) deliveries.push({ station, hour, deliveredAt: later() });
      if (random() < CORRECTION_SHARE) {
        const metric = present[Math.floor(random() * present.length)]!;
        const value = grid.cells[indexOf(grid, station, hour, metric)]! + 1 + Math.floor(random() * 100) / 10;
        deliveries.push({ station, hour, deliveredAt: later(), metric, value });
      }
    }
  }
  return deliveries.sort((a, b) => a.deliveredAt - b.deliveredAt); // stable: what is planned later comes later
}

/** The delivery's whole row, as a report. */
export function reportOf(
  grid: Grid,
  { station, hour, deliveredAt, metric, value }: Delivery,
): RecordedReport {
  const metrics: Record<string, number> = {};
  for (const [m, name] of METRICS.entries()) {
    const cell = m === metric ? value! : grid.cells[indexOf(grid, station, hour, m)]!;
    if (!Number.isNaN(cell)) metrics[name] = cell;
  }
  return { device: grid.stations[station]!, at: atOf(hour), arrivedAt: deliveredAt, metrics };
}
