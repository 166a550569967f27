// Where a file lies in the archive.

/** Returns the UTC day of an instant, `YYYY-MM-DD`. */
export const dateOf = (at: number) => new Date(at).toISOString().slice(0, 10);

/** Returns the first and the last UTC day that a half-open range touches. */
export const datesOf = (fromMs: number, toMs: number): [first: string, last: string] => [
  dateOf(fromMs),
  dateOf(Math.max(fromMs, toMs - 1)),
];

/** Returns the partition of a day's hours: the first day of its month, so that a year of hours is few files. */
export const monthOf = (date: string) => `${date.slice(0, 7)}-01`;

/** Returns where a partition ends, epoch ms: a raw file's is a day, an hourly file's a month. */
export function partitionEndMs(kind: "raw" | "hourly", date: string): number {
  const end = new Date(date);
  if (kind === "raw") end.setUTCDate(end.getUTCDate() + 1);
  else end.setUTCMonth(end.getUTCMonth() + 1);
  return end.getTime();
}

/**
 * Returns the key of a file, with Hive-style partitions, as DuckDB and others read them. `id` is 32 hex digits that
 * say nothing of the contents.
 */
export const archiveKey = (kind: "raw" | "hourly", tenant: string, date: string, id: string) =>
  `${kind}/tenant=${tenant}/date=${date}/${id}.parquet`;

/** Returns what a key says; undefined for a key that is none of the archive's. */
export function parseKey(key: string): { kind: "raw" | "hourly"; tenant: string; date: string } | undefined {
  const match = /^(raw|hourly)\/tenant=([^/]+)\/date=(\d{4}-\d\d-\d\d)\/[^/]+\.parquet$/.exec(key);
  if (match === null) return undefined;
  return { kind: match[1] as "raw" | "hourly", tenant: match[2]!, date: match[3]! };
}
