// How many streams a tenant has open → counted where they are, so that nothing can go stale.
import type { FleetRpc, ZoneRpc } from "../schemas/message.ts";
import { askEach } from "./ask-each.ts";

const ASKED = { atOnce: 100, deadlineMs: 2_000 };

interface Counted {
  CONTROL: D1Database;
  ZONE: DurableObjectNamespace<ZoneRpc & Rpc.DurableObjectBranded>;
  FLEET: DurableObjectNamespace<FleetRpc & Rpc.DurableObjectBranded>;
}

/**
 * Returns how many streams of the tenant are open, of all zones that have devices, `another` one, and the fleet. One
 * call a zone, 100 at once, within 2 s: an object that does not answer counts as none.
 * @throws when the zones cannot be listed.
 */
export async function countViewers(env: Counted, tenant: string, another?: string): Promise<number> {
  const { results } = await env.CONTROL.prepare("SELECT DISTINCT zone FROM device WHERE tenant = ?1")
    .bind(tenant)
    .all<{ zone: string }>();
  const zones = new Set(results.map(({ zone }) => zone));
  if (another !== undefined) zones.add(another);
  let viewers = 0;
  const add = (count: number) => {
    viewers += count;
  };
  await Promise.all([
    askEach([...zones], ASKED, (zone) => env.ZONE.getByName(`${tenant}/${zone}`).viewers(), add),
    askEach([tenant], ASKED, (name) => env.FLEET.getByName(name).viewers(), add),
  ]);
  return viewers;
}
