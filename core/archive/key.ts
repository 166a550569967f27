// Where a file lies in the archive.

/** The UTC day of an instant, `YYYY-MM-DD`. */
export const dateOf = (at: number) => new Date(at).toISOString().slice(0, 10);

/** The UTC days a half-open range touches, first and last. */
export const datesOf = (fromMs: number, toMs: number): [first: string, last: string] => [
  dateOf(fromMs),
  dateOf(Math.max(fromMs, toMs - 1)),
];

/** The partition of a day's hours: the first of its month. A year of hours is few files. */
export const monthOf = (date: string) => `${date.slice(0, 7)}-01`;

/** Where a partition of this kind ends: a raw file's is a day, an hourly file's a month. */
export function partitionEndMs(kind: "raw" | "hourly", date: string): number {
  const end = new Date(date);
  if (kind === "raw") end.setUTCDate(end.getUTCDate() + 1);
  else end.setUTCMonth(end.getUTCMonth() + 1);
  return end.getTime();
}

/** Hive-style partitions, as DuckDB and others read them. `id` is 32 hex digits that say nothing of the contents. */
export const archiveKey = (kind: "raw" | "hourly", tenant: string, date: string, id: string) =>
  `${kind}/tenant=${tenant}/date=${date}/${id}.parquet`;

/** What a key says; undefined for a key that is none of the archive's. */
export function parseKey(key: string): { kind: "raw" | "hourly"; tenant: string; date: string } | undefined {
  const match = /^(raw|hourly)\/tenant=([^/]+)\/date=(\d{4}-\d\d-\d\d)\/[^/]+\.parquet$/.exec(key);
  if (match === null) return undefined;
  return { kind: match[1] as "raw" | "hourly", tenant: match[2]!, date: match[3]! };
}
