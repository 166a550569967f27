// Events of a zone's alerts → incidents in its SQLite, messages on the queue, and what watchers see. Made of transactions.
import {
  applyEvents,
  applyTime,
  incidentDueAt,
  noteFire,
  type Outcome,
} from "../../../core/alert/incident.ts";
import { withRefusal } from "../../../core/alert/refusal.ts";
import type { Alert, AlertEvent, IncidentSnapshot, Refusal } from "../../../schemas/alert.ts";
import type { NoticeReceipt, ZoneAlertEvent } from "../../../schemas/message.ts";
import { wallMs } from "../../clock.ts";
import { type AggregateEnv, noticeResendMsOf } from "../env.ts";
import type { ZoneAlarm } from "../live/object-alarm.ts";
import { ZoneBook } from "./zone-book.ts";
import { ZoneOutbox } from "./zone-outbox.ts";

/** How long an incident that is over, and known to all, can still be asked for here; then D1 has it. */
const GONE_AFTER_MS = 3_600_000;
/** A queue that refuses is tried again after this, then at doubling distance. */
const RETRY_MS = 1_000;

/** The incidents of one zone, in its object's SQLite and on their way to the queue. */
export class ZoneAlerts {
  readonly #ctx: DurableObjectState;
  readonly #env: () => AggregateEnv;
  readonly #zone: string;
  readonly #alarm: ZoneAlarm;
  readonly #book: ZoneBook;
  readonly #outbox: ZoneOutbox;
  readonly #resendMs: number;
  #sending: Promise<void> | undefined;
  #refusals = 0;
  #refusedUntil = 0;

  constructor(
    ctx: DurableObjectState,
    env: () => AggregateEnv,
    address: { tenant: string; zone: string },
    alarm: ZoneAlarm,
  ) {
    this.#ctx = ctx;
    this.#env = env;
    this.#zone = address.zone;
    this.#alarm = alarm;
    this.#resendMs = noticeResendMsOf(env());
    this.#book = new ZoneBook(ctx.storage);
    this.#outbox = new ZoneOutbox(ctx.storage.sql, this.#book, address, this.#resendMs);
  }

  /** Takes each event once. Returns those that were new, each with its incident ("": it is forgotten). */
  async receive(events: readonly AlertEvent[]): Promise<ZoneAlertEvent[]> {
    if (events.length === 0) return [];
    await this.#alarm.ready();
    const nowMs = wallMs();
    const { taken } = this.#commit(nowMs, () => applyEvents(this.#book, this.#zone, events, nowMs));
    if (taken.length > 0) this.#ctx.waitUntil(this.#send());
    return taken.map(withIncident);
  }

  /** The active alerts, oldest first. */
  active(): Alert[] {
    return this.#book.exists() ? this.#book.alerts(null) : [];
  }

