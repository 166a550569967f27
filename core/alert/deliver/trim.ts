// A notice too large to be kept in one row → the same with fewer members, and how many are missing.
import type { Notice } from "./message.ts";

/**
 * The most bytes of a notice as JSON: a row of an object's SQLite holds 2 MB (Durable Objects limits, 2026-11). A
 * member takes 1 KB, so this is some 1,500 members.
 */
const NOTICE_BYTES_MAX = 1_500_000;

const bytesOf = (value: unknown) => new TextEncoder().encode(JSON.stringify(value)).length;

/**
 * Returns a notice of at most `bytesMax` bytes as JSON, the same one when it is no larger. Resolved members are left
 * out before active ones, and later ones before earlier ones; `omitted` counts them.
 */
export function trim(notice: Notice, bytesMax = NOTICE_BYTES_MAX): Notice {
  const { incident, alerts } = notice.snapshot;
  let bytes = bytesOf({ ...notice, snapshot: { incident, alerts: [] } });
  const kept = new Set<number>();
  const indices = alerts.map((_, index) => index);
  const isOver = (index: number) => alerts[index]!.state === "resolved";
  for (const index of [...indices.filter((i) => !isOver(i)), ...indices.filter(isOver)]) {
    bytes += bytesOf(alerts[index]) + 1;
    if (bytes > bytesMax) break;
    kept.add(index);
  }
  if (kept.size === alerts.length) return notice;
  return {
    ...notice,
    snapshot: { ...notice.snapshot, alerts: alerts.filter((_, index) => kept.has(index)) },
    omitted: notice.omitted + alerts.length - kept.size,
  };
}
