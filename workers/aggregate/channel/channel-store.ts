// A channel object's SQLite: the channel and how it does, its messages, and what it knows of incidents. Knows rows, decides nothing.

import type { Standing } from "../../../core/alert/deliver/admit.ts";
import { GIVEN_UP_AFTER_MS } from "../../../core/alert/deliver/backoff.ts";
import type { Notice } from "../../../core/alert/deliver/message.ts";
import type { Said } from "../../../core/alert/deliver/news.ts";
import type { Health, Waiting } from "../../../core/alert/deliver/next.ts";
import type { Channel, Delivery, DeliveryState } from "../../../schemas/channel.ts";
import { ObjectTables, type SchemaStep } from "../object-tables.ts";

/**
 * PERSISTED: the tables; a change is a step appended. What a message says is apart from what became of it and goes when it is
 * finished; of one that was refused it stays for a day, for the channel may be put right. `due_at` of a refused one: when it is
 * handed on again unless that is confirmed. `incident` outlives its messages: `told` 1: one that was no resolve was sent; `resolve`: the key of its
 * resolve, once that came. No index: a key costs a second row written, and there are a thousand rows to look through.
 */
const STEPS: readonly SchemaStep[] = [
  {
    name: "tables",
    statements: [
      "CREATE TABLE IF NOT EXISTS state (id INTEGER PRIMARY KEY, body TEXT NOT NULL)",
      `CREATE TABLE IF NOT EXISTS delivery (seq INTEGER PRIMARY KEY, key TEXT NOT NULL, incident TEXT NOT NULL,
    kind TEXT NOT NULL, severity TEXT NOT NULL, state TEXT NOT NULL, attempts INTEGER NOT NULL, created_at INTEGER NOT NULL,
    due_at INTEGER, finished_at INTEGER, error TEXT)`,
      "CREATE TABLE IF NOT EXISTS notice (seq INTEGER PRIMARY KEY, body TEXT NOT NULL)",
      `CREATE TABLE IF NOT EXISTS incident (incident TEXT PRIMARY KEY, told INTEGER NOT NULL, resolve TEXT,
    at INTEGER NOT NULL) WITHOUT ROWID`,
    ],
  },
  {
    // What messages told of an incident, as JSON (Said).
    name: "said",
    statements: ["ALTER TABLE incident ADD COLUMN said TEXT"],
  },
];

/** Finished messages are listed for a week; beyond so many, for the day in which a queue may bring one again. */
const LISTED_MS = 7 * 86_400_000;
const LISTED_MAX = 1_000;
const LISTED_MS_MIN = 86_400_000;
/** Of an incident that is not resolved; its resolve would be unknown here after that. */
const INCIDENT_MS = 400 * 86_400_000;

/** PERSISTED: as JSON; new fields need a default. */
interface State extends Health {
  channel: Channel | null;
  /** `createdAt` of a channel that was deleted, so that nobody with an old copy of it brings it back. */
  goneCreatedAt: number | null;
  /** Messages by what became of them, since the channel was made. */
  counts: Partial<Record<DeliveryState, number>>;
}

type Finished = Exclude<DeliveryState, "waiting" | "refused">;

type Row = {
  seq: number;
  key: string;
  incident: string;
  kind: string;
  severity: string;
  state: string;
  attempts: number;
  created_at: number;
  due_at: number | null;
  finished_at: number | null;
  error: string | null;
};

const NEW: State = { channel: null, goneCreatedAt: null, counts: {}, failures: 0, retryAt: 0 };

/** What else is known of an incident: the key of its resolve, and what was said of it; null: nothing. */
interface Known {
  resolveKey: string | null;
  said: Said | null;
}

/** Where a refused message is, which zone its incident is of, and what the receiver said when. */
interface Refused {
  seq: number;
  zone: string;
  error: string;
  refusedAt: number;
}

