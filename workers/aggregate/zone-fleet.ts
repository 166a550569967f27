// Events of a zone's alerts → its tenant's fleet object, while somebody watches the fleet and not otherwise.
import type { ZoneAlertEvent } from "../../schemas/message.ts";
import { wallMs } from "../clock.ts";
import type { AggregateEnv } from "./env.ts";
import { hasTable } from "./has-table.ts";

/** PERSISTED: made when the fleet is first watched, for a zone sleeps and forgets; one row a renewal. */
const TABLE = "CREATE TABLE IF NOT EXISTS fleet_lease (id INTEGER PRIMARY KEY, until_ms INTEGER NOT NULL)";

export class ZoneFleet {
  readonly #ctx: DurableObjectState;
  readonly #env: () => AggregateEnv;
  readonly #tenant: string;
  /** Until when to push; undefined: not known since the object woke. */
  #untilMs: number | undefined;
  #waiting: ZoneAlertEvent[] = [];
  #pushing = false;

  constructor(ctx: DurableObjectState, env: () => AggregateEnv, tenant: string) {
    this.#ctx = ctx;
    this.#env = env;
    this.#tenant = tenant;
  }

  lease(untilMs: number): void {
    if (untilMs === this.#until()) return;
    this.#untilMs = untilMs;
    this.#ctx.storage.sql.exec(TABLE);
    this.#ctx.storage.sql.exec(
      "INSERT INTO fleet_lease (id, until_ms) VALUES (0, ?) ON CONFLICT (id) DO UPDATE SET until_ms = excluded.until_ms",
      untilMs,
    );
  }

  /** What comes while one push is under way goes together with the next. */
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
      const exists = hasTable(sql, "fleet_lease");
      const [row] = exists
        ? sql.exec<{ until_ms: number }>("SELECT until_ms FROM fleet_lease").toArray()
        : [];
      this.#untilMs = row?.until_ms ?? 0;
    }
    return this.#untilMs;
  }
}
