// One channel: its messages, taken once a key, sent in order within an incident, and tried again until they are taken.
import { DurableObject } from "cloudflare:workers";
import { admit } from "../../../core/alert/deliver/admit.ts";
import { backoffMs, GIVEN_UP_AFTER_MS } from "../../../core/alert/deliver/backoff.ts";
import { BUDGET_MS } from "../../../core/alert/deliver/budget.ts";
import { messageOf, type Notice } from "../../../core/alert/deliver/message.ts";
import { isNews, saidWith } from "../../../core/alert/deliver/news.ts";
import { chooseNext } from "../../../core/alert/deliver/next.ts";
import type { Outcome } from "../../../core/alert/deliver/outcome.ts";
import { requestOf } from "../../../core/alert/deliver/request.ts";
import { sampleNotice } from "../../../core/alert/deliver/sample-notice.ts";
import { trim } from "../../../core/alert/deliver/trim.ts";
import type { NoticeKind } from "../../../schemas/alert.ts";
import type { Channel, Delivery } from "../../../schemas/channel.ts";
import { CHANNEL_TESTS_PER_MINUTE_MAX } from "../../../schemas/limits.ts";
import type { ChannelNotice, ChannelRpc } from "../../../schemas/message.ts";
import { wallMs } from "../../clock.ts";
import type { AggregateEnv } from "../env.ts";
import { ChannelReposts } from "./channel-reposts.ts";
import { send } from "./channel-send.ts";
import { ChannelStore } from "./channel-store.ts";

/** An object that dies while it sends is woken after this, which is longer than an attempt may take. */
const WOKEN_AFTER_MS = 15_000;
const MINUTE_MS = 60_000;
const PRUNED_EVERY_MS = 3_600_000;
/** A refused message that nobody confirmed to have gone another way is handed on again after this. */
const HANDED_ON_EVERY_MS = 60_000;

/** The object of one channel, named `tenant/channel`. ChannelRpc describes its methods. */
export class ChannelObject extends DurableObject<AggregateEnv> implements ChannelRpc {
  readonly #store: ChannelStore;
  readonly #name: string;
  readonly #reposts: ChannelReposts;
  readonly #running = new Map<number, Promise<void>>();
  #prunedAt = 0;
  /** When tests of the last minute began, also those under way; undefined: not read since the object woke. */
  #testedAt: number[] | undefined;

  constructor(ctx: DurableObjectState, env: AggregateEnv) {
    super(ctx, env);
    this.#store = new ChannelStore(ctx.storage);
    this.#name = ctx.id.name ?? "";
    this.#reposts = new ChannelReposts(this.#store, this.#name, () => this.env);
  }

  async deliver(channel: Channel, notice: ChannelNotice): Promise<void> {
    this.#store.together(() => {
      const known = this.#store.state.channel;
      if (channel.createdAt === this.#store.state.goneCreatedAt) return;
      if (known === null || channel.updatedAt > known.updatedAt) this.#store.change({ channel });
      if (this.#store.state.channel!.enabled && !this.#store.has(notice.key)) this.#take(notice);
    });
    await this.#proceed();
  }

