// Where a file lies in the archive.

/** The UTC day of an instant, `YYYY-MM-DD`. */
export const dateOf = (at: number) => new Date(at).toISOString().slice(0, 10);

/** The UTC days a half-open range touches, first and last. */
export const datesOf = (fromMs: number, toMs: number): [first: string, last: string] => [
  dateOf(fromMs),
  dateOf(Math.max(fromMs, toMs - 1)),
];

/** Hive-style partitions, as DuckDB and others read them. `id` names the contents, so writing them again changes nothing. */
export const rawKey = (tenant: string, date: string, id: string) =>
  `raw/tenant=${tenant}/date=${date}/${id}.parquet`;
