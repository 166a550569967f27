// /v1/rules: when devices alert, and when they would have.
import { Hono } from "hono";
import { checkRule } from "../../../core/alert/check-rule.ts";
import { type Rule, type RuleBody, ruleId } from "../../../schemas/alert.ts";
import { previewBody, ruleChange, ruleNew } from "../../../schemas/alert-http.ts";
import { RULES_PER_DEVICE_MAX } from "../../../schemas/limits.ts";
import { nowMs } from "../../clock.ts";
import { Problem } from "../../problem.ts";
import { type ApiContext, requireRole, whoOf } from "../caller.ts";
import { listChannels } from "../channels.ts";
import { mostOnOneDevice } from "../crowded.ts";
import type { ApiEnv } from "../env.ts";
import { keptAsRead } from "../kept-as-read.ts";
import { previewRule } from "../preview-rule.ts";
import {
  changedMeanwhile,
  channelsOf,
  insertRule,
  listRules,
  readRule,
  removeRule,
  tellDevices,
  updateRule,
} from "../rules.ts";
import { validate, validateBody } from "../validate.ts";

export const rules = new Hono<ApiContext>();

const idOf = (text: string) => validate(ruleId, text, "invalid_query");

rules.get("/", requireRole("viewer"), async (c) =>
  c.json({ rules: await listRules(c.env.CONTROL, c.var.caller.tenant) }),
);

rules.get("/:rule", requireRole("viewer"), async (c) =>
  c.json(await readRule(c.env.CONTROL, c.var.caller.tenant, idOf(c.req.param("rule")))),
);

rules.post("/", requireRole("operator"), async (c) => {
  const { id = `rule-${crypto.randomUUID().slice(0, 8)}`, ...body } = await validateBody(
    ruleNew,
    c.req.raw,
    "invalid_rule",
  );
  const { tenant } = c.var.caller;
  await check(c.env, tenant, id, body);
  const now = nowMs(c.env, c.req.raw);
  const rule = { ...body, id, version: 1, createdAt: now, updatedAt: now, updatedBy: whoOf(c.var.caller) };
  await tellDevices(c.env, c.executionCtx, await insertRule(c.env.CONTROL, tenant, rule));
  return c.json(rule, 201, { location: `/v1/rules/${id}` });
});

/** Takes what GET gave, too: then it has to be the newest version. */
rules.put("/:rule", requireRole("operator"), async (c) => {
  const id = idOf(c.req.param("rule"));
  const change = await validateBody(ruleChange, c.req.raw, "invalid_rule");
  const { id: named = id, version, createdAt, updatedAt, updatedBy, ...body } = change;
  if (named !== id) throw new Problem("invalid_rule", `id: ${named} is not ${id}; an id does not change`);
  const { tenant } = c.var.caller;
  const was = await readRule(c.env.CONTROL, tenant, id);
  if (version !== undefined && version !== was.version) throw changedMeanwhile(id);
  keptAsRead({ createdAt, updatedAt, updatedBy }, was, ["createdAt", "updatedAt", "updatedBy"]);
  await check(c.env, tenant, id, body);
  const rule: Rule = {
    ...body,
    id,
    version: was.version + 1,
    createdAt: was.createdAt,
    updatedAt: nowMs(c.env, c.req.raw),
    updatedBy: whoOf(c.var.caller),
  };
  await tellDevices(c.env, c.executionCtx, await updateRule(c.env.CONTROL, tenant, rule, was));
  return c.json(rule);
});

/** Its alerts end. */
rules.delete("/:rule", requireRole("operator"), async (c) => {
  const { tenant } = c.var.caller;
  const was = await readRule(c.env.CONTROL, tenant, idOf(c.req.param("rule")));
  const push = await removeRule(c.env.CONTROL, tenant, was, nowMs(c.env, c.req.raw));
  await tellDevices(c.env, c.executionCtx, push);
  return c.json(was);
});

rules.post("/preview", requireRole("viewer"), async (c) => {
  const asked = await validateBody(previewBody, c.req.raw, (field) =>
    field === "rule" ? "invalid_rule" : "invalid_body",
  );
  checkAlone(asked.rule);
  return c.json(await previewRule(c.env, c.var.caller.tenant, asked, nowMs(c.env, c.req.raw)));
});

/** @throws Problem `invalid_rule`, with the reason. */
function checkAlone(body: RuleBody): void {
  const reason = checkRule(body);
  if (reason !== undefined) throw new Problem("invalid_rule", reason);
}

/** @throws Problem `invalid_rule`: it can never fire, always does, never clears, names channels that are none, or is one too many. */
async function check(env: ApiEnv, tenant: string, id: string, body: RuleBody): Promise<void> {
  checkAlone(body);
  await checkChannels(env, tenant, body);
  if (!body.enabled) return;
  const others = (await listRules(env.CONTROL, tenant)).filter((rule) => rule.enabled && rule.id !== id);
  if (others.length < RULES_PER_DEVICE_MAX) return;
  const { rules, device } = mostOnOneDevice([...others, body].map(({ scope }) => scope));
  if (rules <= RULES_PER_DEVICE_MAX) return;
  const which = Object.entries(device).map(([field, value]) => `${field} ${value}`);
  const whose = which.length === 0 ? "a device" : `a device of ${which.join(", ")}`;
  const most = `it takes at most ${RULES_PER_DEVICE_MAX}`;
  throw new Problem(
    "invalid_rule",
    `scope: ${whose} would have ${rules} enabled rules, and ${most}: narrow a scope, or disable a rule`,
  );
}

async function checkChannels(env: ApiEnv, tenant: string, body: RuleBody): Promise<void> {
  const named = channelsOf(body);
  if (named.length === 0) return;
  const known = await listChannels(env.CONTROL, tenant);
  const unknown = named.find((id) => known.every((channel) => channel.id !== id));
  if (unknown === undefined) return;
  throw new Problem("invalid_rule", `channels: there is no channel ${unknown}; GET /v1/channels lists them`);
}
