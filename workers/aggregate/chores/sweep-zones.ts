// Every zone that has something to tell → its object is woken once an hour, for its alarm may be lost.
import { wallMs } from "../../clock.ts";
import type { Turn } from "./chores.ts";

const ZONES_A_PAGE = 500;
const ASKED_AT_ONCE = 50;

/**
 * Asks the zones of incidents that are not over to send what they hold, with which a zone sets a lost alarm again.
 * Returns the cursor, `tenant/zone`; "" at the end. A zone that fails is logged and asked in the next round.
 * @throws when D1 fails.
 */
export async function sweepZones({ env, cursor, untilMs }: Turn): Promise<string> {
  for (let [tenant = "", zone = ""] = cursor.split("/"); ; ) {
    const { results: zones } = await env.CONTROL.prepare(SELECT_PAGE)
      .bind(tenant, zone, ZONES_A_PAGE)
      .all<{ tenant: string; zone: string }>();
    for (let i = 0; i < zones.length; i += ASKED_AT_ONCE) {
      const some = zones.slice(i, i + ASKED_AT_ONCE);
      await Promise.all(some.map((own) => sweep(env.ZONE, `${own.tenant}/${own.zone}`)));
      ({ tenant, zone } = some.at(-1)!);
      if (wallMs() >= untilMs) return `${tenant}/${zone}`;
    }
    if (zones.length < ZONES_A_PAGE) return "";
  }
}

const SELECT_PAGE = `
  SELECT DISTINCT tenant, zone FROM incident WHERE state <> 'resolved' AND (tenant, zone) > (?1, ?2)
  ORDER BY tenant, zone LIMIT ?3`;

async function sweep(zones: Turn["env"]["ZONE"], name: string): Promise<void> {
  try {
    await zones.getByName(name).release();
  } catch (error) {
    console.error("zone not swept; it is in the next round", { name, error: String(error) });
  }
}
