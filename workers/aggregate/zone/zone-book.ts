// A zone object's SQLite: its incidents and their alerts. Knows rows, decides nothing.
import {
  type IncidentBook,
  type IncidentRecord,
  incidentDueAt,
  type Member,
} from "../../../core/alert/incident.ts";
import { isNoData } from "../../../core/alert/incident-gateway.ts";
import { oldestFirst } from "../../../core/alert/oldest-first.ts";
import type { Alert } from "../../../schemas/alert.ts";
import { lifeOfAlert } from "../life-of-alert.ts";
import { ObjectTables, type SchemaStep } from "../object-tables.ts";

/** PERSISTED: made with the first alert; one row an incident and one an alert, no further index, so a change is one row written. A change of a table is a step appended. */
const STEPS: readonly SchemaStep[] = [
  {
    name: "tables",
    statements: [
      `CREATE TABLE IF NOT EXISTS incident (number INTEGER PRIMARY KEY, rule TEXT NOT NULL, is_open INTEGER NOT NULL,
    due_at INTEGER, gone_at INTEGER, body TEXT NOT NULL)`,
      `CREATE TABLE IF NOT EXISTS alert (id TEXT PRIMARY KEY, incident INTEGER NOT NULL, device TEXT NOT NULL, gateway TEXT,
    is_active INTEGER NOT NULL, is_silence INTEGER NOT NULL, quiet TEXT, due_at INTEGER, body TEXT NOT NULL) WITHOUT ROWID`,
      "CREATE TABLE IF NOT EXISTS counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID",
      // What D1 has yet to learn, in order: an event, or (null) only that the incident changed.
      "CREATE TABLE IF NOT EXISTS news (seq INTEGER PRIMARY KEY, incident INTEGER, event TEXT)",
      // What the queue was or will be given: a notice, or the news of `from_seq` to `to_seq`.
      `CREATE TABLE IF NOT EXISTS outbox (key TEXT PRIMARY KEY, incident INTEGER, kind TEXT NOT NULL, body TEXT,
    from_seq INTEGER, to_seq INTEGER, resend_at INTEGER NOT NULL, attempts INTEGER NOT NULL,
    is_deferred INTEGER NOT NULL) WITHOUT ROWID`,
    ],
  },
];

/** PERSISTED: made with the first deletion; one row a deleted device. */
const ENDED_STEPS: readonly SchemaStep[] = [
  {
    name: "tables",
    statements: [
      "CREATE TABLE IF NOT EXISTS ended (device TEXT PRIMARY KEY, generation INTEGER NOT NULL) WITHOUT ROWID",
    ],
  },
];
const OF_LIVES = `device = ?1 AND ${lifeOfAlert("id")} <= ?2`;

type MemberRow = {
  incident: number;
  quiet: Member["quiet"];
  due_at: number | null;
  body: string;
};
const MEMBER = "SELECT incident, quiet, due_at, body FROM alert";

/** The rows of one zone's incidents and alerts. */
export class ZoneBook implements IncidentBook {
  readonly #sql: SqlStorage;
  readonly #tables: ObjectTables;
  readonly #ended: ObjectTables;

  constructor(storage: DurableObjectStorage) {
    this.#sql = storage.sql;
    this.#tables = new ObjectTables(storage, { store: "zone-book", marker: "incident", steps: STEPS });
    this.#ended = new ObjectTables(storage, { store: "zone-ended", marker: "ended", steps: ENDED_STEPS });
  }

  /** Whether the zone ever had an alert; until then no other method but `create` may be called. */
  exists(): boolean {
    return this.#tables.exist();
  }

  /** To be called when everything in the object's storage was deleted. */
  forgetAll(): void {
    this.#tables.forget();
    this.#ended.forget();
  }

  /** Makes the tables, in the transaction of the first rows. */
  create(): void {
    this.#tables.make();
  }

  // ---- what the incidents are decided from ---------------------------------------------------------------------------

  draw(): number {
    return draw(this.#sql, "incident");
  }

  incident(number: number): IncidentRecord | undefined {
    const row = this.#sql.exec<{ body: string }>("SELECT body FROM incident WHERE number = ?", number);
    const [found] = row.toArray();
    return found && (JSON.parse(found.body) as IncidentRecord);
  }

  open(rule: string): number[] {
    return this.#numbers("SELECT number FROM incident WHERE rule = ? AND is_open = 1", rule).reverse();
  }

  member(alert: string): Member | undefined {
    return this.#members(`${MEMBER} WHERE id = ?`, alert)[0];
  }

  noDataAlert(device: string): Alert | undefined {
    const where = "WHERE device = ? AND is_silence = 1 AND is_active = 1 LIMIT 1";
    return this.#members(`${MEMBER} ${where}`, device)[0]?.alert;
  }

  quietBehind(gateway: string): Member[] {
    return this.#members(`${MEMBER} WHERE gateway = ? AND quiet IS NOT NULL`, gateway);
  }

  due(nowMs: number): { members: Member[]; incidents: number[] } {
    return {
      members: this.#members(`${MEMBER} WHERE due_at <= ?`, nowMs),
      incidents: this.#numbers("SELECT number FROM incident WHERE due_at <= ?", nowMs),
    };
  }

  putIncident(record: IncidentRecord): void {
    const { number, incident } = record;
    this.#sql.exec(
      `INSERT INTO incident (number, rule, is_open, due_at, body) VALUES (?, ?, ?, ?, ?) ON CONFLICT (number) DO UPDATE
        SET rule = excluded.rule, is_open = excluded.is_open, due_at = excluded.due_at, body = excluded.body`,
      number,
      incident.rule.id,
      incident.resolvedAt === null ? 1 : 0,
      incidentDueAt(record),
      JSON.stringify(record),
    );
  }

