// A channel object's SQLite: the channel and how it does, its messages, and what it knows of incidents. Knows rows, decides nothing.
import type { Notice } from "../../core/alert/deliver/message.ts";
import type { Health, Waiting } from "../../core/alert/deliver/next.ts";
import type { Standing } from "../../core/alert/deliver/take.ts";
import type { Channel, Delivery, DeliveryState } from "../../schemas/channel.ts";

/**
 * PERSISTED: the tables; columns are only added. What a message says is apart from what became of it and goes when it is
 * finished. `incident` outlives its messages: `told` 1: one that was no resolve was sent; `resolve`: the key of its
 * resolve, once that came. No index: a key costs a second row written, and there are a thousand rows to look through.
 */
const TABLES = [
  "CREATE TABLE IF NOT EXISTS state (id INTEGER PRIMARY KEY, body TEXT NOT NULL)",
  `CREATE TABLE IF NOT EXISTS delivery (seq INTEGER PRIMARY KEY, key TEXT NOT NULL, incident TEXT NOT NULL,
    kind TEXT NOT NULL, severity TEXT NOT NULL, state TEXT NOT NULL, attempts INTEGER NOT NULL, created_at INTEGER NOT NULL,
    due_at INTEGER, finished_at INTEGER, error TEXT)`,
  "CREATE TABLE IF NOT EXISTS notice (seq INTEGER PRIMARY KEY, body TEXT NOT NULL)",
  `CREATE TABLE IF NOT EXISTS incident (incident TEXT PRIMARY KEY, told INTEGER NOT NULL, resolve TEXT,
    at INTEGER NOT NULL) WITHOUT ROWID`,
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

type Finished = Exclude<DeliveryState, "waiting">;

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

export class ChannelStore {
  readonly #storage: DurableObjectStorage;
  readonly #sql: SqlStorage;
  #state: State | undefined;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
    this.#sql = storage.sql;
    for (const table of TABLES) this.#sql.exec(table);
  }

  /** All that `steps` writes, or nothing. */
  together<T>(steps: () => T): T {
    try {
      return this.#storage.transactionSync(steps);
    } catch (error) {
      this.#state = undefined;
      throw error;
    }
  }

  get state(): Readonly<State> {
    if (this.#state === undefined) {
      const row = this.#sql.exec<{ body: string }>("SELECT body FROM state WHERE id = 0").toArray()[0];
      this.#state = { ...NEW, ...(row === undefined ? {} : (JSON.parse(row.body) as Partial<State>)) };
    }
    return this.#state;
  }

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

  // ---- messages ----------------------------------------------------------------------------------------------------

  has(key: string): boolean {
    return this.#sql.exec("SELECT 1 FROM delivery WHERE key = ? LIMIT 1", key).toArray().length > 0;
  }

  /** Notes a message: one that waits with what it says, one that is finished with why. */
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

  /** Oldest first. */
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

  /** Undefined: it is finished, or gone. */
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

  /** `attempts`: how many were made since it was noted last. */
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

  /** An attempt was made, and another is due then. */
  postpone(seq: number, dueAt: number, error: string): void {
    this.#sql.exec(
      "UPDATE delivery SET due_at = ?, error = ?, attempts = attempts + 1 WHERE seq = ?",
      ...[dueAt, error, seq],
    );
  }

  /** The receiver is well again: what waits goes now. */
  allDue(nowMs: number): void {
    this.#sql.exec("UPDATE delivery SET due_at = ?1 WHERE state = 'waiting' AND due_at > ?1", nowMs);
  }

  /** What waits since before `beforeMs`. */
  waitingSince(beforeMs: number): number[] {
    const rows = this.#sql.exec<{ seq: number }>(
      "SELECT seq FROM delivery WHERE state = 'waiting' AND created_at <= ?",
      beforeMs,
    );
    return rows.toArray().map(({ seq }) => seq);
  }

  /** Messages since then that were taken and are not critical. */
  takenCount(sinceMs: number): number {
    return this.#sql
      .exec<{ count: number }>(
        `SELECT count(*) AS count FROM delivery WHERE created_at > ? AND severity <> 'critical' AND kind <> 'test'
          AND state IN ('waiting', 'sent')`,
        sinceMs,
      )
      .one().count;
  }

  /** Newest first. */
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
      dueAt: row.due_at,
      finishedAt: row.finished_at,
      error: row.error,
    }));
  }

  // ---- incidents ---------------------------------------------------------------------------------------------------

  standing(incident: string, running: ReadonlySet<number>): Standing & { resolveKey: string | null } {
    const known = this.#sql
      .exec<{ told: number; resolve: string | null }>(
        "SELECT told, resolve FROM incident WHERE incident = ?",
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
      waiting: rows
        .filter(({ state }) => state === "waiting")
        .map(({ seq, kind }) => ({ seq, kind, isRunning: running.has(seq) })),
    };
  }

  told(incident: string, nowMs: number): void {
    this.#sql.exec(
      `INSERT INTO incident (incident, told, at) VALUES (?, 1, ?)
        ON CONFLICT (incident) DO UPDATE SET told = 1, at = excluded.at WHERE told = 0`,
      ...[incident, nowMs],
    );
  }

  /** Its resolve came. */
  over(incident: string, key: string, nowMs: number): void {
    this.#sql.exec(
      `INSERT INTO incident (incident, told, resolve, at) VALUES (?, 0, ?, ?)
        ON CONFLICT (incident) DO UPDATE SET resolve = excluded.resolve, at = excluded.at WHERE resolve IS NULL`,
      ...[incident, key, nowMs],
    );
  }

  // ---- the end -----------------------------------------------------------------------------------------------------

  prune(nowMs: number): void {
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

  /** Forgets everything but that the channel is gone. */
  forget(): void {
    const goneCreatedAt = this.state.channel?.createdAt ?? this.state.goneCreatedAt;
    for (const table of ["delivery", "notice", "incident"]) this.#sql.exec(`DELETE FROM ${table}`);
    this.change({ ...NEW, goneCreatedAt });
  }
}
