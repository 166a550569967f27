// A grid and its deliveries → the verdicts and the readings that must come of them, by the rules and nothing else.
import { VERDICTS, type Verdict } from "../../schemas/codes.ts";
import { atOf, type Grid, HOUR_MS, indexOf, METRICS } from "./beijing-grid.ts";
import type { Delivery } from "./schedule.ts";

const WATERMARK_LAG_MS = 60_000;

export interface Expectation {
  verdicts: Record<Verdict, number>;
  /** The readings as they stand after the last delivery. */
  grid: Grid;
}

/** D2 and W4: a reading is its (metric, at), the later value wins; an hour closes a minute after its end by the device's newest. */
export function expectationOf(grid: Grid, deliveries: readonly Delivery[]): Expectation {
  const verdicts = Object.fromEntries(VERDICTS.map((verdict) => [verdict, 0])) as Expectation["verdicts"];
  const cells = new Float64Array(grid.cells.length).fill(NaN);
  const newestAt = new Float64Array(grid.stations.length).fill(-Infinity);
  for (const { station, hour, metric, value } of deliveries) {
    const isLate = atOf(hour) + HOUR_MS <= newestAt[station]! - WATERMARK_LAG_MS;
    for (let m = 0; m < METRICS.length; m++) {
      const index = indexOf(grid, station, hour, m);
      const cell = m === metric ? value! : grid.cells[index]!;
      if (Number.isNaN(cell)) continue;
      if (Number.isNaN(cells[index])) verdicts[isLate ? "late" : "stored"]++;
      else verdicts[cells[index] === cell ? "duplicate" : "corrected"]++;
      cells[index] = cell;
    }
    newestAt[station] = Math.max(newestAt[station]!, atOf(hour));
  }
  return { verdicts, grid: { ...grid, cells } };
}
