// The archive's files ↔ the grid expected, reading by reading.
import type { Agreement } from "./agreement.ts";
import { atOf, type Grid, hourOf, indexOf, METRICS } from "./beijing-grid.ts";
import type { Operator } from "./operator.ts";
import { listRawFiles, readArchive } from "./read-archive.ts";

/** A month of files at a time: bounded memory, and a bounded folder. Gives how many files and bytes there were. */
export async function compareCold(
  operator: Operator,
  grid: Grid,
  agreement: Agreement,
): Promise<{ files: number; bytes: number }> {
  const files = await listRawFiles(operator);
  const stationOf = new Map(grid.stations.map((name, station) => [name, station]));
  const metricOf = new Map(METRICS.map((name, metric) => [name, metric]));
  const isSeen = new Uint8Array(grid.cells.length);
  for (const month of Map.groupBy(files, ({ date }) => date.slice(0, 7)).values()) {
    await readArchive(operator, month, ({ device, metric, at, value }) => {
      const station = stationOf.get(device);
      const column = metricOf.get(metric);
      const hour = hourOf(at);
      const what = () => `${device} ${metric} ${at} cold`;
      if (
        station === undefined ||
        column === undefined ||
        !Number.isInteger(hour) ||
        hour < 0 ||
        hour >= grid.hours
      )
        return agreement.differ(`${what()}: nobody sent it`);
      const index = indexOf(grid, station, hour, column);
      if (isSeen[index]) return agreement.differ(`${what()}: twice`);
      isSeen[index] = 1;
      const cell = grid.cells[index]!;
      agreement.compare(what, Number.isNaN(cell) ? undefined : cell, value);
    });
  }
  for (const [station, device] of grid.stations.entries())
    for (let hour = 0; hour < grid.hours; hour++)
      for (const [m, metric] of METRICS.entries()) {
        const index = indexOf(grid, station, hour, m);
        if (!isSeen[index] && !Number.isNaN(grid.cells[index]))
          agreement.differ(`${device} ${metric} ${atOf(hour)} cold: missing`);
      }
  return { files: files.length, bytes: files.reduce((sum, { bytes }) => sum + bytes, 0) };
}
