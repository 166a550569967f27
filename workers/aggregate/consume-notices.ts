// A batch of the queue of notices → the alerts of D1, and a message to every channel that takes it.
import { chooseChannels, firstOpeningAt } from "../../core/alert/deliver/route.ts";
import { HELD_MS_MAX, heldUntil } from "../../core/alert/deliver/silence.ts";
import { type EventsMessage, type NoticeMessage, queuedNotice } from "../../schemas/alert.ts";
import { wallMs } from "../clock.ts";
import { within } from "../within.ts";
import { type ChannelSettings, channelSettingsReader } from "./channel-settings.ts";
import type { AggregateEnv } from "./env.ts";
import { storeAlerts } from "./store-alerts.ts";

/** Back-off of a message that could not be handled: doubling from 1 s. Its zone sends it again if the queue gives up. */
const RETRY_SECONDS_MAX = 300;
/** Whoever takes longer has failed: a message is safe to handle twice. */
const ANSWERS_MS = 10_000;

type SettingsOf = (tenant: string) => Promise<ChannelSettings>;

/** At-least-once in, idempotent out, each message by itself: what fails delays no other. */
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
    const deferUntilMs =
      type === "events" ? await store(parsed.data, env) : await tell(parsed.data, settingsOf, env);
    const told = env.ZONE.getByName(`${tenant}/${zone}`).told([{ key, deferUntilMs }]);
    await within(ANSWERS_MS, "the zone", told);
    message.ack();
  } catch (error) {
    console.error("notice not handled; it is tried again", { tenant, key, error: String(error) });
    message.retry({ delaySeconds: Math.min(RETRY_SECONDS_MAX, 2 ** (message.attempts - 1)) });
  }
}

async function store(message: EventsMessage, env: AggregateEnv): Promise<null> {
  await within(ANSWERS_MS, "D1", storeAlerts(env.CONTROL, message));
  return null;
}

/** Gives until when it is held back, by silences or because no channel takes it at this hour; null: it is done with. */
async function tell(
  notice: NoticeMessage,
  settingsOf: SettingsOf,
  env: AggregateEnv,
): Promise<number | null> {
  const { tenant, zone, key, kind } = notice;
  const asked = env.ZONE.getByName(`${tenant}/${zone}`).incident(notice.incident);
  const [snapshot, { channels, silences }] = await Promise.all([
    within(ANSWERS_MS, "the zone", asked),
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
  const handed = await Promise.allSettled(
    chosen.channels.map((channel) => {
      const object = env.CHANNEL.getByName(`${tenant}/${channel.id}`);
      return within(
        ANSWERS_MS,
        `channel ${channel.id}`,
        object.deliver(channel, { key, kind, tenant, snapshot }),
      );
    }),
  );
  const failure = handed.find(({ status }) => status === "rejected");
  if (failure !== undefined) throw (failure as PromiseRejectedResult).reason;
  return null;
}

/** What is over is told by its resolve, and what is acknowledged does not escalate; but a fire is told always. */
const isPointless = ({ kind }: NoticeMessage, state: string) =>
  (kind === "update" && state === "resolved") || (kind === "escalate" && state !== "firing");
