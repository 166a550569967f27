// Events of a zone's alerts → its tenant's fleet object, while somebody watches the fleet and not otherwise.
import type { ZoneAlertEvent } from "../../../schemas/message.ts";
import { wallMs } from "../../clock.ts";
import type { AggregateEnv } from "../env.ts";
import { ObjectTables, type SchemaStep } from "../object-tables.ts";

/** PERSISTED: made when the fleet is first watched, for a zone sleeps and forgets; one row a renewal. A change is a step appended. */
const STEPS: readonly SchemaStep[] = [
  {
    name: "tables",
    statements: [
      "CREATE TABLE IF NOT EXISTS fleet_lease (id INTEGER PRIMARY KEY, until_ms INTEGER NOT NULL)",
    ],
  },
];

/** What one zone pushes to its tenant's fleet object. */
export class ZoneFleet {
  readonly #ctx: DurableObjectState;
  readonly #env: () => AggregateEnv;
  readonly #tenant: string;
  readonly #tables: ObjectTables;
  /** Until when to push; undefined: not known since the object woke. */
  #untilMs: number | undefined;
  #waiting: ZoneAlertEvent[] = [];
  #pushing = false;

  constructor(ctx: DurableObjectState, env: () => AggregateEnv, tenant: string) {
    this.#ctx = ctx;
    this.#env = env;
    this.#tenant = tenant;
    this.#tables = new ObjectTables(ctx.storage, {
      store: "zone-fleet",
      marker: "fleet_lease",
      steps: STEPS,
    });
  }

  /**
   * Notes that somebody watches the fleet until `untilMs`, by the wall clock; 0: nobody. One row, if it is another.
   */
  lease(untilMs: number): void {
    if (untilMs === this.#until()) return;
    this.#untilMs = untilMs;
    this.#tables.make();
    this.#ctx.storage.sql.exec(
      "INSERT INTO fleet_lease (id, until_ms) VALUES (0, ?) ON CONFLICT (id) DO UPDATE SET until_ms = excluded.until_ms",
      untilMs,
    );
  }

  /** To be called when everything in the object's storage was deleted. */
  forget(): void {
    this.#untilMs = undefined;
    this.#tables.forget();
  }

  /**
   * Pushes events while the fleet is watched; those that come during a push go together with the next. Never fails.
   */
  push(events: readonly ZoneAlertEvent[]): void {
    if (events.length === 0 || this.#until() <= wallMs()) return;
    this.#waiting.push(...events);
    if (!this.#pushing) this.#ctx.waitUntil(this.#pushAll());
  }

  async #pushAll(): Promise<void> {
    this.#pushing = true;
    try {
      while (this.#waiting.length > 0) {
        const events = this.#waiting;
        this.#waiting = [];
        const untilMs = this.#until();
        const isWatched = await this.#env().FLEET.getByName(this.#tenant).push(events);
        if (!isWatched && untilMs === this.#until()) this.lease(0); // and nobody came meanwhile
      }
    } catch (error) {
      // Who watches gets a snapshot at the next renewal.
      console.warn("fleet not told", { tenant: this.#tenant, error: String(error) });
    } finally {
      this.#pushing = false;
    }
  }

  #until(): number {
    if (this.#untilMs === undefined) {
      const { sql } = this.#ctx.storage;
      const [row] = this.#tables.exist()
        ? sql.exec<{ until_ms: number }>("SELECT until_ms FROM fleet_lease").toArray()
        : [];
      this.#untilMs = row?.until_ms ?? 0;
    }
    return this.#untilMs;
  }
}
