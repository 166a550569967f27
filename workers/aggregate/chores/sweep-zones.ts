// Every zone that has something to tell → its object is woken once an hour, for its alarm may be lost.
import { wallMs } from "../../clock.ts";
import type { AggregateEnv } from "../env.ts";
import type { Turn } from "./chores.ts";
import { firstTenant, goRound } from "./go-round.ts";

const ZONES_A_PAGE = 500;
const ASKED_AT_ONCE = 50;
const SHARE_MS = 10_000;

/**
 * Asks the zones of incidents that are not over to send what they hold, with which a zone sets a lost alarm again, of one
 * tenant after another. Returns the cursor; "" when all were asked. A zone that fails is logged and asked in the next
 * round. Of a tenant the zone last asked is remembered.
 * @throws when D1 does not say who is next.
 */
export const sweepZones = (turn: Turn): Promise<string> =>
  goRound<string>(turn, {
    name: "sweep-zones",
    shareMs: SHARE_MS,
    next: (after) => firstTenant([turn.env.CONTROL], NEXT_TENANT, after),
    advance: (tenant, zone, untilMs) => sweepTenant(turn.env, tenant, zone, untilMs),
  });

async function sweepTenant(
  env: AggregateEnv,
  tenant: string,
  from = "",
  untilMs: number,
): Promise<string | undefined> {
  for (let zone = from; ; ) {
    const { results } = await env.CONTROL.prepare(SELECT_PAGE)
      .bind(tenant, zone, ZONES_A_PAGE)
      .all<{ zone: string }>();
    for (let i = 0; i < results.length; i += ASKED_AT_ONCE) {
      if (wallMs() >= untilMs) return zone;
      const some = results.slice(i, i + ASKED_AT_ONCE);
      await Promise.all(some.map((own) => sweep(env.ZONE, `${tenant}/${own.zone}`)));
      ({ zone } = some.at(-1)!);
    }
    if (results.length < ZONES_A_PAGE) return undefined;
  }
}

const NEXT_TENANT = "SELECT min(tenant) AS tenant FROM incident WHERE state <> 'resolved' AND tenant > ?1";
const SELECT_PAGE = `
  SELECT DISTINCT zone FROM incident WHERE tenant = ?1 AND state <> 'resolved' AND zone > ?2 ORDER BY zone LIMIT ?3`;

async function sweep(zones: Turn["env"]["ZONE"], name: string): Promise<void> {
  try {
    await zones.getByName(name).release();
  } catch (error) {
    console.error("zone not swept; it is in the next round", { name, error: String(error) });
  }
}
