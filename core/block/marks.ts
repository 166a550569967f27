// Columns of a block that are no readings, told by their names, which no device can give a metric.
import type { Column } from "./block.ts";

/** PERSISTED: of a metric, how many readings of a minute were thinned, at the newest `at` that came beyond the rate. */
export const COUNTED = "\u0001thinned ";
/** PERSISTED: of a metric, which readings are kept only for being the least (1) or the greatest (2) of a minute. */
export const EXTREME = "\u0001extreme ";

/** Whether a column of this name is marks, and no readings of a metric. */
export const isMark = (name: string): boolean => name.startsWith(COUNTED) || name.startsWith(EXTREME);

/** Returns the columns that are readings. */
export const readingsOf = (columns: readonly Column[]): Column[] =>
  columns.filter(({ metric }) => !isMark(metric));
