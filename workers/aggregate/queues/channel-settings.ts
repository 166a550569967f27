// A tenant's channels and silences as D1 has them, read at most once a second, and known on when D1 does not answer.
import type * as z from "zod";
import { type Channel, channel, type Silence, silence } from "../../../schemas/channel.ts";
import { wallMs } from "../../clock.ts";
import { withDeadline } from "../../with-deadline.ts";

/** A tenant's channels and silences. */
export interface ChannelSettings {
  channels: Channel[];
  silences: Silence[];
}

/** An outage brings many messages at once; who changes a silence expects it to hold at once too. */
const FRESH_MS = 1_000;
/** A page does not wait for a database. */
const D1_ANSWERS_MS = 5_000;
/** Tenants known in one isolate; the one read longest ago makes room. */
const TENANTS_MAX = 1_000;

/** What this isolate knows. Answers only: a promise of one invocation is not for another to wait for. */
const known = new Map<string, ChannelSettings & { readAt: number }>();

/**
 * Returns a reader for one batch of messages, which reads each tenant once. Its answers are at most a second old,
 * older only when D1 fails, which is logged. The reader rejects when D1 fails and this isolate has never read the
 * tenant's.
 */
export function channelSettingsReader(database: D1Database): (tenant: string) => Promise<ChannelSettings> {
  const reading = new Map<string, Promise<ChannelSettings>>();
  return (tenant) => {
    const own = reading.get(tenant) ?? freshOrKnown(database, tenant);
    reading.set(tenant, own);
    return own;
  };
}

async function freshOrKnown(database: D1Database, tenant: string): Promise<ChannelSettings> {
  const last = known.get(tenant);
  // A silence that holds may have been ended just now: what it held is sent again only once.
  const mayHold = ({ endsAt }: Silence) => endsAt === null || endsAt > wallMs();
  if (last !== undefined && wallMs() - last.readAt < FRESH_MS && !last.silences.some(mayHold)) return last;
  try {
    const fresh = { ...(await read(database, tenant)), readAt: wallMs() };
    known.delete(tenant);
    known.set(tenant, fresh);
    if (known.size > TENANTS_MAX) known.delete(known.keys().next().value!);
    return fresh;
  } catch (error) {
    if (last === undefined) throw error;
    console.error("channels not read; those known are used", { tenant, error: String(error) });
    return last;
  }
}

async function read(database: D1Database, tenant: string): Promise<ChannelSettings> {
  const bodies = (table: "channel" | "silence") =>
    database.prepare(`SELECT id, body FROM ${table} WHERE tenant = ? ORDER BY id`).bind(tenant);
  const [channels, silences] = await withDeadline(
    D1_ANSWERS_MS,
    "D1",
    database.batch<{ id: string; body: string }>([bodies("channel"), bodies("silence")]),
  );
  return {
    channels: channels!.results.flatMap((row) => parse(channel, row, tenant)),
    silences: silences!.results.flatMap((row) => parse(silence, row, tenant)),
  };
}

/** One row that cannot be read keeps no other from being told. */
function parse<T>(schema: z.ZodType<T>, row: { id: string; body: string }, tenant: string): T[] {
  try {
    return [schema.parse(JSON.parse(row.body))];
  } catch (error) {
    console.error("channel or silence cannot be read; left out", {
      tenant,
      id: row.id,
      error: String(error),
    });
    return [];
  }
}
