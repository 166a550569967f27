// What a zone has to say → messages of the queue, each sent again until it is confirmed. Knows rows and sizes; sends nothing.
import type {
  AlertEvent,
  EventsMessage,
  Incident,
  NoticeMessage,
  QueuedNotice,
} from "../../../schemas/alert.ts";
import type { NoticeReceipt } from "../../../schemas/message.ts";
import { draw, type ZoneBook } from "./zone-book.ts";

/** The longest distance between two sendings of the same message. */
const RESEND_MS_MAX = 3_600_000;
/** As the schema of the message says. */
const EVENTS_MAX = 60;
/** A message takes at most 128 KB, `sendBatch` 256 KB and 100 messages (Queues limits, 2026-11); what changes between packing and sending fits in between. */
const MESSAGE_BYTES_MAX = 90_000;
const BATCH_BYTES_MAX = 200_000;
const BATCH_MAX = 100;

/** A message for the queue, and the key it is confirmed by. */
export interface OutgoingMessage {
  key: string;
  body: QueuedNotice;
}

/**
 * A zone's messages that are not confirmed. Its methods run in the caller's transaction, and need ZoneBook's tables.
 */
export class ZoneOutbox {
  readonly #sql: SqlStorage;
  readonly #book: ZoneBook;
  readonly #address: { tenant: string; zone: string };
  readonly #resendMs: number;

  constructor(sql: SqlStorage, book: ZoneBook, address: { tenant: string; zone: string }, resendMs: number) {
    this.#sql = sql;
    this.#book = book;
    this.#address = address;
    this.#resendMs = resendMs;
  }

  /** Notes an event of an alert for D1; `incident` null: its incident is forgotten. */
  addEvent(incident: number | null, event: AlertEvent & { incident: string }): void {
    this.#sql.exec("INSERT INTO news (incident, event) VALUES (?, ?)", incident, JSON.stringify(event));
  }

  /** Notes for D1 that an incident changed without an event of an alert. */
  addChange(incident: number): void {
    this.#sql.exec("INSERT INTO news (incident, event) VALUES (?, NULL)", incident);
  }

  /** Adds a notice about the incident `number`, to be sent at `nowMs`. */
  addNotice(
    number: number,
    notice: Omit<NoticeMessage, "version" | "type" | "tenant" | "zone">,
    nowMs: number,
  ): void {
    const body: NoticeMessage = { version: 1, type: "notice", ...this.#address, ...notice };
    this.#sql.exec(
      `INSERT INTO outbox (key, incident, kind, body, resend_at, attempts, is_deferred) VALUES (?, ?, ?, ?, ?, 0, 0)`,
      notice.key,
      number,
      notice.kind,
      JSON.stringify(body),
      nowMs,
    );
  }

