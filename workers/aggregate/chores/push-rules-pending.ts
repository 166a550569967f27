// Changes of rules that not all devices were told of in time → told by the cron.
import { wallMs } from "../../clock.ts";
import { pushRules, type RulesPush } from "../../push-rules.ts";
import type { AggregateEnv } from "../env.ts";
import type { Turn } from "./chores.ts";
import { firstTenant, goRound } from "./go-round.ts";

/** A Worker may make 10,000 calls (Workers limits, 2026-11). */
const DEVICES_A_TURN = 5_000;
const SHARE_MS = 3_000;

/**
 * Pushes each change of rules on to the devices that were not told of it, of one tenant after another, the oldest of a
 * tenant first; how far each came is in its row. Returns the cursor; "" when all were told. A change that fails is logged
 * and tried again in the next turn. A device that does not answer asks by itself within the hour.
 * @throws when D1 does not say who is next.
 */
export function pushRulesPending(turn: Turn): Promise<string> {
  let told = 0;
  const isOver = () => told >= DEVICES_A_TURN;
  return goRound<string>(turn, {
    name: "push-rules",
    shareMs: SHARE_MS,
    isOver,
    next: (after) => firstTenant([turn.env.CONTROL], NEXT_TENANT, after),
    advance: (tenant, after, untilMs) =>
      pushTenant(turn.env, tenant, after, (devices) => {
        told += devices;
        return isOver() || wallMs() >= untilMs;
      }),
  });
}

/**
 * Pushes a tenant's changes after `after`, the id of the last that is done with, until `isOver`, which is given how many
 * devices were told since it was asked before. Returns where it stopped; undefined: all are done with.
 */
async function pushTenant(
  env: AggregateEnv,
  tenant: string,
  after = "",
  isOver: (told: number) => boolean,
): Promise<string | undefined> {
  for (let last = after; ; ) {
    const push = await env.CONTROL.prepare(SELECT_NEXT).bind(tenant, last).first<RulesPush>();
    if (push === null) return undefined;
    if (isOver(0)) return last;
    try {
      const pace = { devicesMax: DEVICES_A_TURN, isOver, stopsAtFailure: false };
      if (!(await pushRules(env, push, pace))) return last;
    } catch (error) {
      console.error("a change of rules was not told; it is tried again", {
        tenant,
        id: push.id,
        error: String(error),
      });
    }
    last = push.id;
  }
}

const NEXT_TENANT = "SELECT min(tenant) AS tenant FROM rules_push WHERE tenant > ?1";
const SELECT_NEXT = `
  SELECT tenant, id, version, scopes, after_device AS afterDevice FROM rules_push
  WHERE tenant = ?1 AND id > ?2 ORDER BY id LIMIT 1`;
