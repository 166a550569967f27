// What D1 and the archive have of a device → where it begins, and the newest reading of each metric.
import { and, asc, desc, eq, gte, isNull, lte } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import type { Rows } from "../../core/archive/layout.ts";
import { LAST_AT_PLACE, LAST_PLACE } from "../../core/window/pack-summary.ts";
import type { StoredReading } from "../../schemas/query.ts";
import { archiveFile } from "../../schemas/tables.ts";
import { openParquet, readRowGroups } from "../parquet.ts";
import { warmOf } from "../warm.ts";
import type { ApiEnv } from "./env.ts";
import { fromStorage } from "./storage.ts";

/** Files read at once: a Worker has six connections. */
const FILES_AT_ONCE = 4;
/** Hourly files opened to find a device at one end of the archive: those of four years of months. */
const FILES_MAX = 48;
const ARCHIVE_ANSWERS_MS = 20_000;

/** What storage has of a device; `fromMs` null: nothing. */
export interface Stored {
  fromMs: number | null;
  metrics: Map<string, StoredReading>;
}

type End = "oldest" | "newest";

/**
 * Returns since when storage has readings of the device, and the newest of each metric. Reads at most 25 rollups in
 * D1. Only where D1 has dropped rollups of the tenant does it look into the archive too: it reads the tenant's
 * manifest rows of one warm database, and of at most 48 hourly files at either end the footer, and a row group where
 * that may hold the device. A metric the device's newest 24 blocks do not have is not found.
 * @throws Problem `unavailable`.
 */
export async function readStored(env: ApiEnv, tenant: string, device: string): Promise<Stored> {
  const database = warmOf(env, tenant, device);
  const [first, newest, reach] = await fromStorage(
    "D1",
    database.batch<Record<string, unknown>>([
      database.prepare(SELECT_FIRST).bind(tenant, device),
      database.prepare(SELECT_NEWEST).bind(tenant, device),
      database.prepare(SELECT_REACH).bind(tenant),
    ]),
  );
  const rows = newest!.results as unknown as { metric: string; at: number; value: string }[];
  const metrics = new Map(rows.map(({ metric, at, value }) => [metric, { at, value: JSON.parse(value) }]));
  const fromMs = (first!.results[0]?.fromMs as number | null) ?? null;
  if (reach!.results.length === 0) return { fromMs, metrics };
  const [oldest, archived] = await Promise.all([
    readArchived(env, tenant, device, "oldest"),
    metrics.size > 0 ? undefined : readArchived(env, tenant, device, "newest"),
  ]);
  return {
    fromMs: least(fromMs, oldest.fromMs),
    metrics: archived?.metrics ?? metrics,
  };
}

const SELECT_FIRST = "SELECT min(start_ms) AS fromMs FROM rollup WHERE tenant = ?1 AND device = ?2";
const SELECT_REACH = "SELECT 1 FROM retained WHERE tenant = ?1 AND hourly_from_ms > 0";
/** The place of a field in what a row has of a metric: an array of its own, or the last of one an hour. */
const fieldOf = (place: number) => `
  CASE json_type(metric.value, '$[0]') WHEN 'array' THEN metric.value -> '$[#-1][${place}]'
  ELSE metric.value -> '$[${place}]' END`;
const SELECT_NEWEST = `
  SELECT metric.key AS metric, max(CAST(${fieldOf(LAST_AT_PLACE)} AS INTEGER)) AS at, ${fieldOf(LAST_PLACE)} AS value
  FROM (SELECT summaries FROM rollup WHERE tenant = ?1 AND device = ?2 ORDER BY start_ms DESC LIMIT 24) AS newest,
    json_each(newest.summaries) AS metric
  GROUP BY metric.key`;

const least = (a: number | null, b: number | null) => (a === null || b === null ? (a ?? b) : Math.min(a, b));

/**
 * Returns what the hourly files at one end of the archive have of the device; looks into at most `filesMax` of them.
 */
export async function readArchived(
  env: ApiEnv,
  tenant: string,
  device: string,
  end: End,
  filesMax = FILES_MAX,
): Promise<Stored> {
  const database = warmOf(env, tenant, device);
  const waiting = await fromStorage("D1", filesOf(database, { tenant, device, end, filesMax }));
  const hours = new Hours();
  const isWanted = ({ fromMs, toMs }: { fromMs: number; toMs: number }) =>
    end === "oldest" ? fromMs < hours.fromMs : toMs > hours.newestMs;
  while (waiting.length > 0) {
    const next = waiting.splice(0, FILES_AT_ONCE).filter(isWanted);
    if (next.length === 0) break;
    const reads = next.map(async ({ key, bytes }) => {
      const file = await openParquet(env.COLD, key, bytes);
      const filter = { device: { $eq: device } };
      for (const rows of await readRowGroups(file, COLUMNS, { filter })) hours.add(rows, device);
    });
    await fromStorage("R2", Promise.all(reads), ARCHIVE_ANSWERS_MS);
  }
  return hours.stored();
}

const COLUMNS = ["device", "metric", "start", "revision", "last", "last_at"];

/** The first hour there is, and of each metric the last, of which the highest revision counts. */
class Hours {
  fromMs = Number.POSITIVE_INFINITY;
  newestMs = Number.NEGATIVE_INFINITY;
  readonly #last = new Map<string, StoredReading & { startMs: number; revision: number }>();

  add(rows: Rows, device: string): void {
    for (const [row, owner] of rows.device!.entries()) {
      if (owner !== device) continue;
      const metric = rows.metric![row] as string;
      const [startMs, revision] = [rows.start![row] as number, rows.revision![row] as number];
      this.fromMs = Math.min(this.fromMs, startMs);
      const known = this.#last.get(metric);
      const isOlder =
        known && (known.startMs > startMs || (known.startMs === startMs && known.revision > revision));
      if (isOlder) continue;
      const at = rows.last_at![row] as number;
      this.#last.set(metric, { at, value: rows.last![row] as number, startMs, revision });
      this.newestMs = Math.max(this.newestMs, at);
    }
  }

  stored(): Stored {
    const metrics = new Map([...this.#last].map(([metric, { at, value }]) => [metric, { at, value }]));
    return { fromMs: Number.isFinite(this.fromMs) ? this.fromMs : null, metrics };
  }
}

/** Hourly files that may hold the device, from one end of the archive. */
function filesOf(
  database: D1Database,
  { tenant, device, end, filesMax }: { tenant: string; device: string; end: End; filesMax: number },
) {
  const { fromMs, toMs } = archiveFile;
  return drizzle(database)
    .select({ key: archiveFile.key, bytes: archiveFile.bytes, fromMs, toMs })
    .from(archiveFile)
    .where(
      and(
        eq(archiveFile.tenant, tenant),
        eq(archiveFile.kind, "hourly"),
        isNull(archiveFile.replacedAt),
        lte(archiveFile.minDevice, device),
        gte(archiveFile.maxDevice, device),
      ),
    )
    .orderBy(end === "oldest" ? asc(fromMs) : desc(toMs), asc(archiveFile.key))
    .limit(filesMax);
}