  /** Drops the incident's notices that are held back, but for its resolve: they are of no use once it is over. */
  dropDeferred(incident: number): void {
    this.#sql.exec(
      "DELETE FROM outbox WHERE incident = ? AND is_deferred = 1 AND kind <> 'resolve'",
      incident,
    );
  }

  /** Returns one batch of what is due at `nowMs`, notices first, and notes it as sent; empty when nothing is due. */
  takeDue(nowMs: number): OutgoingMessage[] {
    const batch: OutgoingMessage[] = [];
    let bytes = 0;
    const put = (key: string, body: QueuedNotice): boolean => {
      bytes += bytesOf(JSON.stringify(body));
      if (batch.length > 0 && bytes > BATCH_BYTES_MAX) return false;
      return batch.push({ key, body }) > 0;
    };
    for (const { key, body, from_seq, to_seq, attempts } of this.#due(nowMs)) {
      if (!put(key, body === null ? this.#compose(key, from_seq, to_seq) : JSON.parse(body))) return batch;
      this.#sql.exec(
        "UPDATE outbox SET resend_at = ?, attempts = ?, is_deferred = 0 WHERE key = ?",
        nowMs + Math.min(RESEND_MS_MAX, this.#resendMs * 2 ** attempts),
        attempts + 1,
        key,
      );
    }
    for (let span = this.#unpackedSpan(); span && batch.length < BATCH_MAX; span = this.#unpackedSpan()) {
      const key = `events.${draw(this.#sql, "message")}`;
      if (!put(key, this.#compose(key, ...span))) return batch;
      this.#sql.exec(
        `INSERT INTO outbox (key, kind, from_seq, to_seq, resend_at, attempts, is_deferred)
          VALUES (?, 'events', ?, ?, ?, 1, 0)`,
        key,
        ...span,
        nowMs + this.#resendMs,
      );
    }
    return batch;
  }

  /** Has messages that the queue refused be sent again from `nowMs` on. */
  putBack(batch: readonly OutgoingMessage[], nowMs: number): void {
    for (const { key } of batch) {
      this.#sql.exec("UPDATE outbox SET resend_at = ?, attempts = attempts - 1 WHERE key = ?", nowMs, key);
    }
  }

  /**
   * Confirms or postpones messages. Returns the numbers of the incidents that lost a message (`concerned`), and for
   * each incident with a fire among them until when that is held back; null: it was told.
   */
  confirm(
    receipts: readonly NoticeReceipt[],
    isOver: (incident: number) => boolean,
  ): { concerned: Set<number>; fires: Map<number, number | null> } {
    const concerned = new Set<number>();
    const fires = new Map<number, number | null>();
    for (const { key, deferUntilMs } of receipts) {
      const [row] = this.#sql
        .exec<{ incident: number | null; kind: string; from_seq: number; to_seq: number }>(
          "SELECT incident, kind, from_seq, to_seq FROM outbox WHERE key = ?",
          key,
        )
        .toArray();
      if (row === undefined) continue;
      const { incident, kind, from_seq, to_seq } = row;
      const isMoot = kind !== "resolve" && incident !== null && isOver(incident);
      if (kind === "fire" && !isMoot) fires.set(incident!, deferUntilMs);
      if (deferUntilMs !== null && !isMoot) {
        this.#sql.exec(
          "UPDATE outbox SET resend_at = ?, attempts = 0, is_deferred = 1 WHERE key = ?",
          deferUntilMs,
          key,
        );
        if (kind === "update") this.#dropOtherUpdates(incident!, key);
        continue;
      }
      this.#sql.exec("DELETE FROM outbox WHERE key = ?", key);
      if (incident !== null) concerned.add(incident);
      else {
        for (const number of this.#incidentsOf(from_seq, to_seq)) concerned.add(number);
        this.#sql.exec("DELETE FROM news WHERE seq BETWEEN ? AND ?", from_seq, to_seq);
      }
    }
    return { concerned, fires };
  }

  /** Drops the incident's updates that are held back, but for the one with this key: the newest says all. */
  #dropOtherUpdates(incident: number, key: string): void {
    this.#sql.exec(
      "DELETE FROM outbox WHERE incident = ? AND is_deferred = 1 AND kind = 'update' AND key <> ?",
      incident,
      key,
    );
  }

  /** Has everything that is held back be sent at `nowMs`. */
  release(nowMs: number): void {
    this.#sql.exec("UPDATE outbox SET resend_at = ?, is_deferred = 0 WHERE is_deferred = 1", nowMs);
  }

  /** Whether something about this incident is not confirmed. */
  isWaiting(incident: number): boolean {
    const query = `SELECT EXISTS (SELECT 1 FROM outbox WHERE incident = ?1)
      OR EXISTS (SELECT 1 FROM news WHERE incident = ?1) AS waits`;
    return this.#sql.exec<{ waits: number }>(query, incident).one().waits === 1;
  }

  /** Whether an event of the device's alerts, or the resolve of one of these incidents, is not confirmed. */
  isNaming(device: string, incidents: readonly number[]): boolean {
    const query = `SELECT EXISTS (SELECT 1 FROM news WHERE event ->> '$.alert.device' = ?1)
      OR EXISTS (SELECT 1 FROM outbox WHERE kind = 'resolve' AND incident IN (SELECT value FROM json_each(?2))) AS waits`;
    return this.#sql.exec<{ waits: number }>(query, device, JSON.stringify(incidents)).one().waits === 1;
  }

  /** When a message is next to be sent, by the wall clock; null: none waits. */
  nextAt(): number | null {
    return this.#sql.exec<{ at: number | null }>("SELECT min(resend_at) AS at FROM outbox").one().at;
  }

  /** Whether there is news for D1 that is in no message yet. */
  hasNews(): boolean {
    return this.#unpacked(1).length > 0;
  }

  // ---- events ------------------------------------------------------------------------------------------------------

  #due(nowMs: number) {
    return this.#sql
      .exec<{ key: string; body: string | null; from_seq: number; to_seq: number; attempts: number }>(
        `SELECT key, body, from_seq, to_seq, attempts FROM outbox WHERE resend_at <= ?
          ORDER BY body IS NULL, resend_at, key LIMIT ?`,
        nowMs,
        BATCH_MAX,
      )
      .toArray();
  }

  /** As much of the news that no message has as fits into one; undefined: there is none. */
  #unpackedSpan(): [from: number, to: number] | undefined {
    const rows = this.#unpacked(EVENTS_MAX);
    const incidents = new Set<number>();
    let bytes = 0;
    let to: number | undefined;
    for (const { seq, incident, event } of rows) {
      bytes += event === null ? 0 : bytesOf(event);
      if (incident !== null && !incidents.has(incident)) {
        incidents.add(incident);
        bytes += bytesOf(JSON.stringify(this.#book.incident(incident)?.incident ?? null));
      }
      if (bytes > MESSAGE_BYTES_MAX && to !== undefined) break;
      to = seq;
    }
    return to === undefined ? undefined : [rows[0]!.seq, to];
  }

  #unpacked(limit: number) {
    return this.#sql
      .exec<{ seq: number; incident: number | null; event: string | null }>(
        `SELECT seq, incident, event FROM news WHERE seq > (SELECT coalesce(max(to_seq), 0) FROM outbox)
          ORDER BY seq LIMIT ?`,
        limit,
      )
      .toArray();
  }

  /** The message as it is to be sent now: its events, and their incidents as they are. */
  #compose(key: string, from: number, to: number): EventsMessage {
    const events = this.#sql
      .exec<{ event: string }>(
        "SELECT event FROM news WHERE seq BETWEEN ? AND ? AND event IS NOT NULL ORDER BY seq",
        from,
        to,
      )
      .toArray();
    return {
      version: 1,
      type: "events",
      ...this.#address,
      key,
      events: events.map(({ event }) => JSON.parse(event)),
      incidents: this.#incidentsOf(from, to)
        .map((number) => this.#book.incident(number)?.incident)
        .filter((incident): incident is Incident => incident !== undefined),
    };
  }

  #incidentsOf(from: number, to: number): number[] {
    return this.#sql
      .exec<{ incident: number }>(
        "SELECT DISTINCT incident FROM news WHERE seq BETWEEN ? AND ? AND incident IS NOT NULL ORDER BY incident",
        from,
        to,
      )
      .toArray()
      .map(({ incident }) => incident);
  }
}

const encoder = new TextEncoder();
const bytesOf = (text: string) => encoder.encode(text).length;
