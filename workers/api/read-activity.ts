// Rollups in D1, and hourly files → how many readings each device of a tenant has by hour or day: the tenant's index.
import { sealedToMs } from "../../core/history/fleet-merger.ts";
import { wholeFilesFromMs } from "../../core/retention.ts";
import { alignDown, BUCKET_MS_MAX } from "../../core/window/align.ts";
import { COUNT_PLACE, FIRST_AT_PLACE } from "../../core/window/pack-summary.ts";
import { type ActivityAnswer, type ActivityQuery, RESOLUTION_MS } from "../../schemas/query.ts";
import { Problem } from "../problem.ts";
import { readSettings } from "../tenant.ts";
import { warmIndexOf, warmsOf } from "../warm.ts";
import {
  ARCHIVED_ROWS_MAX,
  type ArchivedQuestion,
  type Bucket,
  countArchived,
  findArchived,
  type Group,
  rowsByDevice,
} from "./count-archived.ts";
import type { ApiEnv } from "./env.ts";
import { rangeOf } from "./history.ts";
import { readWarmFrom } from "./read-warm.ts";
import { readDevices } from "./registry.ts";
import { fromStorage } from "./storage.ts";

/** The longest range of a question, in buckets: 31 days of hours, 92 of days. */
const BUCKETS_MAX = { "1h": 31 * 24, "1d": 92 };
/** The range unless the question says, in buckets: a day of hours, a month of days. */
const BUCKETS_ASKED = { "1h": 24, "1d": 31 };
/** Most buckets in an answer, of all its devices together. */
const BUCKETS_A_PAGE = 20_000;
/** Rollups read for a page, packed: D1 is at them for a sixth of a second, and answers nobody else meanwhile. */
const ROLLUPS_BYTES = 8_000_000;

/**
 * Returns a page of the tenant's devices by id, each with its readings by bucket; a device of which none are counted has
 * no buckets. Fewer than `limit` where the range has many buckets (20,000 an answer), its rollups are many (8 MB) or its
 * rows in the archive (200,000); of a device that alone has more of them nothing is counted, and `readings` is null. Hours
 * that have left D1 are counted from the archive's hourly files, 200 of them at most. What a device still holds unsealed is
 * not counted, nor what the archive no longer keeps, and the answer says where these begin and end. Reads a row of the
 * registry a device, one a warm database, and two for each rollup in the range: a hundred devices' day is some 5,000 rows
 * ($0.001 a million); of the archive footers twice, and of the row groups five columns. Wakes no device's object.
 * @throws Problem `invalid_query` (empty or too long a range, too many files), `unavailable`.
 */
export async function readActivity(
  env: ApiEnv,
  tenant: string,
  query: ActivityQuery,
  now: number,
): Promise<ActivityAnswer> {
  const { bucket, after, limit } = query;
  const bucketMs = RESOLUTION_MS[bucket];
  const { from = (query.to ?? now) - BUCKETS_ASKED[bucket] * bucketMs, to } = query;
  const range = rangeOf({ from, to }, now);
  const fromMs = alignDown(range.fromMs, bucketMs);
  const toMs = alignDown(range.toMs - 1, bucketMs) + bucketMs;
  const buckets = (toMs - fromMs) / bucketMs;
  if (buckets > BUCKETS_MAX[bucket]) {
    const remedy = bucket === "1h" ? "a shorter range, or for bucket 1d" : "a shorter range";
    const detail = `an answer has at most ${BUCKETS_MAX[bucket]} buckets of ${bucket} a device, not ${buckets}`;
    throw new Problem("invalid_query", `${detail}; ask for ${remedy}`);
  }
  const within = (instant: number) => Math.min(toMs, Math.max(fromMs, instant));
  const most = Math.min(limit, Math.floor(BUCKETS_A_PAGE / buckets));
  const [page, reaches] = await Promise.all([
    readDevices(env.CONTROL, tenant, { after, limit: most }),
    Promise.all(warmsOf(env).map((database) => readWarmFrom(database, tenant))),
  ]);
  const archivedToMs = within(Math.max(...reaches));
  const isArchived = archivedToMs > fromMs;
  const counted = new Counted(env, tenant, { fromMs, toMs, bucketMs, reaches: reaches.map(within) });
  const names = page.devices.map(({ device }) => device);
  const [bytes, archived, settings] = await Promise.all([
    counted.bytesOf(names),
    counted.archivedOf(names),
    isArchived ? readSettings(env.TENANT, tenant) : undefined,
  ]);
  const { alone, more } = rowsByDevice(archived);
  const isTooMuch = (device: string) =>
    (bytes.get(device) ?? 0) > ROLLUPS_BYTES || (alone.get(device) ?? 0) > ARCHIVED_ROWS_MAX;
  const costOf = (sizes: Map<string, number>) => (device: string) =>
    isTooMuch(device) ? 0 : (sizes.get(device) ?? 0);
  const taken = Math.min(
    firstOf(names, costOf(bytes), ROLLUPS_BYTES),
    firstOf(names, (device) => more.get(device) ?? 0, ARCHIVED_ROWS_MAX),
  );
  const found = await counted.bucketsOf(
    names.slice(0, taken).filter((device) => !isTooMuch(device)),
    archived,
  );
  return {
    bucket,
    fromMs,
    toMs,
    countedFromMs:
      settings === undefined ? fromMs : Math.min(archivedToMs, within(wholeFilesFromMs(settings, now))),
    archivedToMs,
    settledToMs: within(sealedToMs(now)),
    devices: page.devices.slice(0, taken).map(({ device, zone, name }) => {
      const own = found.get(device) ?? [];
      const readings = isTooMuch(device) ? null : own.reduce((sum, one) => sum + one.readings, 0);
      return { device, zone, name, readings, buckets: own };
    }),
    next: taken < names.length ? names[taken - 1]! : page.next,
  };
}