  async configure(channel: Channel | null, madeAt?: number): Promise<void> {
    const nowMs = wallMs();
    this.#store.together(() => {
      if (channel === null) return this.#store.forget(madeAt);
      // The address may be another now; and a channel whose deletion did not come to its end is there again.
      this.#store.change({ channel, goneCreatedAt: null, failures: 0, retryAt: 0 });
      this.#store.allDue(nowMs);
      if (channel.enabled) return this.#store.retryRefused(nowMs - GIVEN_UP_AFTER_MS, nowMs);
      for (const { seq } of this.#store.waiting())
        this.#store.finish(seq, "dropped", nowMs, "the channel was disabled");
    });
    await this.#proceed();
  }

  async rerouted(key: string): Promise<void> {
    this.#store.handOnAgain(key, null);
  }

  async test(channel: Channel): Promise<Delivery | { retryAfterMs: number }> {
    const nowMs = wallMs();
    this.#testedAt ??= this.#store.testsSince(nowMs - MINUTE_MS);
    this.#testedAt = this.#testedAt.filter((at) => at > nowMs - MINUTE_MS && at <= nowMs);
    if (this.#testedAt.length >= CHANNEL_TESTS_PER_MINUTE_MAX)
      return { retryAfterMs: this.#testedAt[0]! + MINUTE_MS - nowMs };
    this.#testedAt.push(nowMs);
    const key = `test.${crypto.randomUUID()}`;
    const notice = sampleNotice(this.#name.split("/")[0]!, key, nowMs);
    const outcome = await this.#send(notice, channel, true);
    const { incident } = notice.snapshot;
    const delivery = {
      key,
      incident: incident.id,
      kind: notice.kind,
      severity: incident.rule.severity,
      state: outcome.sent ? ("sent" as const) : outcome.isRefused ? ("refused" as const) : ("dead" as const),
      attempts: 1,
      createdAt: nowMs,
      dueAt: null,
      error: outcome.sent ? null : outcome.error,
    };
    this.#store.together(() => this.#store.add(delivery));
    return { ...delivery, finishedAt: nowMs };
  }

  async deliveries(limit: number): Promise<{ deliveries: Delivery[]; counts: Record<string, number> }> {
    const { counts } = this.#store.state;
    return {
      deliveries: this.#store.list(limit),
      counts: { ...counts, waiting: this.#store.waiting().length },
    };
  }

  override async alarm(): Promise<void> {
    try {
      if (wallMs() - this.#prunedAt > PRUNED_EVERY_MS) {
        this.#store.prune(wallMs());
        this.#prunedAt = wallMs();
      }
      const posting = this.#reposts.post(); // notes that it does so before anything is awaited
      await this.#proceed();
      await Promise.all([...this.#running.values(), posting]);
    } catch (error) {
      // The platform stops an alarm that throws six times; this one is set again.
      console.error("channel failed; it is woken again", { channel: this.#name, error: String(error) });
      await this.ctx.storage.setAlarm(wallMs() + WOKEN_AFTER_MS);
    }
  }

  // ---- what comes --------------------------------------------------------------------------------------------------

  #take(told: ChannelNotice): void {
    const nowMs = wallMs();
    const { incident } = told.snapshot;
    const { severity } = incident.rule;
    const standing = this.#store.standing(incident.id, new Set(this.#running.keys()));
    const perHourMax = this.#store.state.channel?.perHourMax ?? null;
    const taken = admit(told.kind, severity, standing, {
      takenCount: this.#store.takenCount(nowMs - BUDGET_MS),
      perHourMax,
    });
    const notice = trim({ ...told, omitted: 0 });
    const note = (
      key: string,
      kind: NoticeKind,
      state: "waiting" | "held" | "dropped",
      error: string | null,
    ) =>
      this.#store.add(
        {
          ...{ key, incident: incident.id, kind, severity, state, attempts: 0, createdAt: nowMs, error },
          dueAt: state === "waiting" ? nowMs : null,
        },
        state === "waiting" ? { ...notice, key, kind } : undefined,
      );
    if (taken.state === "waiting") {
      for (const seq of taken.overtakes)
        this.#store.finish(seq, "dropped", nowMs, "a newer message of its incident says more");
      note(told.key, told.kind, "waiting", null);
      if (taken.revivesResolve) {
        this.#store.unlistDropped(standing.resolveKey!);
        note(standing.resolveKey!, "resolve", "waiting", null);
      }
    } else if (taken.state !== "unconcerned") {
      note(told.key, told.kind, taken.state, taken.error);
    }
    if (told.kind === "resolve") this.#store.over(incident.id, told.key, nowMs);
  }

  // ---- what goes ---------------------------------------------------------------------------------------------------

  /** Starts what may be sent now, and sees that the object is awake when something is due next. */
  async #proceed(): Promise<void> {
    const nowMs = wallMs();
    const { state } = this.#store;
    const next = chooseNext(this.#store.waiting(), new Set(this.#running.keys()), state, nowMs);
    for (const seq of next.drop) this.#store.finish(seq, "dropped", nowMs, "its fire was not sent here");
    for (const seq of next.start) {
      const attempt = Promise.resolve(seq).then((own) => this.#attempt(own)); // begins when it is noted as running
      this.#running.set(seq, attempt);
      this.ctx.waitUntil(attempt);
    }
    await this.#handOn(nowMs);
    const never = Number.POSITIVE_INFINITY;
    const wakeAt = Math.min(
      this.#running.size > 0 ? nowMs + WOKEN_AFTER_MS : (next.wakeAt ?? never),
      this.#store.nextHandOnAt() ?? never,
      this.#reposts.nextAt(nowMs) ?? never,
    );
    if (wakeAt === never) return;
    const alarmAt = await this.ctx.storage.getAlarm();
    if (alarmAt === null || alarmAt > wakeAt) await this.ctx.storage.setAlarm(wakeAt);
  }

  /** Gives refused messages back to the queue, for other channels, until that is confirmed. */
  async #handOn(nowMs: number): Promise<void> {
    const [tenant, channel] = this.#name.split("/") as [string, string];
    for (const { seq, key, incident, kind, zone, error, refusedAt } of this.#store.refusedDue(nowMs)) {
      if (kind === "test" || refusedAt < nowMs - GIVEN_UP_AFTER_MS) {
        this.#store.handOnAgain(key, null);
        continue;
      }
      this.#store.handOnAgain(key, nowMs + HANDED_ON_EVERY_MS);
      const refusedBy = { channel, at: refusedAt, error };
      const notice = { ...{ tenant, zone, key, incident, kind }, channels: null, refusedBy };
      await this.env.NOTICES.send({ version: 1, type: "notice", ...notice }, { contentType: "json" }).catch(
        (cause: unknown) =>
          console.warn("queue refused; a refused message is handed on again", { seq, error: String(cause) }),
      );
    }
  }

  async #attempt(seq: number): Promise<void> {
    const failuresBefore = this.#store.state.failures;
    const { channel } = this.#store.state;
    const message = this.#store.read(seq);
    try {
      if (message === undefined || channel === null) return;
      const { incident } = message.notice.snapshot;
      const { isTold, said } = this.#store.standing(incident.id, new Set());
      if (isTold && !isNews(said, message.notice)) {
        const why = "it says nothing that was not told here before";
        this.#store.together(() => this.#store.finish(seq, "dropped", wallMs(), why));
      } else {
        const outcome = await this.#send(message.notice, channel, !isTold);
        this.#store.together(() => this.#note(seq, message.notice, outcome, failuresBefore));
      }
    } finally {
      this.#running.delete(seq);
    }
    await this.#proceed();
  }

  async #send(notice: Notice, channel: Channel, isFirst: boolean): Promise<Outcome> {
    const message = messageOf(notice, this.env.PUBLIC_URL || channel.origin, isFirst);
    return send(requestOf(message, channel.target, wallMs()), channel.target, this.env.CLOCK === "settable");
  }

  /**
   * Notes an attempt's outcome. `failuresBefore`: the channel's failures when it began; attempts side by side count
   * as one.
   */
  #note(seq: number, notice: Notice, outcome: Outcome, failuresBefore: number): void {
    const nowMs = wallMs();
    const message = this.#store.read(seq);
    if (message === undefined) return; // the channel is gone
    const attempts = message.attempts + 1;
    const { failures } = this.#store.state;
    if (outcome.sent) {
      this.#store.finish(seq, "sent", nowMs, null, 1);
      const { id } = notice.snapshot.incident;
      if (notice.kind !== "resolve")
        this.#store.told(id, saidWith(this.#store.standing(id, new Set()).said, notice), nowMs);
      if (failures === 0) return;
      this.#store.change({ failures: 0, retryAt: 0 });
      this.#store.allDue(nowMs);
      return;
    }
    const { error, isRefused, notBeforeMs } = outcome;
    if (isRefused) {
      // Who was told is told by its own channel that it is over.
      this.#store.refuse(seq, nowMs, error, notice.kind === "resolve" ? null : nowMs);
      return;
    }
    this.#store.postpone(seq, Math.max(notBeforeMs, nowMs + backoffMs(notice.key, attempts)), error);
    if (failures === failuresBefore) {
      const retryAt = Math.max(notBeforeMs, nowMs + backoffMs(this.#name, failures + 1));
      this.#store.change({ failures: failures + 1, retryAt });
    }
    for (const one of this.#store.waitingSince(nowMs - GIVEN_UP_AFTER_MS)) {
      if (one === seq || !this.#running.has(one))
        this.#store.finish(one, "dead", nowMs, `given up: ${error}`);
    }
  }
}
