// Windows the API answered ↔ those of the cells they are made of, figure by figure.
import type { WindowPoint } from "../../schemas/query.ts";
import type { Agreement } from "./agreement.ts";
import { atOf, HOUR_MS } from "./beijing-grid.ts";

export const WINDOW_HOURS = { "1h": 1, "1d": 24 };
/** A question spans a year: 8,760 hourly windows. */
const QUESTION_HOURS = 365 * 24;

/** `devices`: how many had a reading, of an hour; of a day the most that had in one of its hours. */
type Figures = Omit<WindowPoint, "stddev" | "p50" | "p95" | "p99"> & { devices: number };

export interface Series {
  name: string;
  /** It begins with the grid and has so many hours. */
  hours: number;
  resolution: keyof typeof WINDOW_HOURS;
  figures: readonly (keyof Figures)[];
  /** The cells of an hour, one a device; NaN: none. */
  cellsAt(hour: number): number[];
}

/** `ask` gives the windows of whole hours, half-open. */
export async function compareWindows(
  { name, hours, resolution, figures, cellsAt }: Series,
  agreement: Agreement,
  ask: (fromHour: number, toHour: number) => Promise<readonly Partial<Figures>[]>,
): Promise<void> {
  const windowHours = WINDOW_HOURS[resolution];
  for (let fromHour = 0; fromHour < hours; fromHour += QUESTION_HOURS) {
    const toHour = Math.min(hours, fromHour + QUESTION_HOURS);
    const points = await ask(fromHour, toHour);
    const found = new Map(points.map((point) => [point.startMs, point]));
    if (found.size !== points.length) agreement.differ(`${name} ${resolution}: a window twice`);
    for (let hour = fromHour; hour < toHour; hour += windowHours) {
      const window = found.get(atOf(hour));
      found.delete(atOf(hour));
      const cells = Array.from({ length: windowHours }, (_, h) => cellsAt(hour + h));
      const expected = figuresOf(atOf(hour), cells);
      if (expected === undefined) {
        if (window !== undefined) agreement.differ(`${name} ${atOf(hour)} ${resolution}: holds nothing`);
        continue;
      }
      for (const figure of ["endMs", ...figures] as const) {
        const what = () => `${name} ${atOf(hour)} ${resolution} ${figure}`;
        agreement.compare(what, expected[figure], window?.[figure]);
      }
    }
    for (const startMs of found.keys())
      agreement.differ(`${name} ${startMs} ${resolution}: a window nobody asked for`);
  }
}

/** The sum is exact and rounded once; the mean is that sum divided, within the values. Undefined: no values. */
function figuresOf(startMs: number, hours: readonly number[][]): Figures | undefined {
  const valuesOf = hours.map((cells) => cells.filter((cell) => !Number.isNaN(cell)));
  const values = valuesOf.flat();
  if (values.length === 0) return undefined;
  const [min, max] = [Math.min(...values), Math.max(...values)];
  const sum = values.length === 1 ? values[0]! : exactSum(values);
  return {
    startMs,
    endMs: startMs + hours.length * HOUR_MS,
    count: values.length,
    min,
    max,
    sum,
    mean: Math.min(max, Math.max(min, sum / values.length)),
    first: values[0]!,
    last: values.at(-1)!,
    devices: Math.max(...valuesOf.map((cells) => cells.length)),
  };
}

/** Every cell is a whole number of these: the recording has cells as small as 2.8e-17, whose last bit is 2^-108. */
const UNITS = 2 ** 140;

/** The sum, exact and rounded once; a cell that is no whole number of units throws. */
const exactSum = (values: readonly number[]) =>
  Number(values.reduce((sum, value) => sum + BigInt(value * UNITS), 0n)) / UNITS;
