// Where the blocks of a day counted when they were stored, as far as anything still knows it.
import { monthOf } from "../../../../core/archive/key.ts";
import { DEFAULT_ZONE } from "../../../../core/device/state.ts";
import { DAY_MS } from "../../../../core/time.ts";
import { openParquet, readRowGroups } from "../../../parquet.ts";
import { devicesOfGroup } from "../../archive/write-archive.ts";
import type { AggregateEnv } from "../../env.ts";

interface Asked {
  tenant: string;
  date: string;
  devices: readonly string[];
  /** The rollups that D1 has. */
  old: readonly { device: string; startMs: number; zone: string }[];
}

/**
 * Returns a function that names the zone a block counts in, by its start and the hours it has readings in: D1 knows
 * it, else an hourly file, else the registry; else it is the default zone.
 * @throws when D1 or R2 fail.
 */
export async function zonesOfBlocks(
  env: AggregateEnv,
  database: D1Database,
  asked: Asked,
): Promise<(device: string, startMs: number, hours: readonly number[]) => string> {
  const inRollups = new Map(asked.old.map(({ device, startMs, zone }) => [`${device}/${startMs}`, zone]));
  const inFiles = await zonesOfHours(env.COLD, database, asked);
  const inRegistry = await zonesOfDevices(env.CONTROL, asked.tenant, asked.devices);
  return (device, startMs, hours) =>
    inRollups.get(`${device}/${startMs}`) ??
    hours.map((hour) => inFiles.get(`${device}/${hour}`)).find((zone) => zone !== undefined) ??
    inRegistry.get(device) ??
    DEFAULT_ZONE;
}

/** `device/hour` → zone, from the month's hourly files; of an hour written more than once the highest revision counts. */
async function zonesOfHours(
  bucket: R2Bucket,
  database: D1Database,
  { tenant, date, devices }: Asked,
): Promise<Map<string, string>> {
  const [first, last] = [devices[0] ?? "", devices.at(-1) ?? ""];
  const fromMs = Date.parse(date);
  const { results: files } = await database
    .prepare(SELECT_HOURLY)
    .bind(tenant, monthOf(date), first, last, fromMs, fromMs + DAY_MS)
    .all<{ key: string; bytes: number }>();
  const wanted = new Set(devices);
  const newest = new Map<string, { revision: number; zone: string }>();
  for (const { key, bytes } of files) {
    const file = await openParquet(bucket, key, bytes);
    for (const [group, statistics] of file.metadata.row_groups.entries()) {
      const [min, max] = devicesOfGroup(statistics);
      if (max < first || min > last) continue;
      const [rows] = await readRowGroups(file, ["device", "start", "revision", "zone"], { group });
      for (const [row, device] of rows!.device.entries()) {
        const start = rows!.start![row] as number;
        if (!wanted.has(device) || start < fromMs || start >= fromMs + DAY_MS) continue;
        const revision = rows!.revision![row] as number;
        const id = `${device}/${start}`;
        if ((newest.get(id)?.revision ?? 0) < revision)
          newest.set(id, { revision, zone: rows!.zone![row] as string });
      }
    }
  }
  return new Map([...newest].map(([id, { zone }]) => [id, zone]));
}

const SELECT_HOURLY = `
  SELECT key, bytes FROM archive_file
  WHERE tenant = ?1 AND date = ?2 AND kind = 'hourly' AND replaced_at IS NULL
    AND min_device <= ?4 AND max_device >= ?3 AND from_ms < ?6 AND to_ms > ?5`;

/** Where the registry has the devices. */
export async function zonesOfDevices(
  control: D1Database,
  tenant: string,
  devices: readonly string[],
): Promise<Map<string, string>> {
  const { results } = await control
    .prepare(
      `SELECT device.device, device.zone FROM json_each(?2) AS name
       CROSS JOIN device ON device.tenant = ?1 AND device.device = name.value`,
    )
    .bind(tenant, JSON.stringify(devices))
    .all<{ device: string; zone: string }>();
  return new Map(results.map(({ device, zone }) => [device, zone]));
}
