// The days of a deleted device whose rollups D1 has given up, while zones and fleet still have their hours.
import { dateOf } from "../../core/archive/key.ts";
import { openParquet, readRowGroups } from "../parquet.ts";
import { devicesOfGroup } from "./write-archive.ts";

const DAY_MS = 86_400_000;

/** The UTC days before `beforeMs` of which the hourly files have hours of the device, ascending. */
export async function daysInHours(
  bucket: R2Bucket,
  database: D1Database,
  tenant: string,
  device: string,
  beforeMs: number,
): Promise<string[]> {
  const { results: files } = await database
    .prepare(SELECT_HOURLY)
    .bind(tenant, device, beforeMs)
    .all<{ key: string; bytes: number }>();
  const days = new Set<string>();
  for (const { key, bytes } of files) {
    const file = await openParquet(bucket, key, bytes);
    for (const [group, statistics] of file.metadata.row_groups.entries()) {
      const [first, last] = devicesOfGroup(statistics);
      if (device < first || device > last) continue;
      const [rows] = await readRowGroups(file, ["device", "start"], { group });
      for (const [row, name] of rows!.device.entries()) {
        const start = rows!.start![row] as number;
        if (name === device && start < beforeMs) days.add(dateOf(start));
      }
    }
  }
  return [...days].sort();
}

const SELECT_HOURLY = `
  SELECT key, bytes FROM archive_file
  WHERE tenant = ?1 AND kind = 'hourly' AND replaced_at IS NULL
    AND min_device <= ?2 AND max_device >= ?2 AND from_ms < ?3`;

/** Whether any zone still has an hour of the day. */
export async function hasZoneHours(database: D1Database, tenant: string, date: string): Promise<boolean> {
  const fromMs = Date.parse(date);
  const found = await database
    .prepare(SELECT_ZONE_HOUR)
    .bind(tenant, fromMs, fromMs + DAY_MS)
    .first();
  return found !== null;
}

const SELECT_ZONE_HOUR = `
  WITH RECURSIVE known (zone) AS (
    SELECT min(zone) FROM zone_hour WHERE tenant = ?1
    UNION ALL
    SELECT (SELECT min(zone) FROM zone_hour WHERE tenant = ?1 AND zone > known.zone)
    FROM known WHERE known.zone IS NOT NULL
  ) SELECT 1 FROM known CROSS JOIN zone_hour ON zone_hour.tenant = ?1 AND zone_hour.zone = known.zone
    AND zone_hour.hour_ms >= ?2 AND zone_hour.hour_ms < ?3 LIMIT 1`;
