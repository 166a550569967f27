// The active alerts of an Alertmanager channel, posted again each minute: its receiver forgets what it is not told again.
import { alertmanagerRequests, POSTED_EVERY_MS } from "../../../core/alert/deliver/alertmanager.ts";
import { messageOf } from "../../../core/alert/deliver/message.ts";
import { type Said, saidWith } from "../../../core/alert/deliver/news.ts";
import type { IncidentSnapshot } from "../../../schemas/alert.ts";
import type { Channel } from "../../../schemas/channel.ts";
import { askEach } from "../../ask-each.ts";
import { wallMs } from "../../clock.ts";
import type { AggregateEnv } from "../env.ts";
import { holderOf } from "../incident-holder.ts";
import { send } from "./channel-send.ts";
import type { ChannelStore } from "./channel-store.ts";

/** The most incidents that are posted again each minute, and the most alerts of them: what is more is logged. */
const INCIDENTS_MAX = 200;
const ALERTS_MAX = 10_000;
const ZONES_ANSWER = { atOnce: 20, deadlineMs: 10_000 };

/**
 * Posts again what an Alertmanager channel told and is not over. Each minute while there is any it costs the object an
 * alarm (a request and a row), a call of the zone of each active incident, at most 200, and one request to the
 * receiver a thousand alerts; a row more when a member ended. Without any, and for other channels, it costs nothing.
 * Posts are no messages: they say nothing new, so they are not listed, tried again, or counted against the budget.
 */
export class ChannelReposts {
  readonly #store: ChannelStore;
  readonly #name: string;
  readonly #env: () => AggregateEnv;
  /** By the wall clock; undefined since the object woke. */
  #postedAt: number | undefined;

  constructor(store: ChannelStore, name: string, env: () => AggregateEnv) {
    this.#store = store;
    this.#name = name;
    this.#env = env;
  }

  /** When to post again, by the wall clock; undefined: nothing is active, or the receiver keeps it by itself. */
  nextAt(nowMs: number): number | undefined {
    if (!this.#isNeeded()) return undefined;
    this.#postedAt ??= nowMs;
    return this.#postedAt + POSTED_EVERY_MS;
  }

  #isNeeded(): boolean {
    const { channel } = this.#store.state;
    return channel?.target.type === "alertmanager" && channel.enabled && this.#store.hasActive();
  }

  /** Posts again what is active, when a minute has passed or the object was asleep since. Never throws. */
  async post(): Promise<void> {
    const nowMs = wallMs();
    if (this.#postedAt !== undefined && this.#postedAt + POSTED_EVERY_MS > nowMs) return;
    if (!this.#isNeeded()) return;
    this.#postedAt = nowMs;
    const { channel } = this.#store.state;
    try {
      await this.#postAll(channel!, nowMs);
    } catch (error) {
      console.warn("active alerts not posted again", { channel: this.#name, error: String(error) });
    }
  }

  async #postAll(channel: Channel, nowMs: number): Promise<void> {
    if (channel.target.type !== "alertmanager") return;
    const told = this.#store.active(INCIDENTS_MAX + 1);
    const notices = [];
    let room = ALERTS_MAX;
    for (const { incident, said, snapshot } of await this.#ask(told.slice(0, INCIDENTS_MAX), nowMs)) {
      const alerts = snapshot.alerts.filter(({ id }) => said.members[id] === "active").slice(0, room);
      room -= alerts.length;
      notices.push({ incident, said, snapshot: { ...snapshot, alerts } });
    }
    if (told.length > INCIDENTS_MAX || room === 0)
      console.warn("more is active than is posted again", { channel: this.#name });
    const tenant = this.#name.split("/")[0]!;
    const messages = notices.map(({ incident, said, snapshot }) => {
      const notice = { key: incident, kind: "fire" as const, tenant, snapshot, omitted: 0 };
      return {
        ...messageOf(notice, this.#env().PUBLIC_URL || channel.origin, false),
        said: saidWith(said, notice),
      };
    });
    for (const request of alertmanagerRequests(messages, channel.target, nowMs)) {
      const outcome = await send(request, channel.target, this.#env().CLOCK === "settable");
      if (!outcome.sent) throw new Error(outcome.error);
    }
    this.#store.together(() => {
      for (const { snapshot, said } of messages)
        if (snapshot.alerts.some(({ state }) => state === "resolved"))
          this.#store.told(snapshot.incident.id, said, nowMs);
    });
  }

  /** Incidents as their zones know them; one that its zone has forgotten is over. */
  async #ask(told: { incident: string; said: Said }[], nowMs: number) {
    const found: { incident: string; said: Said; snapshot: IncidentSnapshot }[] = [];
    const tenant = this.#name.split("/")[0]!;
    const ask = (incident: string) => {
      const zone = incident.slice(0, incident.lastIndexOf("."));
      return holderOf(this.#env(), tenant, zone).incident(incident);
    };
    await askEach(
      told.map(({ incident }) => incident),
      ZONES_ANSWER,
      ask,
      (snapshot, index) => {
        const own = told[index]!;
        if (snapshot === null) this.#store.over(own.incident, "forgotten", nowMs);
        // Of one that is over the resolve is on its way.
        else if (snapshot.incident.resolvedAt === null) found.push({ ...own, snapshot });
      },
    );
    return found;
  }
}
