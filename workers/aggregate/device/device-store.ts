// A device object's SQLite: one row of state, and the ring of sealed blocks. Knows rows, decides nothing.

import type { Ring, RingEntry } from "../../../core/device/ring.ts";
import type { SealedBlock } from "../../../core/device/seal.ts";
import { ObjectTables, type SchemaStep } from "../object-tables.ts";

/**
 * PERSISTED: the two tables; a change is a step appended. Both have an integer key and no other index, so each statement
 * below writes one row ($1.00 a million, whatever its size); a delete is a row written too, so sealed blocks are
 * overwritten while new ones come.
 */
const STEPS: readonly SchemaStep[] = [
  {
    name: "tables",
    statements: [
      "CREATE TABLE IF NOT EXISTS state (id INTEGER PRIMARY KEY, row BLOB NOT NULL)",
      `CREATE TABLE IF NOT EXISTS ring (slot INTEGER PRIMARY KEY, start_ms INTEGER NOT NULL, end_ms INTEGER NOT NULL,
        revision INTEGER NOT NULL, bytes INTEGER NOT NULL, block BLOB NOT NULL)`,
    ],
  },
];

const SAVE_STATE =
  "INSERT INTO state (id, row) VALUES (0, ?) ON CONFLICT (id) DO UPDATE SET row = excluded.row";
/** Not `OR REPLACE`: that deletes the old row, which counts as a second row written. */
const SAVE_BLOCK = `INSERT INTO ring (slot, start_ms, end_ms, revision, bytes, block) VALUES (?, ?, ?, ?, ?, ?)
  ON CONFLICT (slot) DO UPDATE SET start_ms = excluded.start_ms, end_ms = excluded.end_ms, revision = excluded.revision,
    bytes = excluded.bytes, block = excluded.block`;

/** The rows of one device object. */
export class DeviceStore implements Ring {
  readonly #storage: DurableObjectStorage;
  readonly #sql: SqlStorage;
  readonly #tables: ObjectTables;
  #entries: RingEntry[] | undefined;
  /** Rows written by `save` since the object was made, as the platform counts and bills them. */
  rowsWritten = 0;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
    this.#sql = storage.sql;
    this.#tables = new ObjectTables(storage, { store: "device", marker: "ring", steps: STEPS });
  }

  /** Returns the state row; undefined when none was ever written. Makes no table. */
  load(): Uint8Array | undefined {
    if (!this.#tables.exist()) return undefined;
    const row = this.#sql.exec<{ row: ArrayBuffer }>("SELECT row FROM state WHERE id = 0").toArray()[0];
    return row === undefined ? undefined : new Uint8Array(row.row);
  }

  /**
   * Writes the state row, one row for each sealed block, and deletes each slot of `deleted` that no sealed block
   * takes: all in one transaction.
   * @throws what the storage throws; nothing is written then.
   */
  save(state: Uint8Array, sealed: readonly SealedBlock[] = [], deleted: readonly number[] = []): void {
    const gone = deleted.filter((slot) => sealed.every((block) => block.slot !== slot));
    const rowsWritten = this.#storage.transactionSync(() => {
      this.#tables.make();
      let rows = this.#sql.exec(SAVE_STATE, state).rowsWritten;
      for (const { slot, startMs, endMs, revision, bytes, block } of sealed) {
        rows += this.#sql.exec(SAVE_BLOCK, slot, startMs, endMs, revision, bytes, block).rowsWritten;
      }
      for (const slot of gone) rows += this.#sql.exec("DELETE FROM ring WHERE slot = ?", slot).rowsWritten;
      return rows;
    });
    this.rowsWritten += rowsWritten;
    for (const { block: _block, ...entry } of sealed) this.#note(entry);
    if (gone.length > 0) this.#entries = this.#entries?.filter(({ slot }) => !gone.includes(slot));
  }

  /**
   * Deletes everything, the alarm too, and writes this state row, if there is one; both become durable together, which is
   * when it resolves.
   */
  async replaceAll(state?: Uint8Array): Promise<void> {
    const wiped = this.#storage.deleteAll();
    this.#entries = undefined;
    this.#tables.forget();
    if (state !== undefined) this.save(state);
    await wiped;
    await this.#storage.sync();
  }

  /** The sealed blocks in the ring, without their bytes, in no order. */
  entries(): readonly RingEntry[] {
    if (this.#entries === undefined) {
      const rows = this.#tables.exist()
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

  /** Returns the block in a slot. @throws when the slot is empty. */
  read(slot: number): Uint8Array {
    return new Uint8Array(
      this.#sql.exec<{ block: ArrayBuffer }>("SELECT block FROM ring WHERE slot = ?", slot).one().block,
    );
  }

  /** Returns the blocks in these slots as they were sealed, oldest first; an empty slot is left out. */
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
}
