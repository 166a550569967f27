// The tables of one store in an object's SQLite, and the steps that brought them to what this code expects.
import { hasTable } from "./has-table.ts";

/** One change of a store's tables. PERSISTED by its name: a step that was deployed is never changed, moved or taken away. */
export interface SchemaStep {
  name: string;
  /** Run once, in order, in one transaction with the note that they were. Columns are added with a default, never changed. */
  statements: readonly string[];
}

/** PERSISTED: which steps after the first a store has taken. No row as long as there is one step only, which costs nothing. */
const NOTES = `CREATE TABLE IF NOT EXISTS schema_step
  (store TEXT NOT NULL, nth INTEGER NOT NULL, name TEXT NOT NULL, PRIMARY KEY (store, nth)) WITHOUT ROWID`;

/**
 * The tables of one store. `steps` is its append-only history; the first step makes the tables of a new object, and
 * `marker` is one of them, by which a store that has them is told from one that was never written. An object that is
 * merely asked makes none, so it leaves no trace in storage.
 */
export class ObjectTables {
  readonly #storage: DurableObjectStorage;
  readonly #store: string;
  readonly #marker: string;
  readonly #steps: readonly SchemaStep[];
  #areKnown = false;

  constructor(
    storage: DurableObjectStorage,
    { store, marker, steps }: { store: string; marker: string; steps: readonly SchemaStep[] },
  ) {
    this.#storage = storage;
    this.#store = store;
    this.#marker = marker;
    this.#steps = steps;
  }

  /**
   * Whether the store has its tables; those of an older deploy take the steps they lack first, one row written a step.
   * Asked of SQLite until it is true, and then known for as long as the object is in memory.
   * @throws Error when the steps taken are not the beginning of this code's history: it was rolled back too far, or edited.
   */
  exist(): boolean {
    if (!this.#areKnown && hasTable(this.#storage.sql, this.#marker)) {
      this.#take(this.#stepsTaken());
      this.#areKnown = true;
    }
    return this.#areKnown;
  }

  /**
   * Makes the tables where there are none, before the first row is written and in its transaction. What is rolled back
   * with that is not remembered, as long as nobody calls `exist` in the same transaction afterwards.
   */
  make(): void {
    if (!this.exist()) this.#take(0);
  }

  /** To be called when everything in the object's storage was deleted, its tables too. */
  forget(): void {
    this.#areKnown = false;
  }

  /** How many steps the store has taken, the first included. */
  #stepsTaken(): number {
    const { sql } = this.#storage;
    const noted = hasTable(sql, "schema_step")
      ? sql.exec<{ name: string }>(SELECT_NOTES, this.#store).toArray()
      : [];
    const taken = noted.map(({ name }) => name);
    const known = this.#steps.slice(1).map(({ name }) => name);
    if (taken.some((name, i) => name !== known[i])) {
      throw new Error(
        `the tables of ${this.#store} took the steps [${taken.join(", ")}], this code knows [${known.join(", ")}]: ` +
          "deploy code whose list begins with what they took",
      );
    }
    return 1 + taken.length;
  }

  #take(from: number): void {
    if (from >= this.#steps.length) return;
    const { sql } = this.#storage;
    this.#storage.transactionSync(() => {
      for (const [i, { name, statements }] of this.#steps.slice(from).entries()) {
        for (const statement of statements) sql.exec(statement);
        if (from + i === 0) continue; // having the tables is note enough
        sql.exec(NOTES);
        sql.exec(INSERT_NOTE, this.#store, from + i, name);
      }
    });
  }
}

const SELECT_NOTES = "SELECT name FROM schema_step WHERE store = ? ORDER BY nth";
const INSERT_NOTE = "INSERT INTO schema_step (store, nth, name) VALUES (?, ?, ?)";
