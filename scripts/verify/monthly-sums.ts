// The grid as read ↔ monthly_expected.csv: whether this reader reads what the publisher of the figures read.
import { readFile } from "node:fs/promises";
import type { Agreement } from "./agreement.ts";
import { type Grid, hourOf, indexOf, METRICS } from "./beijing-grid.ts";

/** To the millionth: some cells are interpolated and have as many decimals as a double, so their sum depends on its order. */
const units = (value: number) => Math.round(value * 1_000_000);

export async function compareMonths(path: string, grid: Grid, agreement: Agreement): Promise<void> {
  const [, ...lines] = (await readFile(path, "utf8")).trim().split(/\r?\n/);
  for (const line of lines) {
    const [name, month, metric, ...figures] = line.split(",");
    const station = grid.stations.indexOf(name!);
    const [year, monthOfYear] = month!.split("-").map(Number);
    const startHour = hourOf(Date.UTC(year!, monthOfYear! - 1));
    const endHour = hourOf(Date.UTC(year!, monthOfYear!));
    if (station < 0 || endHour > grid.hours) continue;
    const values: number[] = [];
    for (let hour = startHour; hour < endHour; hour++) {
      const cell = grid.cells[indexOf(grid, station, hour, METRICS.indexOf(metric!))]!;
      if (!Number.isNaN(cell)) values.push(cell);
    }
    const sum = values.reduce((total, value) => total + value, 0);
    const found = [values.length, Math.min(...values), Math.max(...values), units(sum)];
    const expected = figures.map(Number);
    expected[3] = units(expected[3]!);
    for (const [place, figure] of ["count", "min", "max", "sum"].entries())
      agreement.compare(() => `${name} ${month} ${metric} ${figure}`, expected[place], found[place]);
  }
}
