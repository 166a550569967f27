// /v1/channels: where people are told, and what they were told.
import { Hono } from "hono";
import { refusalOf } from "../../../core/alert/deliver/target.ts";
import { channelId } from "../../../schemas/alert.ts";
import { channelChange, channelNew, deliveriesQuery } from "../../../schemas/alert-http.ts";
import type { Channel, Target } from "../../../schemas/channel.ts";
import { nowMs } from "../../clock.ts";
import { Problem } from "../../problem.ts";
import { type ApiContext, requireRole } from "../caller.ts";
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
import { maskSecrets, unmaskSecrets } from "../mask-secrets.ts";
import { validate, validateBody } from "../validate.ts";

export const channels = new Hono<ApiContext>();

const idOf = (text: string) => validate(channelId, text, "invalid_query");
const originOf = (request: Request) => new URL(request.url).origin;
const shown = (channel: Channel): Channel => ({ ...channel, target: maskSecrets(channel.target) });

channels.get("/", requireRole("operator"), async (c) => {
  const found = await listChannels(c.env.CONTROL, c.var.caller.tenant);
  return c.json({ channels: found.map(shown) });
});

channels.get("/:channel", requireRole("operator"), async (c) =>
  c.json(shown(await readChannel(c.env.CONTROL, c.var.caller.tenant, idOf(c.req.param("channel"))))),
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
  return c.json(shown(channel), 201, { location: `/v1/channels/${id}` });
});

channels.put("/:channel", requireRole("admin"), async (c) => {
  const id = idOf(c.req.param("channel"));
  const {
    id: named = id,
    origin: _origin,
    createdAt: _created,
    updatedAt: _updated,
    ...body
  } = await validateBody(channelChange, c.req.raw);
  if (named !== id) throw new Problem("invalid_body", `id: ${named} is not ${id}; an id does not change`);
  const { tenant } = c.var.caller;
  const { target: stored, createdAt } = await readChannel(c.env.CONTROL, tenant, id);
  const target = targetOf(c.env, body.target, stored);
  const updatedAt = nowMs(c.env, c.req.raw);
  const channel: Channel = { ...body, target, id, origin: originOf(c.req.raw), createdAt, updatedAt };
  await updateChannel(c.env.CONTROL, tenant, channel);
  await configure(c.env, tenant, channel);
  return c.json(shown(channel));
});

channels.delete("/:channel", requireRole("admin"), async (c) => {
  const { tenant } = c.var.caller;
  const channel = await readChannel(c.env.CONTROL, tenant, idOf(c.req.param("channel")));
  await removeChannel(c.env, tenant, channel);
  return c.json(shown(channel));
});

channels.post("/:channel/test", requireRole("operator"), async (c) => {
  const { tenant } = c.var.caller;
  const channel = await readChannel(c.env.CONTROL, tenant, idOf(c.req.param("channel")));
  return c.json(await objectOf(c.env, tenant, channel.id).test(channel));
});

channels.get("/:channel/deliveries", requireRole("operator"), async (c) => {
  const { limit } = validate(deliveriesQuery, c.req.query(), "invalid_query");
  const { tenant } = c.var.caller;
  const { id } = await readChannel(c.env.CONTROL, tenant, idOf(c.req.param("channel")));
  return c.json(await objectOf(c.env, tenant, id).deliveries(limit));
});

/** With the stored secrets for their masks. @throws Problem `invalid_target`. */
function targetOf({ CLOCK }: ApiEnv, sent: Target, stored: Target | undefined): Target {
  const target = unmaskSecrets(sent, stored);
  if ("refused" in target) throw new Problem("invalid_target", target.refused);
  // Only a local run has a settable clock, and its receivers beside it.
  const refusal = refusalOf(target.url, CLOCK === "settable");
  if (refusal !== undefined) throw new Problem("invalid_target", `target.url: ${refusal}`);
  return target;
}
