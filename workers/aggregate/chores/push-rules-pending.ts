// Changes of rules that not all devices were told of in time → told by the cron.
import { wallMs } from "../../clock.ts";
import { pushRules, type RulesPush } from "../../push-rules.ts";
import type { Turn } from "./chores.ts";

/** A Worker may make 10,000 calls (Workers limits, 2026-11). */
const DEVICES_A_TURN = 5_000;

/**
 * Pushes each change of rules on to the devices that were not told of it, the oldest of a tenant first, for as long
 * as the turn is; how far each came is in its row. Returns "". A change that fails is logged and tried again in the
 * next turn. A device that does not answer asks by itself within the hour.
 */
export async function pushRulesPending({ env, untilMs }: Turn): Promise<string> {
  const isOver = () => wallMs() >= untilMs;
  for (let last = { tenant: "", id: "" }; !isOver(); ) {
    const push = await env.CONTROL.prepare(SELECT_NEXT).bind(last.tenant, last.id).first<RulesPush>();
    if (push === null) break;
    const { tenant, id } = push;
    last = { tenant, id };
    try {
      await pushRules(env, push, { devicesMax: DEVICES_A_TURN, isOver, stopsAtFailure: false });
    } catch (error) {
      console.error("a change of rules was not told; it is tried again", {
        tenant,
        id,
        error: String(error),
      });
    }
  }
  return "";
}

const SELECT_NEXT = `
  SELECT tenant, id, version, scopes, after_device AS afterDevice FROM rules_push
  WHERE (tenant, id) > (?1, ?2) ORDER BY tenant, id LIMIT 1`;
