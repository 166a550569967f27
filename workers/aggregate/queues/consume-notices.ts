// A batch of the queue of notices → the alerts of D1, and a message to every channel that takes it.
import { chooseChannels, chooseInstead, firstOpeningAt } from "../../../core/alert/deliver/route.ts";
import { HELD_MS_MAX, heldUntil } from "../../../core/alert/deliver/silence.ts";
import {
  type EventsMessage,
  type IncidentSnapshot,
  type NoticeMessage,
  queuedNotice,
  type Refusal,
} from "../../../schemas/alert.ts";
import type { Channel } from "../../../schemas/channel.ts";
import { wallMs } from "../../clock.ts";
import { logFailure } from "../../missing-migration.ts";
import { withDeadline } from "../../with-deadline.ts";
import type { AggregateEnv } from "../env.ts";
import { holderOf } from "../incident-holder.ts";
import { type ChannelSettings, channelSettingsReader } from "./channel-settings.ts";
import { storeAlerts } from "./store-alerts.ts";

/** Back-off of a message that could not be handled: doubling from 1 s. Its zone sends it again if the queue gives up. */
const RETRY_SECONDS_MAX = 300;
/** Whoever takes longer has failed: a message is safe to handle twice. */
const ANSWERS_MS = 10_000;

type SettingsOf = (tenant: string) => Promise<ChannelSettings>;

/**
 * Handles a batch of a zone's messages, each by itself and however often it comes; one that fails is retried and
 * delays no other.
 */
export async function consumeNotices(batch: MessageBatch<unknown>, env: AggregateEnv): Promise<void> {
  const settingsOf = channelSettingsReader(env.CONTROL);
  await Promise.all(batch.messages.map((message) => consume(message, settingsOf, env)));
}

async function consume(message: Message<unknown>, settingsOf: SettingsOf, env: AggregateEnv): Promise<void> {
  const parsed = queuedNotice.safeParse(message.body);
  if (!parsed.success) {
    console.error("message is no notice; dropped", { id: message.id, error: parsed.error.message });
    return message.ack();
  }
  const { tenant, zone, key, type } = parsed.data;
  try {
    if (type === "notice" && parsed.data.refusedBy !== undefined) {
      await reroute(parsed.data, parsed.data.refusedBy, settingsOf, env);
      return message.ack();
    }
    const deferUntilMs =
      type === "events" ? await store(parsed.data, env) : await deliverNotice(parsed.data, settingsOf, env);
    const told = holderOf(env, tenant, zone).told([{ key, deferUntilMs }]);
    await withDeadline(ANSWERS_MS, "the zone", told);
    message.ack();
  } catch (error) {
    logFailure("error", "notice not handled; it is tried again", { tenant, key }, error);
    message.retry({ delaySeconds: Math.min(RETRY_SECONDS_MAX, 2 ** (message.attempts - 1)) });
  }
}

async function store(message: EventsMessage, env: AggregateEnv): Promise<null> {
  await withDeadline(ANSWERS_MS, "D1", storeAlerts(env.CONTROL, message));
  return null;
}

/**
 * Hands a notice to its channels. Returns until when it is held back, by silences or because no channel takes it at
 * this hour; null: it is done with.
 * @throws when D1, the zone or a channel does not answer.
 */
async function deliverNotice(
  notice: NoticeMessage,
  settingsOf: SettingsOf,
  env: AggregateEnv,
): Promise<number | null> {
  const { tenant, zone, key, kind } = notice;
  const asked = holderOf(env, tenant, zone).incident(notice.incident);
  const [snapshot, { channels, silences }] = await Promise.all([
    withDeadline(ANSWERS_MS, "the zone", asked),
    settingsOf(tenant),
  ]);
  if (snapshot === null) return null;
  const { incident } = snapshot;
  if (isPointless(notice, incident.state)) return null;
  const nowMs = wallMs();
  const deferUntilMs = kind === "resolve" ? undefined : heldUntil(snapshot, silences, nowMs);
  if (deferUntilMs !== undefined) return deferUntilMs;
  const chosen = chooseChannels(notice, incident, channels, nowMs);
  if (chosen.unknown.length > 0)
    console.warn("channels are named that do not exist", { tenant, key, channels: chosen.unknown });
  if (chosen.channels.length === 0 && kind !== "resolve") {
    const openingAt = firstOpeningAt(notice, incident, channels, nowMs);
    if (openingAt !== undefined) return Math.min(openingAt, nowMs + HELD_MS_MAX);
  }
  if (chosen.channels.length === 0 && kind === "fire" && incident.rule.severity === "critical")
    console.warn("a critical alert that no channel takes", { tenant, key });
  await hand(notice, snapshot, chosen.channels, env);
  return null;
}

/**
 * Hands a notice that a channel could not deliver to others, and notes in its incident who has it instead. The first
 * note comes before the choice: of channels that refuse it at once each knows of those before it.
 * @throws when D1, the zone or a channel does not answer.
 */
async function reroute(
  notice: NoticeMessage,
  { channel, at, error }: Pick<Refusal, "channel" | "at" | "error">,
  settingsOf: SettingsOf,
  env: AggregateEnv,
): Promise<void> {
  const { tenant, key, kind } = notice;
  const zone = holderOf(env, tenant, notice.zone);
  const note = (instead: string[] | null) =>
    withDeadline(
      ANSWERS_MS,
      "the zone",
      zone.refused(notice.incident, { key, kind, channel, at, error, instead }),
    );
  const snapshot = await note(null);
  if (snapshot !== null && !isPointless(notice, snapshot.incident.state)) {
    const { refusals = [] } = snapshot.incident;
    const refusedBy = new Set(refusals.filter((own) => own.key === key).map((own) => own.channel));
    const { channels } = await settingsOf(tenant);
    const instead = chooseInstead(notice, snapshot.incident, channels, refusedBy, wallMs());
    if (instead.length === 0) console.error("a message that every channel refuses", { tenant, key });
    await hand(notice, snapshot, instead, env);
    await note(instead.map(({ id }) => id));
  }
  const object = env.CHANNEL.getByName(`${tenant}/${channel}`);
  await withDeadline(ANSWERS_MS, `channel ${channel}`, object.rerouted(key));
}

/** @throws when a channel's object does not answer; the others have the notice. */
async function hand(
  { tenant, key, kind }: NoticeMessage,
  snapshot: IncidentSnapshot,
  channels: readonly Channel[],
  env: AggregateEnv,
): Promise<void> {
  const handed = await Promise.allSettled(
    channels.map((channel) => {
      const object = env.CHANNEL.getByName(`${tenant}/${channel.id}`);
      return withDeadline(
        ANSWERS_MS,
        `channel ${channel.id}`,
        object.deliver(channel, { key, kind, tenant, snapshot }),
      );
    }),
  );
  const failure = handed.find(({ status }) => status === "rejected");
  if (failure !== undefined) throw (failure as PromiseRejectedResult).reason;
}

/** What is over is told by its resolve, and what is acknowledged does not escalate; but a fire is told always. */
const isPointless = ({ kind }: NoticeMessage, state: string) =>
  (kind === "update" && state === "resolved") || (kind === "escalate" && state !== "firing");
