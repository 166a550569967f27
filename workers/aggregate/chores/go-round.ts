// Tenants that all have something to do → each a share of the turn, one after another, round and round until all are done.
import { MINUTE_MS } from "../../../core/time.ts";
import { wallMs } from "../../clock.ts";
import { logFailure } from "../../missing-migration.ts";
import { withDeadline } from "../../with-deadline.ts";
import type { Turn } from "./chores.ts";

/** What a chore does of one tenant after another. */
export interface Round<Place> {
  name: string;
  /** How long a tenant goes on while others wait; a step that has begun is done to its end. */
  shareMs: number;
  /** Whether the turn is over before its time; absent: it is not. */
  isOver?(): boolean;
  /** Returns the first tenant after `after` that may have something to do; null: there is none. */
  next(after: string): Promise<string | null>;
  /**
   * Takes a tenant further, from where it stopped (undefined: from the beginning), step by step until `untilMs`. Returns
   * where it stopped; undefined: nothing is left.
   */
  advance(tenant: string, place: Place | undefined, untilMs: number): Promise<Place | undefined>;
}

/** PERSISTED as the chore's cursor; one that is not of this shape begins anew. */
interface RoundCursor<Place> {
  /** The tenant that was at it last. */
  after: string;
  /** Those that had more to do than their share, and where each stopped. */
  places: [tenant: string, place: Place][];
  /** Whether this round is of all tenants, and not of those that had more to do. */
  isOfAll: boolean;
  /** When the last round of all began. */
  ofAllAt: number;
}

const D1_ANSWERS_MS = 60_000;
/** Tenants remembered that had more to do: what others have left is found again by the next round of all. */
const PLACES_MAX = 1_000;
/** While some have more to do, the others are looked at each quarter of an hour, as if nobody had. */
const OF_ALL_EVERY_MS = 15 * MINUTE_MS;

/**
 * Goes round the tenants from where the last turn stopped: a share of each, then again of those that had more to do, and
 * each quarter of an hour of all, so that who has much waits longer and nobody else does. Returns the cursor; "" when a
 * round has left nothing. A tenant whose share fails is logged, and keeps nobody from theirs: the next pass tries it again.
 * @throws when the next tenant cannot be found.
 */
export async function goRound<Place>(
  { env, cursor, untilMs }: Turn,
  { name, shareMs, isOver = () => false, next, advance }: Round<Place>,
): Promise<string> {
  const { places: saved, ...at } = parse<Place>(cursor);
  const places = new Map(saved);
  const ofAllEveryMs = env.CHORES === undefined ? OF_ALL_EVERY_MS : 0;
  for (;;) {
    const tenant = at.isOfAll ? await next(at.after) : firstAfter(places.keys(), at.after);
    if (tenant === null) {
      if (places.size === 0) return "";
      at.after = "";
      at.isOfAll = wallMs() - at.ofAllAt >= ofAllEveryMs;
      if (at.isOfAll) at.ofAllAt = wallMs();
      continue;
    }
    if (isOver() || wallMs() >= untilMs) return JSON.stringify({ ...at, places: [...places] });
    const place = places.get(tenant);
    places.delete(tenant);
    at.after = tenant;
    try {
      const stopped = await advance(tenant, place, Math.min(untilMs, wallMs() + shareMs));
      if (stopped !== undefined && places.size < PLACES_MAX) places.set(tenant, stopped);
    } catch (error) {
      logFailure(
        "error",
        "a tenant's share failed; the next pass tries again",
        { chore: name, tenant },
        error,
      );
    }
  }
}

function parse<Place>(cursor: string): RoundCursor<Place> {
  const begin = { after: "", places: [], isOfAll: true, ofAllAt: wallMs() };
  if (!cursor.startsWith("{")) return begin;
  const saved = JSON.parse(cursor) as Partial<RoundCursor<Place>>;
  return Array.isArray(saved.places) ? { ...begin, ...saved } : begin;
}

const firstAfter = (tenants: Iterable<string>, after: string): string | null =>
  [...tenants].filter((tenant) => tenant > after).sort()[0] ?? null;

/**
 * Returns the first tenant after `after` in any of the databases; null: there is none. `sql` selects it as `tenant` from
 * one of them, `after` bound as `?1`.
 * @throws when D1 fails or does not answer.
 */
export async function firstTenant(
  databases: readonly D1Database[],
  sql: string,
  ...bound: [after: string, ...more: (string | number)[]]
): Promise<string | null> {
  const asked = databases.map((database) =>
    withDeadline(
      D1_ANSWERS_MS,
      "D1",
      database
        .prepare(sql)
        .bind(...bound)
        .first<string>("tenant"),
    ),
  );
  const found = (await Promise.all(asked)).filter((tenant) => tenant !== null);
  return found.sort()[0] ?? null;
}
