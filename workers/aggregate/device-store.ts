// A device object's SQLite: one row of state, and the ring of sealed blocks. Knows rows, decides nothing.

import type { Ring, RingEntry } from "../../core/device/ring.ts";
import type { SealedBlock } from "../../core/device/seal.ts";
import { hasTable } from "./has-table.ts";

/**
 * PERSISTED: the two tables. Both have an integer key and no other index, so each statement below writes one row
 * ($1.00 a million, whatever its size); a delete is a row written too, so sealed blocks are overwritten while new ones come.
 */
const TABLES = [
  "CREATE TABLE IF NOT EXISTS state (id INTEGER PRIMARY KEY, row BLOB NOT NULL)",
  `CREATE TABLE IF NOT EXISTS ring (slot INTEGER PRIMARY KEY, start_ms INTEGER NOT NULL, end_ms INTEGER NOT NULL,
    revision INTEGER NOT NULL, bytes INTEGER NOT NULL, block BLOB NOT NULL)`,
];

const SAVE_STATE =
  "INSERT INTO state (id, row) VALUES (0, ?) ON CONFLICT (id) DO UPDATE SET row = excluded.row";
/** Not `OR REPLACE`: that deletes the old row, which counts as a second row written. */
const SAVE_BLOCK = `INSERT INTO ring (slot, start_ms, end_ms, revision, bytes, block) VALUES (?, ?, ?, ?, ?, ?)
  ON CONFLICT (slot) DO UPDATE SET start_ms = excluded.start_ms, end_ms = excluded.end_ms, revision = excluded.revision,
    bytes = excluded.bytes, block = excluded.block`;

export class DeviceStore implements Ring {
  readonly #storage: DurableObjectStorage;
  readonly #sql: SqlStorage;
  #entries: RingEntry[] | undefined;
  #hasTables = false;
  /** Rows written by `save` since the object was made, as the platform counts and bills them. */
  rowsWritten = 0;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
    this.#sql = storage.sql;
  }

  /** The state row; undefined for a device that never reported, whose object then leaves no trace. */
  load(): Uint8Array | undefined {
    if (!this.#tablesExist()) return undefined;
    const row = this.#sql.exec<{ row: ArrayBuffer }>("SELECT row FROM state WHERE id = 0").toArray()[0];
    return row === undefined ? undefined : new Uint8Array(row.row);
  }

  /**
   * One commit: the state row, one row for each block sealed with it, and one for each slot deleted that none of them
   * takes; all of them or none.
   */
  save(state: Uint8Array, sealed: readonly SealedBlock[] = [], deleted: readonly number[] = []): void {
    const hasTables = this.#tablesExist();
    const gone = deleted.filter((slot) => sealed.every((block) => block.slot !== slot));
    const rowsWritten = this.#storage.transactionSync(() => {
      if (!hasTables) for (const table of TABLES) this.#sql.exec(table);
      let rows = this.#sql.exec(SAVE_STATE, state).rowsWritten;
      for (const { slot, startMs, endMs, revision, bytes, block } of sealed) {
        rows += this.#sql.exec(SAVE_BLOCK, slot, startMs, endMs, revision, bytes, block).rowsWritten;
      }
      for (const slot of gone) rows += this.#sql.exec("DELETE FROM ring WHERE slot = ?", slot).rowsWritten;
      return rows;
    });
    this.#hasTables = true;
    this.rowsWritten += rowsWritten;
    for (const { block: _block, ...entry } of sealed) this.#note(entry);
    if (gone.length > 0) this.#entries = this.#entries?.filter(({ slot }) => !gone.includes(slot));
  }

  /** Nothing is left but this state row; no alarm either. Both are made in one turn, so they become durable together. */
  async replaceAll(state: Uint8Array): Promise<void> {
    const wiped = this.#storage.deleteAll();
    this.#entries = undefined;
    this.#hasTables = false;
    this.save(state);
    await wiped;
    await this.#storage.sync();
  }

  entries(): readonly RingEntry[] {
    if (this.#entries === undefined) {
      const rows = this.#tablesExist()
        ? this.#sql.exec<{ slot: number; start_ms: number; end_ms: number; revision: number; bytes: number }>(
            "SELECT slot, start_ms, end_ms, revision, bytes FROM ring",
          )
        : [];
      this.#entries = [...rows].map(({ slot, start_ms, end_ms, revision, bytes }) => ({
        slot,
        startMs: start_ms,
        endMs: end_ms,
        revision,
        bytes,
      }));
    }
    return this.#entries;
  }

  read(slot: number): Uint8Array {
    return new Uint8Array(
      this.#sql.exec<{ block: ArrayBuffer }>("SELECT block FROM ring WHERE slot = ?", slot).one().block,
    );
  }

  /** Sealed blocks as they were sent, to send them again. */
  readSealed(pending: readonly { slot: number }[]): SealedBlock[] {
    const slots = new Set(pending.map(({ slot }) => slot));
    if (slots.size === 0) return [];
    const entries = this.entries().filter(({ slot }) => slots.has(slot));
    return entries
      .sort((a, b) => a.startMs - b.startMs)
      .map((entry) => ({ ...entry, block: this.read(entry.slot) }));
  }

  #note(entry: RingEntry): void {
    if (this.#entries === undefined) return;
    const index = this.#entries.findIndex(({ slot }) => slot === entry.slot);
    if (index < 0) this.#entries.push(entry);
    else this.#entries[index] = entry;
  }

  #tablesExist(): boolean {
    this.#hasTables ||= hasTable(this.#sql, "ring");
    return this.#hasTables;
  }
}
