// A zone object's SQLite: its member devices and whether each holds a socket. Knows rows, decides nothing.
import { ObjectTables, type SchemaStep } from "../object-tables.ts";

/** PERSISTED: `WITHOUT ROWID`, so a change is one row written. A change of the table is a step appended. */
const STEPS: readonly SchemaStep[] = [
  {
    name: "tables",
    statements: [
      "CREATE TABLE IF NOT EXISTS member (device TEXT PRIMARY KEY, connected INTEGER NOT NULL) WITHOUT ROWID",
    ],
  },
];

/** The members of one zone. */
export class ZoneStore {
  readonly #sql: SqlStorage;
  readonly #tables: ObjectTables;
  #members: Map<string, boolean> | undefined;

  constructor(storage: DurableObjectStorage) {
    this.#sql = storage.sql;
    this.#tables = new ObjectTables(storage, { store: "zone", marker: "member", steps: STEPS });
  }

  /** The member devices, and whether each holds a socket. */
  members(): ReadonlyMap<string, boolean> {
    if (this.#members === undefined) {
      const rows = this.#tables.exist()
        ? this.#sql
            .exec<{ device: string; connected: number }>("SELECT device, connected FROM member")
            .toArray()
        : [];
      this.#members = new Map(rows.map(({ device, connected }) => [device, connected === 1]));
    }
    return this.#members;
  }

  /** Makes the device a member, or notes whether it holds a socket; writes a row only when that changes something. */
  put(device: string, connected: boolean): void {
    if (this.members().get(device) === connected) return;
    this.#tables.make();
    this.#sql.exec(
      "INSERT INTO member (device, connected) VALUES (?, ?) ON CONFLICT (device) DO UPDATE SET connected = excluded.connected",
      device,
      connected ? 1 : 0,
    );
    this.#members!.set(device, connected);
  }

  /** To be called when everything in the object's storage was deleted. */
  forget(): void {
    this.#members = undefined;
    this.#tables.forget();
  }

  /** Takes the device out. Returns false when it was no member. */
  delete(device: string): boolean {
    if (!this.members().has(device)) return false;
    this.#sql.exec("DELETE FROM member WHERE device = ?", device);
    return this.#members!.delete(device);
  }
}
