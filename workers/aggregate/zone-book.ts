// A zone object's SQLite: its incidents and their alerts. Knows rows, decides nothing.
import {
  type IncidentBook,
  type IncidentRecord,
  incidentDueAt,
  type Member,
} from "../../core/alert/incident.ts";
import { isSilence } from "../../core/alert/incident-gateway.ts";
import { oldestFirst } from "../../core/alert/oldest-first.ts";
import type { Alert } from "../../schemas/alert.ts";
import { hasTable } from "./has-table.ts";

/** PERSISTED: made with the first alert; one row an incident and one an alert, no further index, so a change is one row written. */
const TABLES = [
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
];

type MemberRow = {
  incident: number;
  quiet: Member["quiet"];
  due_at: number | null;
  body: string;
};
const MEMBER = "SELECT incident, quiet, due_at, body FROM alert";

export class ZoneBook implements IncidentBook {
  readonly #sql: SqlStorage;
  #hasTables: boolean | undefined;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  /** False: the zone never had an alert, and none of the other methods may be called. */
  exists(): boolean {
    this.#hasTables ??= hasTable(this.#sql, "incident");
    return this.#hasTables;
  }

  /** To be called in a transaction; `exists` says so only when it is over. */
  create(): void {
    for (const table of TABLES) this.#sql.exec(table);
  }

  created(): void {
    this.#hasTables = true;
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

  silence(device: string): Alert | undefined {
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
      isSilence(alert) ? 1 : 0,
      quiet,
      dueAt,
      JSON.stringify(alert),
    );
  }

  // ---- what is shown, and what goes ----------------------------------------------------------------------------------

  /** The incident's alerts, or of null every active one; oldest first. */
  alerts(incident: number | null): Alert[] {
    const members =
      incident === null
        ? this.#members(`${MEMBER} WHERE is_active = 1`)
        : this.#members(`${MEMBER} WHERE incident = ?`, incident);
    return members.map(({ alert }) => alert).sort(oldestFirst);
  }

  /** A resolved incident of which nobody waits for anything goes at `goneAt`; null: not yet. */
  putGoneAt(number: number, goneAt: number | null): void {
    this.#sql.exec("UPDATE incident SET gone_at = ? WHERE number = ? AND is_open = 0", goneAt, number);
  }

  gone(nowMs: number): number[] {
    return this.#numbers("SELECT number FROM incident WHERE gone_at <= ?", nowMs);
  }

  deleteIncident(number: number): void {
    this.#sql.exec("DELETE FROM alert WHERE incident = ?", number);
    this.#sql.exec("DELETE FROM incident WHERE number = ?", number);
  }

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

/** A number never drawn before in this zone. */
export function draw(sql: SqlStorage, name: "incident" | "message"): number {
  return sql
    .exec<{ value: number }>(
      `INSERT INTO counter (name, value) VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET value = value + 1
        RETURNING value`,
      name,
    )
    .one().value;
}
