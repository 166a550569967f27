// A zone object's SQLite: its member devices and whether each holds a socket. Knows rows, decides nothing.
import { hasTable } from "./has-table.ts";

/** PERSISTED: `WITHOUT ROWID`, so a change is one row written. */
const TABLE = `CREATE TABLE IF NOT EXISTS member (device TEXT PRIMARY KEY, connected INTEGER NOT NULL) WITHOUT ROWID`;

export class ZoneStore {
  readonly #sql: SqlStorage;
  #members: Map<string, boolean> | undefined;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  /** Members and whether each is connected. */
  members(): ReadonlyMap<string, boolean> {
    if (this.#members === undefined) {
      const exists = hasTable(this.#sql, "member");
      const rows = exists
        ? this.#sql
            .exec<{ device: string; connected: number }>("SELECT device, connected FROM member")
            .toArray()
        : [];
      this.#members = new Map(rows.map(({ device, connected }) => [device, connected === 1]));
    }
    return this.#members;
  }

  /** Writes only what changes. */
  put(device: string, connected: boolean): void {
    if (this.members().get(device) === connected) return;
    this.#sql.exec(TABLE);
    this.#sql.exec(
      "INSERT INTO member (device, connected) VALUES (?, ?) ON CONFLICT (device) DO UPDATE SET connected = excluded.connected",
      device,
      connected ? 1 : 0,
    );
    this.#members!.set(device, connected);
  }

  /** False: it was no member. */
  delete(device: string): boolean {
    if (!this.members().has(device)) return false;
    this.#sql.exec("DELETE FROM member WHERE device = ?", device);
    return this.#members!.delete(device);
  }
}