  putMember({ alert, incident, quiet, dueAt }: Member): void {
    this.#sql.exec(
      `INSERT INTO alert (id, incident, device, gateway, is_active, is_silence, quiet, due_at, body)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE
        SET is_active = excluded.is_active, quiet = excluded.quiet, due_at = excluded.due_at, body = excluded.body`,
      alert.id,
      incident,
      alert.device,
      alert.gateway,
      alert.resolvedAt === null ? 1 : 0,
      isNoData(alert) ? 1 : 0,
      quiet,
      dueAt,
      JSON.stringify(alert),
    );
  }

  isEnded({ id, device }: Alert): boolean {
    if (!this.#ended.exist()) return false;
    const query = `SELECT 1 FROM ended WHERE device = ?1 AND generation >= ${lifeOfAlert("?2")}`;
    return this.#sql.exec(query, device, id).toArray().length > 0;
  }

  // ---- what is shown, and what goes ----------------------------------------------------------------------------------

  /** Returns the incident's alerts, or with null every active alert of the zone; oldest first. */
  alerts(incident: number | null): Alert[] {
    const members =
      incident === null
        ? this.#members(`${MEMBER} WHERE is_active = 1`)
        : this.#members(`${MEMBER} WHERE incident = ?`, incident);
    return members.map(({ alert }) => alert).sort(oldestFirst);
  }

  /** The ids of the incident's members that are muted. */
  muted(incident: number): string[] {
    const rows = this.#sql.exec<{ id: string }>(
      "SELECT id FROM alert WHERE incident = ? AND quiet = 'muted'",
      incident,
    );
    return rows.toArray().map(({ id }) => id);
  }

  /** Sets when a resolved incident is to be deleted, by the wall clock; null: not yet. An open one stays as it is. */
  putGoneAt(number: number, goneAt: number | null): void {
    this.#sql.exec("UPDATE incident SET gone_at = ? WHERE number = ? AND is_open = 0", goneAt, number);
  }

  /** The numbers of the incidents that are to be deleted by `nowMs`. */
  gone(nowMs: number): number[] {
    return this.#numbers("SELECT number FROM incident WHERE gone_at <= ?", nowMs);
  }

  /** Deletes an incident and its alerts. */
  deleteIncident(number: number): void {
    this.#sql.exec("DELETE FROM alert WHERE incident = ?", number);
    this.#sql.exec("DELETE FROM incident WHERE number = ?", number);
  }

  /** Whether an alert of the device's lives up to `generation` is active, or waits for its time. */
  isAwaited(device: string, generation: number): boolean {
    const query = `SELECT 1 FROM alert WHERE ${OF_LIVES} AND (is_active = 1 OR due_at IS NOT NULL) LIMIT 1`;
    return this.#sql.exec(query, device, generation).toArray().length > 0;
  }

  /** The numbers of the incidents that have alerts of the device's lives up to `generation`, ascending. */
  incidentsOf(device: string, generation: number): number[] {
    const rows = this.#sql.exec<{ incident: number }>(
      `SELECT DISTINCT incident FROM alert WHERE ${OF_LIVES} ORDER BY incident`,
      ...[device, generation],
    );
    return rows.toArray().map(({ incident }) => incident);
  }

  /**
   * Deletes the alerts of the device's lives up to `generation` and takes no more of them; incidents count them
   * nameless.
   */
  forget(device: string, generation: number): void {
    this.#ended.make();
    this.#sql.exec(
      `INSERT INTO ended (device, generation) VALUES (?, ?) ON CONFLICT (device) DO UPDATE
        SET generation = max(generation, excluded.generation)`,
      ...[device, generation],
    );
    for (const number of this.incidentsOf(device, generation)) {
      const { rowsWritten } = this.#sql.exec(
        `DELETE FROM alert WHERE ${OF_LIVES} AND incident = ?3`,
        ...[device, generation, number],
      );
      const record = this.incident(number)!;
      this.putIncident({ ...record, nameless: (record.nameless ?? 0) + rowsWritten });
    }
  }

  /** When an incident or alert is next due or to be deleted, by the wall clock; null: none. */
  nextAt(): number | null {
    return this.#sql
      .exec<{ at: number | null }>(
        `SELECT min(at) AS at FROM (SELECT min(due_at) AS at FROM incident UNION ALL SELECT min(gone_at) FROM incident
          UNION ALL SELECT min(due_at) FROM alert)`,
      )
      .one().at;
  }

  #members(query: string, ...bindings: unknown[]): Member[] {
    return this.#sql
      .exec<MemberRow>(query, ...bindings)
      .toArray()
      .map(({ incident, quiet, due_at, body }) => ({
        alert: JSON.parse(body),
        incident,
        quiet,
        dueAt: due_at,
      }));
  }

  #numbers(query: string, ...bindings: unknown[]): number[] {
    const rows = this.#sql.exec<{ number: number }>(`${query} ORDER BY number`, ...bindings).toArray();
    return rows.map(({ number }) => number);
  }
}

/** Returns a number never drawn under this name before in this zone, ascending. */
export function draw(sql: SqlStorage, name: "incident" | "message"): number {
  return sql
    .exec<{ value: number }>(
      `INSERT INTO counter (name, value) VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET value = value + 1
        RETURNING value`,
      name,
    )
    .one().value;
}
