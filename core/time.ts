// Lengths of time, in ms.

export const MINUTE_MS = 60_000;
export const HOUR_MS = 60 * MINUTE_MS;
/** A UTC day: the archive's partitions and retention go by it. Days of people's time zones may be longer or shorter. */
export const DAY_MS = 24 * HOUR_MS;
