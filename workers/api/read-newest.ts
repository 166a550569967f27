// A page of the registry → when each device's newest reading is from, whoever brought it.
import { LAST_AT_PLACE } from "../../core/window/pack-summary.ts";
import type { DeviceEntry } from "../../schemas/query.ts";
import { askEach } from "../ask-each.ts";
import { inLanes } from "../lanes.ts";
import { warmIndexOf, warmsOf } from "../warm.ts";
import type { ApiEnv } from "./env.ts";
import { readArchived } from "./read-stored.ts";
import { fromStorage } from "./storage.ts";

const OBJECTS = { atOnce: 50, deadlineMs: 3_000 };
/** Devices of a page that are looked for in the archive, and in how many of its newest files each. */
const ARCHIVED_MAX = 20;
const FILES_MAX = 8;
const ARCHIVED_AT_ONCE = 4;

/**
 * Returns the entries with `newestAt`. A device that reports is asked, which is one request to its object; of the
 * others one row each is read in D1, in a query for each warm database; and the first 20 that D1 does not have are
 * looked for in the archive, in at most 8 files each. Null: none of these knows a reading, or the device did not
 * answer within 3 s.
 * @throws Problem `unavailable`.
 */
export async function withNewest(
  env: ApiEnv,
  tenant: string,
  entries: readonly DeviceEntry[],
): Promise<DeviceEntry[]> {
  const newest = new Map<string, number | null>();
  const reporting = entries.filter(({ firstSeenAt }) => firstSeenAt !== null).map(({ device }) => device);
  const ask = async (device: string): Promise<[string, number | null]> => [
    device,
    await env.DEVICE.getByName(`${tenant}/${device}`).newestAt(),
  ];
  await askEach(reporting, OBJECTS, ask, ([device, at]) => newest.set(device, at));
  const unknown = entries
    .map(({ device }) => device)
    .filter((device) => (newest.get(device) ?? null) === null);
  await readRollups(env, tenant, unknown, newest);
  const older = unknown.filter((device) => !newest.has(device)).slice(0, ARCHIVED_MAX);
  await inLanes(older, ARCHIVED_AT_ONCE, async (device) => {
    const { metrics } = await readArchived(env, tenant, device, "newest", FILES_MAX);
    if (metrics.size > 0) newest.set(device, Math.max(...[...metrics.values()].map(({ at }) => at)));
  });
  return entries.map((entry) => ({ ...entry, newestAt: newest.get(entry.device) ?? null }));
}

async function readRollups(
  env: ApiEnv,
  tenant: string,
  devices: readonly string[],
  newest: Map<string, number | null>,
): Promise<void> {
  const warms = warmsOf(env);
  const byDatabase = Map.groupBy(devices, (device) => warmIndexOf(tenant, device, warms.length));
  const reads = [...byDatabase].map(async ([index, own]) => {
    const statement = warms[index]!.prepare(SELECT_NEWEST).bind(tenant, JSON.stringify(own));
    const { results } = await fromStorage("D1", statement.all<{ device: string; at: number | null }>());
    for (const { device, at } of results) if (at !== null) newest.set(device, at);
  });
  await Promise.all(reads);
}

/** The last instant of any metric in the newest rollup of each device. */
const SELECT_NEWEST = `
  SELECT name.value AS device, (
    SELECT (
      SELECT max(CASE json_type(metric.value, '$[0]') WHEN 'array' THEN json_extract(metric.value, '$[#-1][${LAST_AT_PLACE}]')
        ELSE json_extract(metric.value, '$[${LAST_AT_PLACE}]') END)
      FROM json_each(rollup.summaries) AS metric
    ) FROM rollup WHERE tenant = ?1 AND device = name.value ORDER BY start_ms DESC LIMIT 1
  ) AS at FROM json_each(?2) AS name`;
