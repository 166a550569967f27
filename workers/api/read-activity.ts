// Rollups in D1 → how many readings each device of a tenant has by hour or day: the tenant's index. Wakes no object.
import { sealedToMs } from "../../core/history/fleet-merger.ts";
import { alignDown, BUCKET_MS_MAX } from "../../core/window/align.ts";
import { COUNT_PLACE, FIRST_AT_PLACE } from "../../core/window/pack-summary.ts";
import { type ActivityAnswer, type ActivityQuery, RESOLUTION_MS } from "../../schemas/query.ts";
import { Problem } from "../problem.ts";
import { warmIndexOf, warmsOf } from "../warm.ts";
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

type Bucket = ActivityAnswer["devices"][number]["buckets"][number];

/**
 * Returns a page of the tenant's devices by id, each with its readings by bucket; a device of which none are counted has
 * no buckets. Fewer than `limit` where the range has many buckets (20,000 an answer) or its rollups are many (8 MB); of a
 * device that alone has more of them nothing is counted, and `readings` is null. Only
 * what D1 has is counted: not what a device still holds unsealed, nor hours older than D1 keeps, and the answer says where
 * these begin and end. Reads a row of the registry a device, one a warm database, and two for each rollup in the range: a
 * hundred devices' day is some 5,000 rows ($0.001 a million). Wakes no object.
 * @throws Problem `invalid_query` (empty or too long a range), `unavailable`.
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
  const most = Math.min(limit, Math.floor(BUCKETS_A_PAGE / buckets));
  const page = await readDevices(env.CONTROL, tenant, { after, limit: most });
  const counted = new Counted(env, tenant, { fromMs, toMs, bucketMs });
  const names = page.devices.map(({ device }) => device);
  const [bytes, reaches] = await Promise.all([
    counted.bytesOf(names),
    Promise.all(warmsOf(env).map((database) => readWarmFrom(database, tenant))),
  ]);
  const isTooMuch = (device: string) => (bytes.get(device) ?? 0) > ROLLUPS_BYTES;
  const taken = firstOf(names, (device) => (isTooMuch(device) ? 0 : (bytes.get(device) ?? 0)));
  const found = await counted.bucketsOf(names.slice(0, taken).filter((device) => !isTooMuch(device)));
  return {
    bucket,
    fromMs,
    toMs,
    countedFromMs: Math.min(toMs, Math.max(fromMs, ...reaches)),
    settledToMs: Math.min(toMs, Math.max(fromMs, sealedToMs(now))),
    devices: page.devices.slice(0, taken).map(({ device, zone, name }) => {
      const own = found.get(device) ?? [];
      const readings = isTooMuch(device) ? null : own.reduce((sum, one) => sum + one.readings, 0);
      return { device, zone, name, readings, buckets: own };
    }),
    next: taken < names.length ? names[taken - 1]! : page.next,
  };
}

/** Returns how many of the devices fit into a page by their rollups, of which none has more than a page. */
function firstOf(devices: readonly string[], bytesOf: (device: string) => number): number {
  let sum = 0;
  const over = devices.findIndex((device) => {
    sum += bytesOf(device);
    return sum > ROLLUPS_BYTES;
  });
  return over < 0 ? devices.length : over;
}

/** What the warm databases have of devices in a range. */
class Counted {
  readonly #warms: D1Database[];
  readonly #tenant: string;
  readonly #range: { fromMs: number; toMs: number; bucketMs: number };

  constructor(env: ApiEnv, tenant: string, range: { fromMs: number; toMs: number; bucketMs: number }) {
    this.#warms = warmsOf(env);
    this.#tenant = tenant;
    this.#range = range;
  }

  /** Returns how long the devices' rollups are, packed. */
  async bytesOf(devices: readonly string[]): Promise<Map<string, number>> {
    const rows = await this.#ask<{ device: string; bytes: number }>(devices, SELECT_BYTES);
    return new Map(rows.map(({ device, bytes }) => [device, bytes]));
  }

  /** Returns the devices' buckets, ascending. */
  async bucketsOf(devices: readonly string[]): Promise<Map<string, Bucket[]>> {
    const rows = await this.#ask<Bucket & { device: string }>(devices, SELECT_BUCKETS, this.#range.bucketMs);
    const buckets = new Map<string, Bucket[]>();
    for (const [device, own] of Map.groupBy(rows, ({ device }) => device))
      buckets.set(
        device,
        own.map(({ device: _device, ...bucket }) => bucket),
      );
    return buckets;
  }

  async #ask<Row>(devices: readonly string[], sql: string, ...more: number[]): Promise<Row[]> {
    const { fromMs, toMs } = this.#range;
    const { length } = this.#warms;
    const byWarm = Map.groupBy(devices, (device) => warmIndexOf(this.#tenant, device, length));
    const asked = [...byWarm].map(([warm, own]) =>
      this.#warms[warm]!.prepare(sql)
        .bind(this.#tenant, JSON.stringify(own), fromMs, toMs, fromMs - BUCKET_MS_MAX, ...more)
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
