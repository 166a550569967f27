// What the API answers of a device's past ↔ the grid expected: raw readings from the device, windows from D1.

import type { HistoryAnswer, LatestAnswer, RawPoint, WindowPoint } from "../../schemas/query.ts";
import type { Agreement } from "./agreement.ts";
import { atOf, type Grid, HOUR_MS, indexOf, METRICS } from "./beijing-grid.ts";
import type { Operator } from "./operator.ts";

const DAY_HOURS = 24;
const YEAR_HOURS = 365 * DAY_HOURS;
/** A device keeps at least its horizon of seven days. */
const HOT_HOURS = 7 * DAY_HOURS;
const FIGURES = ["count", "min", "max", "sum", "mean", "first", "last"] as const;

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

/** Windows of `windowHours` from D1, over the whole grid in yearly questions. */
export async function compareWarm(
  operator: Operator,
  column: Column,
  windowHours: 1 | 24,
  agreement: Agreement,
): Promise<void> {
  const { grid, station, metric } = column;
  const how = { source: "warm", resolution: windowHours === 1 ? "1h" : "1d" };
  const name = `${grid.stations[station]} ${METRICS[metric]} ${how.resolution}`;
  for (let fromHour = 0; fromHour < grid.hours; fromHour += YEAR_HOURS) {
    const toHour = Math.min(grid.hours, fromHour + YEAR_HOURS);
    const { points } = await history(operator, column, fromHour, toHour, how);
    const found = new Map((points as WindowPoint[]).map((point) => [point.startMs, point]));
    if (found.size !== points.length) agreement.differ(`${name}: a window twice`);
    for (let hour = fromHour; hour < toHour; hour += windowHours) {
      const values: number[] = [];
      for (let h = hour; h < hour + windowHours; h++)
        if (!Number.isNaN(cellOf(column, h))) values.push(cellOf(column, h));
      const window = found.get(atOf(hour));
      found.delete(atOf(hour));
      if (values.length === 0) {
        if (window !== undefined) agreement.differ(`${name} ${atOf(hour)}: a window of no readings`);
        continue;
      }
      const expected = windowOf(values);
      for (const figure of FIGURES)
        agreement.compare(() => `${name} ${atOf(hour)} ${figure}`, expected[figure], window?.[figure]);
      agreement.compare(() => `${name} ${atOf(hour)} end`, atOf(hour) + windowHours * HOUR_MS, window?.endMs);
    }
    for (const startMs of found.keys())
      agreement.differ(`${name}: a window at ${startMs} that holds nothing`);
  }
}

/** Every cell is a whole number of these: 2^-60, the last bit of a float64 from 1/256 up. */
const UNITS = 2 ** 60;

/** The sum, exact and rounded once; a cell that is no whole number of units throws. */
const exactSum = (values: readonly number[]) =>
  Number(values.reduce((sum, value) => sum + BigInt(value * UNITS), 0n)) / UNITS;

/** The sum is exact and rounded once; the mean is that sum divided, within the values. */
function windowOf(values: readonly number[]): Record<(typeof FIGURES)[number], number> {
  const [min, max] = [Math.min(...values), Math.max(...values)];
  const sum = values.length === 1 ? values[0]! : exactSum(values);
  const mean = Math.min(max, Math.max(min, sum / values.length));
  return { count: values.length, min, max, sum, mean, first: values[0]!, last: values.at(-1)! };
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