  /**
   * Returns an incident with its alerts; null when the zone never had it, or it is over and known to all for an hour.
   */
  incident(id: string): IncidentSnapshot | null {
    const number = Number(id.slice(this.#zone.length + 1));
    if (!this.#book.exists() || !Number.isSafeInteger(number)) return null;
    const found = this.#book.incident(number);
    if (found?.incident.id !== id) return null;
    const { incident, nameless = 0 } = found;
    const muted = this.#book.muted(number);
    return {
      incident,
      alerts: this.#book.alerts(number),
      ...(nameless > 0 ? { nameless } : {}),
      ...(muted.length > 0 ? { muted } : {}),
    };
  }

  /** Notes in an incident that a channel could not deliver a message of it, and returns the incident with that. */
  async refused(id: string, refusal: Refusal): Promise<IncidentSnapshot | null> {
    const known = this.incident(id);
    if (known === null) return null;
    await this.#alarm.ready();
    const number = Number(id.slice(this.#zone.length + 1));
    const record = this.#book.incident(number)!;
    const incident = withRefusal(record.incident, refusal);
    if (incident === record.incident) return known;
    this.#ctx.storage.transactionSync(() => {
      this.#book.putIncident({ ...record, incident });
      this.#outbox.addChange(number);
    });
    this.#alarm.plan(wallMs() + this.#resendMs);
    this.#ctx.waitUntil(this.#send());
    return this.incident(id);
  }

  /**
   * Drops the alerts of a device's lives up to `generation`. Returns `pending` true, and drops nothing, while one is
   * active or not everybody was told that it is over. Writes one row an alert, one an incident, and one for the
   * device.
   */
  forget(device: string, generation: number): { pending: boolean } {
    if (!this.#book.exists()) return { pending: false };
    const incidents = this.#book.incidentsOf(device, generation);
    if (this.#book.isAwaited(device, generation) || this.#outbox.isNaming(device, incidents))
      return { pending: true };
    this.#ctx.storage.transactionSync(() => this.#book.forget(device, generation));
    return { pending: false };
  }

  /** To be called when everything in the object's storage was deleted. */
  forgetAll(): void {
    this.#book.forgetAll();
  }

  /** Confirms messages of the outbox: each leaves it, or is sent again at its `deferUntilMs`, by the wall clock. */
  async told(receipts: readonly NoticeReceipt[]): Promise<void> {
    if (!this.#book.exists()) return;
    await this.#alarm.ready();
    const nowMs = wallMs();
    const goneAt = nowMs + GONE_AFTER_MS;
    const judged = receipts.map(({ key, deferUntilMs: until }) => ({
      key,
      deferUntilMs: until === null ? null : Math.max(until, nowMs + RETRY_MS), // clocks differ
    }));
    const isOver = (number: number) => this.#book.incident(number)?.incident.resolvedAt !== null;
    this.#ctx.storage.transactionSync(() => {
      const { concerned, fires } = this.#outbox.confirm(judged, isOver);
      for (const [number, heldUntilMs] of fires) this.#noteFire(number, heldUntilMs, nowMs);
      for (const number of concerned) {
        if (!isOver(number) || this.#outbox.isWaiting(number)) continue;
        this.#book.putGoneAt(number, goneAt);
        this.#alarm.plan(goneAt);
      }
      for (const { deferUntilMs } of judged) if (deferUntilMs !== null) this.#alarm.plan(deferUntilMs);
    });
  }

  #noteFire(number: number, heldUntilMs: number | null, nowMs: number): void {
    const known = this.#book.incident(number);
    if (known === undefined) return;
    const record = noteFire(known, heldUntilMs, nowMs);
    if (record === known) return;
    this.#book.putIncident(record);
    const dueAt = incidentDueAt(record);
    if (dueAt !== null) this.#alarm.plan(dueAt);
  }

  /** Sends the notices that silences hold back again at once. */
  async release(): Promise<void> {
    if (!this.#book.exists()) return;
    await this.#alarm.ready();
    const nowMs = wallMs();
    this.#outbox.release(nowMs);
    this.#alarm.plan(nowMs + this.#resendMs);
    await this.#send();
  }

  /** Does what is due. Returns when to wake it again, by the wall clock; null: nothing of it waits for a time. */
  async wake(): Promise<number | null> {
    if (!this.#book.exists()) return null;
    const nowMs = wallMs();
    this.#commit(nowMs, () => {
      this.#deleteGone(nowMs);
      return applyTime(this.#book, this.#zone, nowMs);
    });
    await this.#send();
    const never = Number.POSITIVE_INFINITY;
    const nextAt = Math.min(
      this.#book.nextAt() ?? never,
      Math.max(this.#outbox.nextAt() ?? never, this.#refusedUntil),
      this.#outbox.hasNews() ? wallMs() + this.#resendMs : never,
    );
    return Number.isFinite(nextAt) ? nextAt : null;
  }

  #deleteGone(nowMs: number): void {
    for (const number of this.#book.gone(nowMs)) {
      if (this.#outbox.isWaiting(number)) this.#book.putGoneAt(number, null);
      else this.#book.deleteIncident(number);
    }
  }

  /** What is decided, and all there is to say of it, in one transaction with the alarm that sees to it. */
  #commit(nowMs: number, decide: () => Outcome): Outcome {
    const outcome = this.#ctx.storage.transactionSync(() => {
      this.#book.create();
      const decided = decide();
      for (const { number, ...taken } of decided.taken) this.#outbox.addEvent(number, withIncident(taken));
      for (const number of decided.changed) {
        if (!decided.taken.some((taken) => taken.number === number)) this.#outbox.addChange(number);
        if (this.#book.incident(number)?.incident.resolvedAt !== null) this.#outbox.dropDeferred(number);
      }
      for (const { number, ...notice } of decided.notices) this.#outbox.addNotice(number, notice, nowMs);
      return decided;
    });
    if (outcome.dueAt !== null) this.#alarm.plan(outcome.dueAt);
    if (outcome.taken.length > 0 || outcome.changed.size > 0) this.#alarm.plan(nowMs + this.#resendMs);
    return outcome;
  }

  /**
   * Sends what is to be sent, batch by batch; what comes meanwhile goes with the next. What a queue that is away does
   * not take waits in the outbox: only the alarm, or the first event after a while, tries again.
   */
  #send(): Promise<void> {
    if (wallMs() < this.#refusedUntil) return Promise.resolve();
    this.#sending ??= this.#sendAll().finally(() => {
      this.#sending = undefined;
    });
    return this.#sending;
  }

  async #sendAll(): Promise<void> {
    for (;;) {
      const batch = this.#ctx.storage.transactionSync(() => this.#outbox.takeDue(wallMs()));
      if (batch.length === 0) return;
      try {
        await this.#env().NOTICES.sendBatch(batch.map(({ body }) => ({ body, contentType: "json" })));
        this.#refusals = 0;
      } catch (error) {
        const nowMs = wallMs();
        this.#refusedUntil = nowMs + Math.min(this.#resendMs, RETRY_MS * 2 ** this.#refusals++);
        this.#outbox.putBack(batch, nowMs);
        this.#alarm.plan(this.#refusedUntil);
        console.warn("queue refused; the outbox sends again", { zone: this.#zone, error: String(error) });
        return;
      }
    }
  }
}

const withIncident = ({ event, incident }: { event: AlertEvent; incident: string | null }) => ({
  ...event,
  incident: incident ?? "",
});
