// What the API answers of a device's past ↔ the grid expected: latest and raw readings from the device, windows from any tier.

import type { HistoryAnswer, LatestAnswer, RawPoint, WindowPoint } from "../../schemas/query.ts";
import type { Agreement } from "./agreement.ts";
import { atOf, type Grid, indexOf, METRICS } from "./beijing-grid.ts";
import { compareWindows, type Series, type WINDOW_HOURS } from "./compare-windows.ts";
import type { Operator } from "./operator.ts";

/** A device keeps at least its horizon of seven days. */
const HOT_HOURS = 7 * 24;

interface Column {
  grid: Grid;
  station: number;
  metric: number;
}

const cellOf = ({ grid, station, metric }: Column, hour: number) =>
  grid.cells[indexOf(grid, station, hour, metric)]!;

/** Calls for each station and metric, a few at once. */
export async function forEachColumn(grid: Grid, call: (column: Column) => Promise<void>): Promise<void> {
  const columns = grid.stations.flatMap((_, station) =>
    METRICS.map((_, metric) => ({ grid, station, metric })),
  );
  const lane = async () => {
    for (let column = columns.shift(); column !== undefined; column = columns.shift()) await call(column);
  };
  await Promise.all([lane(), lane(), lane()]);
}

async function history(operator: Operator, column: Column, fromHour: number, toHour: number, how: object) {
  return await operator.getJson<HistoryAnswer>(
    `/v1/devices/${column.grid.stations[column.station]}/history`,
    {
      metric: METRICS[column.metric]!,
      from: atOf(fromHour),
      to: atOf(toHour),
      ...how,
    },
  );
}

/** The newest seven days, which the device itself answers. */
export async function compareHot(operator: Operator, column: Column, agreement: Agreement): Promise<void> {
  const { grid, station, metric } = column;
  const fromHour = Math.max(0, grid.hours - HOT_HOURS);
  const { segments, points } = await history(operator, column, fromHour, grid.hours, { resolution: "raw" });
  const name = `${grid.stations[station]} ${METRICS[metric]} hot`;
  if (segments.some(({ source }) => source !== "hot"))
    agreement.differ(`${name}: the newest ${HOT_HOURS} h are not hot: ${JSON.stringify(segments)}`);
  const found = new Map((points as RawPoint[]).map(({ at, value }) => [at, value]));
  if (found.size !== points.length) agreement.differ(`${name}: an instant twice`);
  for (let hour = fromHour; hour < grid.hours; hour++) {
    const cell = cellOf(column, hour);
    const value = found.get(atOf(hour));
    found.delete(atOf(hour));
    if (!Number.isNaN(cell) || value !== undefined)
      agreement.compare(() => `${name} ${atOf(hour)}`, Number.isNaN(cell) ? undefined : cell, value);
  }
  for (const at of found.keys()) agreement.differ(`${name}: a reading at ${at} that nobody sent`);
}

/** Windows as `tier` has them, over the whole grid. */
export async function compareTier(
  operator: Operator,
  column: Column,
  { source, resolution }: { source: "warm" | "cold"; resolution: keyof typeof WINDOW_HOURS },
  agreement: Agreement,
): Promise<void> {
  const { grid, station, metric } = column;
  const series: Series = {
    name: `${grid.stations[station]} ${METRICS[metric]} ${source}`,
    hours: grid.hours,
    resolution,
    figures: ["count", "min", "max", "sum", "mean", "first", "last"],
    cellsAt: (hour) => [cellOf(column, hour)],
  };
  await compareWindows(series, agreement, async (fromHour, toHour) => {
    const { points } = await history(operator, column, fromHour, toHour, { source, resolution });
    return points as WindowPoint[];
  });
}

/** The newest reading of each metric, by the device's clock. */
export async function compareLatest(operator: Operator, grid: Grid, agreement: Agreement): Promise<void> {
  for (const [station, device] of grid.stations.entries()) {
    const { metrics } = await operator.getJson<LatestAnswer>(`/v1/devices/${device}/latest`);
    for (const [metric, name] of METRICS.entries()) {
      let hour = grid.hours - 1;
      while (hour >= 0 && Number.isNaN(cellOf({ grid, station, metric }, hour))) hour--;
      const expected = hour < 0 ? undefined : cellOf({ grid, station, metric }, hour);
      agreement.compare(() => `${device} ${name} latest`, expected, metrics[name]?.value);
      agreement.compare(
        () => `${device} ${name} latest at`,
        hour < 0 ? undefined : atOf(hour),
        metrics[name]?.at,
      );
    }
    const sent = Object.keys(metrics).filter((name) => !METRICS.includes(name));
    if (sent.length > 0) agreement.differ(`${device}: metrics that nobody sent: ${sent.join()}`);
  }
}
