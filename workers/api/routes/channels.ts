// /v1/channels: where people are told, and what they were told.
import { Hono } from "hono";
import { maskSecrets, unmaskSecrets } from "../../../core/alert/deliver/mask-secrets.ts";
import { refusalOfTarget } from "../../../core/alert/deliver/target.ts";
import { warnedLimit } from "../../../core/tenant/warn.ts";
import type { Caller } from "../../../core/token/verify.ts";
import { channelId } from "../../../schemas/alert.ts";
import {
  channelChange,
  channelNew,
  type DeliveriesAnswer,
  deliveriesQuery,
} from "../../../schemas/alert-http.ts";
import type { Channel, Target } from "../../../schemas/channel.ts";
import { CHANNEL_TESTS_PER_MINUTE_MAX } from "../../../schemas/limits.ts";
import { nowMs } from "../../clock.ts";
import { Problem } from "../../problem.ts";
import { type ApiContext, noBody, requireRole } from "../caller.ts";
import {
  configure,
  insertChannel,
  listChannels,
  objectOf,
  readChannel,
  removeChannel,
  updateChannel,
} from "../channels.ts";
import type { ApiEnv } from "../env.ts";
import { readRuleNames } from "../incident-names.ts";
import { keptAsRead } from "../kept-as-read.ts";
import { validate, validateBody } from "../validate.ts";

export const channels = new Hono<ApiContext>();

const idOf = (text: string) => validate(channelId, text, "invalid_query");
const originOf = (request: Request) => new URL(request.url).origin;
const shown = (channel: Channel, { role }: Caller): Channel => ({
  ...channel,
  target: maskSecrets(channel.target, role),
});

channels.get("/", requireRole("operator"), async (c) => {
  const found = await listChannels(c.env.CONTROL, c.var.caller.tenant);
  return c.json({ channels: found.map((channel) => shown(channel, c.var.caller)) });
});

channels.get("/:channel", requireRole("operator"), async (c) =>
  c.json(
    shown(await readChannel(c.env.CONTROL, c.var.caller.tenant, idOf(c.req.param("channel"))), c.var.caller),
  ),
);

channels.post("/", requireRole("admin"), async (c) => {
  const sent = await validateBody(channelNew, c.req.raw);
  const { id = `channel-${crypto.randomUUID().slice(0, 8)}`, ...body } = sent;
  const { tenant } = c.var.caller;
  const target = targetOf(c.env, body.target, undefined);
  const now = nowMs(c.env, c.req.raw);
  const channel: Channel = {
    ...body,
    target,
    id,
    origin: originOf(c.req.raw),
    createdAt: now,
    updatedAt: now,
  };
  await insertChannel(c.env.CONTROL, tenant, channel);
  await configure(c.env, tenant, channel);
  return c.json(shown(channel, c.var.caller), 201, { location: `/v1/channels/${id}` });
});

channels.put("/:channel", requireRole("admin"), async (c) => {
  const id = idOf(c.req.param("channel"));
  const sent = await validateBody(channelChange, c.req.raw);
  const { id: named = id, origin, createdAt, updatedAt, ...body } = sent;
  if (named !== id) throw new Problem("invalid_body", `id: ${named} is not ${id}; an id does not change`);
  const { tenant } = c.var.caller;
  const was = await readChannel(c.env.CONTROL, tenant, id);
  keptAsRead({ origin, createdAt, updatedAt }, was, ["origin", "createdAt", "updatedAt"]);
  const channel: Channel = {
    ...body,
    target: targetOf(c.env, body.target, was.target),
    id,
    origin: originOf(c.req.raw),
    createdAt: was.createdAt,
    updatedAt: nowMs(c.env, c.req.raw),
  };
  await updateChannel(c.env.CONTROL, tenant, channel);
  await configure(c.env, tenant, channel);
  return c.json(shown(channel, c.var.caller));
});

channels.delete("/:channel", requireRole("admin"), async (c) => {
  const { tenant } = c.var.caller;
  const channel = await readChannel(c.env.CONTROL, tenant, idOf(c.req.param("channel")));
  await removeChannel(c.env, tenant, channel);
  return c.json(shown(channel, c.var.caller));
});

channels.post("/:channel/test", requireRole("operator"), noBody, async (c) => {
  const { tenant } = c.var.caller;
  const channel = await readChannel(c.env.CONTROL, tenant, idOf(c.req.param("channel")));
  const tested = await objectOf(c.env, tenant, channel.id).test(channel);
  if (!("retryAfterMs" in tested)) return c.json(tested);
  const { retryAfterMs } = tested;
  throw new Problem(
    "rate_limited",
    `channel ${channel.id} is tested at most ${CHANNEL_TESTS_PER_MINUTE_MAX} times a minute; try again in ${Math.ceil(retryAfterMs / 1_000)} s`,
    { retryAfterMs },
  );
});

channels.get("/:channel/deliveries", requireRole("operator", deliveriesQuery), async (c) => {
  const { tenant } = c.var.caller;
  const { id } = await readChannel(c.env.CONTROL, tenant, idOf(c.req.param("channel")));
  const { deliveries, counts } = await objectOf(c.env, tenant, id).deliveries(c.var.query.limit);
  const told = deliveries.map(({ incident }) => incident);
  const names = await readRuleNames(c.env.CONTROL, tenant, told);
  const listed = deliveries.map((delivery) => ({
    ...delivery,
    rule: warnedLimit(delivery.incident) ?? names.get(delivery.incident) ?? null,
  }));
  return c.json({ deliveries: listed, counts } satisfies DeliveriesAnswer);
});

/** With the stored secrets for their masks. @throws Problem `invalid_target`. */
function targetOf({ CLOCK }: ApiEnv, sent: Target, stored: Target | undefined): Target {
  const target = unmaskSecrets(sent, stored);
  if ("refused" in target) throw new Problem("invalid_target", target.refused);
  // Only a local run has a settable clock, and its receivers beside it.
  const refusal = refusalOfTarget(target, CLOCK === "settable");
  if (refusal !== undefined) throw new Problem("invalid_target", `target.url: ${refusal}`);
  return target;
}
