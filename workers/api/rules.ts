// Rules in D1: written whole, each with the change that its devices are to be told of.
import type { Rule, RuleBody } from "../../schemas/alert.ts";
import { RULES_PER_TENANT_MAX } from "../../schemas/limits.ts";
import { Problem } from "../problem.ts";
import { newPush, pushRules, type RulesPush } from "../push-rules.ts";
import { readRules } from "../rules.ts";
import { withDeadline } from "../with-deadline.ts";
import type { ApiEnv } from "./env.ts";
import { fromStorage } from "./storage.ts";

/** Returns all rules of the tenant, by id. @throws Problem `unavailable`. */
export const listRules = (control: D1Database, tenant: string): Promise<Rule[]> =>
  fromStorage("D1", readRules(control, tenant));

/** Returns a rule. @throws Problem `rule_not_found`. */
export async function readRule(control: D1Database, tenant: string, id: string): Promise<Rule> {
  const found = (await listRules(control, tenant)).find((rule) => rule.id === id);
  if (found === undefined) throw new Problem("rule_not_found", `no rule ${id}; GET /v1/rules lists them`);
  return found;
}

/** Returns every channel a rule names, for itself and for its escalation. */
export const channelsOf = ({ channels, escalation }: Pick<RuleBody, "channels" | "escalation">) => [
  ...new Set([channels ?? [], ...escalation.map((step) => step.channels ?? [])].flat()),
];

/**
 * Adds a rule. Returns the push that is to follow.
 * @throws Problem `conflict`: there is one of that id, or there are too many.
 */
export async function insertRule(control: D1Database, tenant: string, rule: Rule): Promise<RulesPush> {
  const push = newPush(tenant, [rule.scope], rule.updatedAt);
  const body = JSON.stringify(rule);
  const isWritten = await write(control, push, body, control.prepare(INSERT).bind(tenant, rule.id, body));
  if (isWritten) return push;
  const known = await listRules(control, tenant);
  throw new Problem(
    "conflict",
    known.some(({ id }) => id === rule.id)
      ? `there is a rule ${rule.id}; PUT /v1/rules/${rule.id} changes it`
      : `the tenant has ${known.length} rules and may have ${RULES_PER_TENANT_MAX}; delete one first`,
  );
}

/**
 * Replaces the rule `was`. Returns the push that is to follow.
 * @throws Problem `conflict`: the rule is no longer what it was.
 */
export async function updateRule(
  control: D1Database,
  tenant: string,
  rule: Rule,
  was: Rule,
): Promise<RulesPush> {
  const scopes = JSON.stringify(was.scope) === JSON.stringify(rule.scope) ? [] : [was.scope];
  const push = newPush(tenant, [rule.scope, ...scopes], rule.updatedAt);
  const body = JSON.stringify(rule);
  const update = control.prepare(UPDATE).bind(tenant, rule.id, body, was.version);
  if (!(await write(control, push, body, update))) throw changedMeanwhile(rule.id);
  return push;
}

/** Deletes a rule. Returns the push that is to follow. @throws Problem `unavailable`. */
export async function removeRule(
  control: D1Database,
  tenant: string,
  was: Rule,
  nowMs: number,
): Promise<RulesPush> {
  const push = newPush(tenant, [was.scope], nowMs);
  await fromStorage(
    "D1",
    control.batch([
      control.prepare("DELETE FROM rule WHERE tenant = ?1 AND id = ?2").bind(tenant, was.id),
      control.prepare(`${INSERT_PUSH} VALUES (?1, ?2, ?3, '')`).bind(tenant, push.id, push.scopes),
    ]),
  );
  return push;
}

/** The problem of a rule that somebody else changed since it was read. */
export const changedMeanwhile = (id: string) =>
  new Problem("conflict", `somebody changed rule ${id} meanwhile; GET it, and change what it is now`);

const INSERT = `
  INSERT INTO rule (tenant, id, body) SELECT ?1, ?2, ?3
  WHERE (SELECT count(*) FROM rule WHERE tenant = ?1) < ${RULES_PER_TENANT_MAX} ON CONFLICT DO NOTHING`;
const UPDATE = `UPDATE rule SET body = ?3 WHERE tenant = ?1 AND id = ?2 AND body ->> 'version' = ?4`;
const INSERT_PUSH = "INSERT INTO rules_push (tenant, id, scopes, after_device)";

/** The rule and what is to be told of it, in one transaction; false: nothing was written. */
async function write(
  control: D1Database,
  push: RulesPush,
  body: string,
  change: D1PreparedStatement,
): Promise<boolean> {
  const note = control
    .prepare(
      `${INSERT_PUSH} SELECT ?1, ?2, ?3, '' WHERE EXISTS (SELECT 1 FROM rule WHERE tenant = ?1 AND body = ?4)`,
    )
    .bind(push.tenant, push.id, push.scopes, body);
  const [changed] = await fromStorage("D1", control.batch([change, note]));
  return changed!.meta.changes > 0;
}

/** Most devices a request tells itself; the cron tells the others, and those that did not answer. */
const TOLD_MAX = 2_000;
/** How long the answer waits for them: a small fleet knows the rule when its author does. */
const TOLD_WITHIN_MS = 1_000;

/**
 * Tells the devices a push concerns; resolves after a second at most, while the telling goes on. Returns whether all were
 * told by then. Never fails: the rest is the cron's.
 */
export const tellDevices = (
  env: ApiEnv,
  context: Pick<ExecutionContext, "waitUntil">,
  push: RulesPush,
): Promise<boolean> =>
  toldWithin(
    TOLD_WITHIN_MS,
    context,
    push,
    pushRules(env, push, { devicesMax: TOLD_MAX, stopsAtFailure: true }),
  );

/** Waits for a push for so long, while it goes on. Returns whether all were told by then. Never fails. */
export async function toldWithin(
  withinMs: number,
  context: Pick<ExecutionContext, "waitUntil">,
  push: RulesPush,
  telling: Promise<boolean>,
): Promise<boolean> {
  const told = telling.catch((error) => {
    console.error("a change of rules was not told; the cron does it", { ...push, error: String(error) });
    return false;
  });
  context.waitUntil(told);
  return await withDeadline(withinMs, "the devices", told).catch(() => false);
}
