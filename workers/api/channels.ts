// Channels in D1, and their objects.
import { type Channel, channel as channelSchema } from "../../schemas/channel.ts";
import { CHANNELS_PER_TENANT_MAX } from "../../schemas/limits.ts";
import { Problem } from "../problem.ts";
import type { ApiEnv } from "./env.ts";
import { channelsOf, listRules } from "./rules.ts";
import { fromStorage } from "./storage.ts";

/** Returns all channels of the tenant by id, with their secrets. @throws Problem `unavailable`. */
export async function listChannels(control: D1Database, tenant: string): Promise<Channel[]> {
  const select = control.prepare("SELECT body FROM channel WHERE tenant = ?1 ORDER BY id").bind(tenant);
  const { results } = await fromStorage("D1", select.all<{ body: string }>());
  return results.map(({ body }) => channelSchema.parse(JSON.parse(body)));
}

/** Returns a channel, with its secrets. @throws Problem `channel_not_found`. */
export async function readChannel(control: D1Database, tenant: string, id: string): Promise<Channel> {
  const found = (await listChannels(control, tenant)).find((channel) => channel.id === id);
  if (found !== undefined) return found;
  throw new Problem("channel_not_found", `no channel ${id}; GET /v1/channels lists them`);
}

/** Adds a channel. @throws Problem `conflict`: there is one of that id, or there are too many. */
export async function insertChannel(control: D1Database, tenant: string, channel: Channel): Promise<void> {
  const insert = control.prepare(INSERT).bind(tenant, channel.id, JSON.stringify(channel));
  if ((await fromStorage("D1", insert.run())).meta.changes > 0) return;
  const known = await listChannels(control, tenant);
  throw new Problem(
    "conflict",
    known.some(({ id }) => id === channel.id)
      ? `there is a channel ${channel.id}; PUT /v1/channels/${channel.id} changes it`
      : `the tenant has ${known.length} channels and may have ${CHANNELS_PER_TENANT_MAX}; delete one first`,
  );
}

/** Replaces a channel. @throws Problem `channel_not_found`: somebody deleted it meanwhile. */
export async function updateChannel(control: D1Database, tenant: string, channel: Channel): Promise<void> {
  const { id } = channel;
  const update = control.prepare("UPDATE channel SET body = ?3 WHERE tenant = ?1 AND id = ?2");
  const { meta } = await fromStorage("D1", update.bind(tenant, id, JSON.stringify(channel)).run());
  if (meta.changes === 0)
    throw new Problem("channel_not_found", `no channel ${id}; GET /v1/channels lists them`);
}

/**
 * Deletes a channel, its object's messages first, so that nobody is told after it.
 * @throws Problem `conflict`: rules name it.
 */
export async function removeChannel(env: ApiEnv, tenant: string, channel: Channel): Promise<void> {
  const { id } = channel;
  const naming = (await listRules(env.CONTROL, tenant)).filter((rule) => channelsOf(rule).includes(id));
  if (naming.length > 0) {
    const names = naming.map((rule) => rule.id).join(", ");
    throw new Problem("conflict", `channel ${id} is named by the rules ${names}; take it out of them first`);
  }
  await objectOf(env, tenant, id).configure(null);
  const remove = env.CONTROL.prepare("DELETE FROM channel WHERE tenant = ?1 AND id = ?2");
  try {
    await fromStorage("D1", remove.bind(tenant, id).run());
  } catch (error) {
    await configure(env, tenant, channel); // it is still there, and is to be told
    throw error;
  }
}

/**
 * Tells the channel's object of its settings. Never fails: an object that is away learns them with the next message.
 */
export async function configure(env: ApiEnv, tenant: string, channel: Channel): Promise<void> {
  try {
    await objectOf(env, tenant, channel.id).configure(channel);
  } catch (error) {
    console.warn("a channel was not told of its change", { tenant, id: channel.id, error: String(error) });
  }
}

/** The object of a channel. */
export const objectOf = (env: ApiEnv, tenant: string, id: string) => env.CHANNEL.getByName(`${tenant}/${id}`);

const INSERT = `
  INSERT INTO channel (tenant, id, body) SELECT ?1, ?2, ?3
  WHERE (SELECT count(*) FROM channel WHERE tenant = ?1) < ${CHANNELS_PER_TENANT_MAX} ON CONFLICT DO NOTHING`;