/** Returns how many of the devices fit into a page of so much at most, of which none has more. */
function firstOf(devices: readonly string[], sizeOf: (device: string) => number, most: number): number {
  let sum = 0;
  const over = devices.findIndex((device) => {
    sum += sizeOf(device);
    return sum > most;
  });
  return over < 0 ? devices.length : over;
}

interface Range {
  fromMs: number;
  toMs: number;
  bucketMs: number;
  /** From when on each warm database has the hours of the range. */
  reaches: readonly number[];
}

/** What the warm databases have of devices in a range, and of what has left them the archive. */
class Counted {
  readonly #warms: D1Database[];
  readonly #cold: R2Bucket;
  readonly #tenant: string;
  readonly #range: Range;

  constructor(env: ApiEnv, tenant: string, range: Range) {
    this.#warms = warmsOf(env);
    this.#cold = env.COLD;
    this.#tenant = tenant;
    this.#range = range;
  }

  /** Returns how long the devices' rollups are, packed. */
  async bytesOf(devices: readonly string[]): Promise<Map<string, number>> {
    const rows = await this.#ask<{ device: string; bytes: number }>(devices, SELECT_BYTES);
    return new Map(rows.map(({ device, bytes }) => [device, bytes]));
  }

  /** Returns the row groups of the archive that may have what has left the databases. */
  async archivedOf(devices: readonly string[]): Promise<Group[]> {
    const found = await Promise.all(
      this.#archived(devices).map(([warm, asked]) => findArchived(this.#warms[warm]!, this.#cold, asked)),
    );
    return found.flat();
  }

  /** Returns the devices' buckets, ascending. `archived`: the row groups that may have them, of these devices and others. */
  async bucketsOf(devices: readonly string[], archived: readonly Group[]): Promise<Map<string, Bucket[]>> {
    const { bucketMs } = this.#range;
    const [rows, ...counted] = await Promise.all([
      this.#ask<Bucket & { device: string }>(devices, SELECT_BUCKETS, bucketMs),
      ...this.#archived(devices).map(([, asked]) => countArchived(this.#cold, archived, asked, bucketMs)),
    ]);
    const buckets = new Map(counted.flatMap((own) => [...own]));
    for (const { device, ...bucket } of rows) {
      const own = buckets.get(device) ?? [];
      own.push(bucket); // a database gives up whole days: what it has comes after what the archive has
      buckets.set(device, own);
    }
    return buckets;
  }

  /** What has left each warm database, of its devices among these. */
  #archived(devices: readonly string[]): [warm: number, asked: ArchivedQuestion][] {
    const { fromMs, reaches } = this.#range;
    return [...this.#byWarm(devices)].flatMap(([warm, own]): [number, ArchivedQuestion][] =>
      reaches[warm]! > fromMs
        ? [[warm, { tenant: this.#tenant, devices: own, fromMs, toMs: reaches[warm]! }]]
        : [],
    );
  }

  #byWarm(devices: readonly string[]): Map<number, string[]> {
    const { length } = this.#warms;
    return Map.groupBy(devices, (device) => warmIndexOf(this.#tenant, device, length));
  }

  async #ask<Row>(devices: readonly string[], sql: string, ...more: number[]): Promise<Row[]> {
    const { toMs, reaches } = this.#range;
    const asked = [...this.#byWarm(devices)].map(([warm, own]) =>
      this.#warms[warm]!.prepare(sql)
        .bind(
          this.#tenant,
          JSON.stringify(own),
          reaches[warm]!,
          toMs,
          reaches[warm]! - BUCKET_MS_MAX,
          ...more,
        )
        .all<Row>(),
    );
    const answers = await fromStorage("D1", Promise.all(asked));
    return answers.flatMap(({ results }) => results);
  }
}

/** Rollups that reach into the range begin a bucket before it at most. */
const ROLLUPS = `
  FROM json_each(?2) AS name CROSS JOIN rollup ON rollup.tenant = ?1 AND rollup.device = name.value
    AND rollup.start_ms > ?5 AND rollup.start_ms < ?4 AND rollup.end_ms > ?3`;

const SELECT_BYTES = `SELECT rollup.device AS device, sum(octet_length(rollup.summaries)) AS bytes ${ROLLUPS} GROUP BY 1`;

/** What a row has of a metric is an array of its own, or one an hour. A number is bound as a float. */
const SELECT_BUCKETS = `
  SELECT rollup.device AS device,
    (hour.value ->> ${FIRST_AT_PLACE}) / CAST(?6 AS INTEGER) * CAST(?6 AS INTEGER) AS startMs,
    sum(hour.value ->> ${COUNT_PLACE}) AS readings, count(DISTINCT metric.key) AS metrics
  ${ROLLUPS}
  CROSS JOIN json_each(rollup.summaries) AS metric
  CROSS JOIN json_each(CASE json_type(metric.value, '$[0]')
    WHEN 'array' THEN metric.value ELSE '[' || metric.value || ']' END) AS hour
  WHERE hour.value ->> ${FIRST_AT_PLACE} >= ?3 AND hour.value ->> ${FIRST_AT_PLACE} < ?4
  GROUP BY 1, 2 ORDER BY 1, 2`;
