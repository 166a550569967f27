// The devices of a tenant that have rollups, by name, a page at a time.

const DEVICES_A_PAGE = 100;

/** SQL for `known (device)`: the first `?3` devices with rollups of tenant `?1` after `?2`; one look-up a device. */
export const KNOWN_DEVICES = `
  WITH RECURSIVE known (device) AS (
    SELECT min(device) FROM rollup WHERE tenant = ?1 AND device > ?2
    UNION ALL
    SELECT (SELECT min(device) FROM rollup WHERE tenant = ?1 AND device > known.device)
    FROM known WHERE known.device IS NOT NULL LIMIT ?3
  )`;

/**
 * Returns the names of at most 100 devices with rollups after `after`, ascending; empty when none is left.
 * @throws when D1 fails.
 */
export async function devicesAfter(database: D1Database, tenant: string, after: string): Promise<string[]> {
  const { results } = await database
    .prepare(`${KNOWN_DEVICES} SELECT device FROM known WHERE device IS NOT NULL`)
    .bind(tenant, after, DEVICES_A_PAGE)
    .all<{ device: string }>();
  return results.map(({ device }) => device);
}