/** The rows of one channel's object. */
export class ChannelStore {
  readonly #storage: DurableObjectStorage;
  readonly #sql: SqlStorage;
  #state: State | undefined;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
    this.#sql = storage.sql;
    new ObjectTables(storage, { store: "channel", marker: "state", steps: STEPS }).make();
  }

  /**
   * Runs `steps` in one transaction and returns what it returns.
   * @throws what `steps` throws; nothing is written then.
   */
  together<T>(steps: () => T): T {
    try {
      return this.#storage.transactionSync(steps);
    } catch (error) {
      this.#state = undefined;
      throw error;
    }
  }

  /** The channel, how it does, and its counts. */
  get state(): Readonly<State> {
    if (this.#state === undefined) {
      const row = this.#sql.exec<{ body: string }>("SELECT body FROM state WHERE id = 0").toArray()[0];
      this.#state = { ...NEW, ...(row === undefined ? {} : (JSON.parse(row.body) as Partial<State>)) };
    }
    return this.#state;
  }

  /** When the tests that began after `sinceMs` began, ascending. */
  testsSince(sinceMs: number): number[] {
    return this.#sql
      .exec<{ at: number }>(
        "SELECT created_at AS at FROM delivery WHERE kind = 'test' AND created_at > ? ORDER BY created_at",
        sinceMs,
      )
      .toArray()
      .map(({ at }) => at);
  }

  /** Changes the fields named of the state. */
  change(change: Partial<State>): void {
    const state = { ...this.state, ...change };
    this.#sql.exec(
      "INSERT INTO state (id, body) VALUES (0, ?) ON CONFLICT (id) DO UPDATE SET body = excluded.body",
      JSON.stringify(state),
    );
    this.#state = state;
  }

  #count(state: DeliveryState): void {
    const { counts } = this.state;
    this.change({ counts: { ...counts, [state]: (counts[state] ?? 0) + 1 } });
  }

  #uncount(state: DeliveryState, messages: number): void {
    const { counts } = this.state;
    this.change({ counts: { ...counts, [state]: (counts[state] ?? 0) - messages } });
  }

  // ---- messages ----------------------------------------------------------------------------------------------------

  /** Whether a message with this key was noted, and is still listed. */
  has(key: string): boolean {
    return this.#sql.exec("SELECT 1 FROM delivery WHERE key = ? LIMIT 1", key).toArray().length > 0;
  }

  /** Notes a message. One that waits needs `notice`, what it says; one that is finished has none, and is counted. */
  add(delivery: Omit<Delivery, "finishedAt">, notice?: Notice): void {
    const { key, incident, kind, severity, state, attempts, createdAt, dueAt, error } = delivery;
    const finishedAt = state === "waiting" ? null : createdAt;
    const { seq } = this.#sql
      .exec<{ seq: number }>(
        `INSERT INTO delivery (key, incident, kind, severity, state, attempts, created_at, due_at, finished_at, error)
          VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING seq`,
        ...[key, incident, kind, severity, state, attempts, createdAt, dueAt, finishedAt, error],
      )
      .one();
    if (notice !== undefined)
      this.#sql.exec("INSERT INTO notice (seq, body) VALUES (?, ?)", seq, JSON.stringify(notice));
    if (state !== "waiting") this.#count(state);
  }

  /** Deletes a message that was dropped, because it comes again, and counts it no more. */
  unlistDropped(key: string): void {
    const { rowsWritten } = this.#sql.exec("DELETE FROM delivery WHERE key = ? AND state = 'dropped'", key);
    if (rowsWritten > 0) this.#uncount("dropped", rowsWritten);
  }

  /** The messages that wait, oldest first. */
  waiting(): Waiting[] {
    return this.#sql
      .exec<Row & { told: number }>(
        `SELECT delivery.*, coalesce(incident.told, 0) AS told FROM delivery
          LEFT JOIN incident ON incident.incident = delivery.incident WHERE state = 'waiting' ORDER BY seq`,
      )
      .toArray()
      .map(({ seq, incident, kind, attempts, due_at, told }) => ({
        seq,
        incident,
        kind,
        attempts,
        dueAt: due_at ?? 0,
        isTold: told === 1,
      }));
  }

  /** Returns a message that waits, with what it says; undefined when it is finished, or gone. */
  read(seq: number): { notice: Notice; attempts: number; createdAt: number } | undefined {
    const row = this.#sql
      .exec<{ body: string; attempts: number; created_at: number }>(
        "SELECT body, attempts, created_at FROM notice JOIN delivery USING (seq) WHERE seq = ? AND state = 'waiting'",
        seq,
      )
      .toArray()[0];
    if (row === undefined) return undefined;
    return { notice: JSON.parse(row.body) as Notice, attempts: row.attempts, createdAt: row.created_at };
  }

  /**
   * Ends a message that waits, and counts it; any other stays. `attempts` are added to those made; `error` null:
   * none.
   */
  finish(seq: number, state: Finished, nowMs: number, error: string | null, attempts = 0): void {
    const { rowsWritten } = this.#sql.exec(
      `UPDATE delivery SET state = ?, finished_at = ?, due_at = NULL, error = ?, attempts = attempts + ?
        WHERE seq = ? AND state = 'waiting'`,
      ...[state, nowMs, error, attempts, seq],
    );
    if (rowsWritten === 0) return;
    this.#sql.exec("DELETE FROM notice WHERE seq = ?", seq);
    this.#count(state);
  }

  /**
   * Notes that the receiver refused a message for good with its last attempt, and counts that; what it says is kept.
   * `handOnAt`: when it is to go to another channel, by the wall clock; null: it is not.
   */
  refuse(seq: number, nowMs: number, error: string, handOnAt: number | null): void {
    this.#sql.exec(
      `UPDATE delivery SET state = 'refused', finished_at = ?, due_at = ?, error = ?, attempts = attempts + 1
        WHERE seq = ?`,
      ...[nowMs, handOnAt, error, seq],
    );
    this.#count("refused");
  }

  /** The refused messages that are to be handed on by `nowMs`, at most a hundred. */
  refusedDue(nowMs: number): (Pick<Delivery, "key" | "incident" | "kind"> & Refused)[] {
    return this.#sql
      .exec<Row & { zone: string }>(
        `SELECT delivery.*, body ->> '$.snapshot.incident.zone' AS zone FROM delivery JOIN notice USING (seq)
          WHERE state = 'refused' AND due_at <= ? ORDER BY seq LIMIT 100`,
        nowMs,
      )
      .toArray()
      .map(({ seq, key, incident, kind, zone, error, finished_at }) => ({
        ...{ seq, key, incident, kind: kind as Delivery["kind"], zone },
        ...{ error: error ?? "", refusedAt: finished_at ?? nowMs },
      }));
  }

  /** Sets when a refused message is handed on again, by the wall clock; null: no more. */
  handOnAgain(key: string, atMs: number | null): void {
    this.#sql.exec("UPDATE delivery SET due_at = ? WHERE key = ? AND state = 'refused'", atMs, key);
  }

  /** When a refused message is next to be handed on, by the wall clock; null: none is. */
  nextHandOnAt(): number | null {
    const query = "SELECT min(due_at) AS at FROM delivery WHERE state = 'refused'";
    return this.#sql.exec<{ at: number | null }>(query).one().at;
  }

  /** Has refused messages after `sinceMs` of incidents that are not over wait again, due at `nowMs`. */
  retryRefused(sinceMs: number, nowMs: number): void {
    const { rowsWritten } = this.#sql.exec(
      `UPDATE delivery SET state = 'waiting', finished_at = NULL, due_at = ?1 WHERE state = 'refused' AND created_at > ?2
        AND seq IN (SELECT seq FROM notice)
        AND incident NOT IN (SELECT incident FROM incident WHERE resolve IS NOT NULL)`,
      ...[nowMs, sinceMs],
    );
    if (rowsWritten > 0) this.#uncount("refused", rowsWritten);
  }

  /** Notes a failed attempt, and when the next is due, by the wall clock. */
  postpone(seq: number, dueAt: number, error: string): void {
    this.#sql.exec(
      "UPDATE delivery SET due_at = ?, error = ?, attempts = attempts + 1 WHERE seq = ?",
      ...[dueAt, error, seq],
    );
  }

  /** Makes every message that waits due at `nowMs`, because the receiver is well again. */
  allDue(nowMs: number): void {
    this.#sql.exec("UPDATE delivery SET due_at = ?1 WHERE state = 'waiting' AND due_at > ?1", nowMs);
  }

  /** The numbers of the messages that wait since `beforeMs` or before. */
  waitingSince(beforeMs: number): number[] {
    const rows = this.#sql.exec<{ seq: number }>(
      "SELECT seq FROM delivery WHERE state = 'waiting' AND created_at <= ?",
      beforeMs,
    );
    return rows.toArray().map(({ seq }) => seq);
  }

  /** How many messages after `sinceMs` count against the budget: taken, not critical, and no test. */
  takenCount(sinceMs: number): number {
    return this.#sql
      .exec<{ count: number }>(
        `SELECT count(*) AS count FROM delivery WHERE created_at > ? AND severity <> 'critical' AND kind <> 'test'
          AND state IN ('waiting', 'sent')`,
        sinceMs,
      )
      .one().count;
  }

  /** The newest `limit` messages, newest first. */
  list(limit: number): Delivery[] {
    const rows = this.#sql.exec<Row>("SELECT * FROM delivery ORDER BY seq DESC LIMIT ?", limit).toArray();
    return rows.map((row) => ({
      key: row.key,
      incident: row.incident,
      kind: row.kind as Delivery["kind"],
      severity: row.severity as Delivery["severity"],
      state: row.state as DeliveryState,
      attempts: row.attempts,
      createdAt: row.created_at,
      dueAt: row.state === "waiting" ? row.due_at : null,
      finishedAt: row.finished_at,
      error: row.error,
    }));
  }

  // ---- incidents ---------------------------------------------------------------------------------------------------

  /** What is known of an incident; `running` are the messages that are being sent. */
  standing(incident: string, running: ReadonlySet<number>): Standing & Known {
    const known = this.#sql
      .exec<{ told: number; resolve: string | null; said: string | null }>(
        "SELECT told, resolve, said FROM incident WHERE incident = ?",
        incident,
      )
      .toArray()[0];
    const rows = this.#sql
      .exec<Row>("SELECT * FROM delivery WHERE incident = ? ORDER BY seq", incident)
      .toArray();
    return {
      isTold: known?.told === 1,
      isOver: known !== undefined && known.resolve !== null,
      isKnown: known?.told === 1 || rows.length > 0,
      isHeld: rows.some(({ state }) => state === "held"),
      resolveKey: known?.resolve ?? null,
      said: known === undefined || known.said === null ? null : (JSON.parse(known.said) as Said),
      waiting: rows
        .filter(({ state }) => state === "waiting")
        .map(({ seq, kind }) => ({ seq, kind, isRunning: running.has(seq) })),
    };
  }

  /** Notes that a message about the incident was sent that was no resolve, and what is said of it with that. */
  told(incident: string, said: Said, nowMs: number): void {
    this.#sql.exec(
      `INSERT INTO incident (incident, told, at, said) VALUES (?, 1, ?, ?)
        ON CONFLICT (incident) DO UPDATE SET told = 1, at = CASE told WHEN 0 THEN excluded.at ELSE at END,
          said = excluded.said`,
      ...[incident, nowMs, JSON.stringify(said)],
    );
  }

  /** The first `limit` incidents that were told and are not over, and what was said of each. */
  active(limit: number): { incident: string; said: Said }[] {
    return this.#sql
      .exec<{ incident: string; said: string }>(
        `SELECT incident, said FROM incident WHERE told = 1 AND resolve IS NULL AND said IS NOT NULL
          ORDER BY incident LIMIT ?`,
        limit,
      )
      .toArray()
      .map(({ incident, said }) => ({ incident, said: JSON.parse(said) as Said }));
  }

  /** Whether an incident was told and is not over. */
  hasActive(): boolean {
    const query = "SELECT 1 FROM incident WHERE told = 1 AND resolve IS NULL AND said IS NOT NULL LIMIT 1";
    return this.#sql.exec(query).toArray().length > 0;
  }

  /** Notes that the incident's resolve came, and its key; a second one changes nothing. */
  over(incident: string, key: string, nowMs: number): void {
    this.#sql.exec(
      `INSERT INTO incident (incident, told, resolve, at) VALUES (?, 0, ?, ?)
        ON CONFLICT (incident) DO UPDATE SET resolve = excluded.resolve, at = excluded.at WHERE resolve IS NULL`,
      ...[incident, key, nowMs],
    );
  }

  // ---- the end -----------------------------------------------------------------------------------------------------

  /** Deletes finished messages, what refused ones say, and incidents, that nobody asks for any more. */
  prune(nowMs: number): void {
    this.#sql.exec(
      "DELETE FROM notice WHERE seq IN (SELECT seq FROM delivery WHERE state = 'refused' AND created_at < ?)",
      nowMs - GIVEN_UP_AFTER_MS,
    );
    this.#sql.exec(
      `DELETE FROM delivery WHERE state <> 'waiting' AND (finished_at < ?1 OR (finished_at < ?2
        AND seq <= (SELECT seq FROM delivery ORDER BY seq DESC LIMIT 1 OFFSET ?3)))`,
      ...[nowMs - LISTED_MS, nowMs - LISTED_MS_MIN, LISTED_MAX],
    );
    this.#sql.exec(
      "DELETE FROM incident WHERE at < ?1 OR (resolve IS NOT NULL AND at < ?2)",
      ...[nowMs - INCIDENT_MS, nowMs - LISTED_MS],
    );
  }

  /** Deletes everything but the note that the channel, of this `createdAt`, was deleted; one that was made later stays. */
  forget(madeAt = this.state.channel?.createdAt): void {
    if (madeAt !== undefined && (this.state.channel?.createdAt ?? 0) > madeAt) return;
    const goneCreatedAt = madeAt ?? this.state.goneCreatedAt;
    for (const table of ["delivery", "notice", "incident"]) this.#sql.exec(`DELETE FROM ${table}`);
    this.change({ ...NEW, goneCreatedAt });
  }
}
