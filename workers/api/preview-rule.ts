// A rule and a range → when it would have fired, by the same evaluation as in the device.
import { preview } from "../../core/alert/preview.ts";
import { READINGS } from "../../core/history/windows.ts";
import type { Condition } from "../../schemas/alert.ts";
import { PREVIEWED_MAX, type PreviewAnswer, type PreviewBody } from "../../schemas/alert-http.ts";
import { FILES_PER_QUERY_MAX, READINGS_PER_QUERY_MAX } from "../../schemas/limits.ts";
import type { DeviceEntry } from "../../schemas/query.ts";
import { Problem } from "../problem.ts";
import type { ApiEnv } from "./env.ts";
import { Meter, type Pace, readPoints } from "./read-points.ts";
import { readDevice, readScopedDevices } from "./registry.ts";

/** What a device reports says that it is there: of one without a metric as many are asked for. */
const METRICS_MAX = 10;
const PACE: Pace = { readings: 10_000, firstMs: 6 * 3_600_000, hours: 0 };
/** Readings that a rule is tried on at most, which takes an API isolate's one thread less than a second. */
const READINGS_MAX = 50_000;

/**
 * Says what a rule would have done over a past range. At most 50,000 readings are looked at, the first ones, shared out
 * evenly among the devices and their metrics: `leftOut` says what of the range each device was not tried on.
 * @throws Problem `device_not_found`, or `invalid_query`: there is too much to read.
 */
export async function previewRule(
  env: ApiEnv,
  tenant: string,
  { rule, device, from, to }: PreviewBody,
  nowMs: number,
): Promise<PreviewAnswer> {
  if (rule.condition.type === "hot") {
    throw new Problem(
      "invalid_body",
      `rule.condition.type: "hot" cannot be previewed: it is judged by how many reports come, refused ones too, which history does not keep; GET /v1/devices?hot=true lists who is hot now`,
    );
  }
  const toMs = Math.min(to, nowMs);
  if (from >= toMs) throw new Problem("invalid_body", `from: ${from} is yet to come; now it is ${nowMs}`);
  const { entries, partial } = await concerned(env, tenant, rule.scope, device);
  const meter = new Meter();
  const devices: PreviewAnswer["devices"] = [];
  const leftOut: PreviewAnswer["leftOut"] = [];
  let readingsLeft = READINGS_MAX;
  for (const [nth, { device, zone, model, gateway }] of entries.entries()) {
    const metrics = await metricsOf(env, tenant, device, rule.condition);
    const share = Math.floor(readingsLeft / (entries.length - nth));
    const columns: Column[] = [];
    let triedToMs = toMs;
    for (const [i, metric] of metrics.entries()) {
      const read = columns.reduce((sum, { at }) => sum + at.length, 0);
      const most = Math.floor((share - read) / (metrics.length - i));
      const column = await readColumn(
        env,
        { tenant, device, metric, fromMs: from, toMs: triedToMs },
        most,
        meter,
      );
      columns.push(column);
      triedToMs = Math.min(triedToMs, column.readToMs);
    }
    readingsLeft -= columns.reduce((sum, { at }) => sum + at.length, 0);
    if (triedToMs < toMs) leftOut.push({ device, fromMs: triedToMs, toMs });
    const subject = { device, zone, model, gateway, generation: 0 };
    devices.push({ device, episodes: preview(rule, subject, reportsOf(columns, triedToMs), triedToMs) });
  }
  return { devices, readings: READINGS_MAX - readingsLeft, partial, leftOut };
}

/** The devices to try it on, by name, and whether there are more. */
async function concerned(
  env: ApiEnv,
  tenant: string,
  scope: PreviewBody["rule"]["scope"],
  asked: string | undefined,
): Promise<{ entries: DeviceEntry[]; partial: boolean }> {
  const device = asked ?? scope.device;
  if (device === undefined) {
    const found = await readScopedDevices(env.CONTROL, tenant, scope, PREVIEWED_MAX + 1);
    return { entries: found.slice(0, PREVIEWED_MAX), partial: found.length > PREVIEWED_MAX };
  }
  const entry = await readDevice(env.CONTROL, tenant, device);
  if (entry !== undefined) return { entries: [entry], partial: false };
  throw new Problem("device_not_found", `no device ${device} has reported or is registered`);
}

async function metricsOf(
  env: ApiEnv,
  tenant: string,
  device: string,
  condition: Exclude<Condition, { type: "hot" }>,
): Promise<string[]> {
  if (condition.type === "expression") return [...new Set([condition.left, condition.right])];
  if (condition.metric !== undefined) return [condition.metric];
  const latest = await env.DEVICE.getByName(`${tenant}/${device}`).latest();
  return Object.keys(latest?.metrics ?? {}).slice(0, METRICS_MAX);
}

interface Column {
  metric: string;
  /** Up to which instant it is whole. */
  readToMs: number;
  at: number[];
  value: number[];
}

async function readColumn(
  env: ApiEnv,
  asked: { tenant: string; device: string; metric: string; fromMs: number; toMs: number },
  most: number,
  meter: Meter,
): Promise<Column> {
  const column: Column = { metric: asked.metric, readToMs: asked.toMs, at: [], value: [] };
  const series = { ...asked, windows: READINGS, pinned: undefined, pace: PACE };
  for await (const { points } of readPoints(env, series, meter)) {
    for (const point of points) {
      if (!("at" in point)) continue;
      if (column.at.length >= most) {
        column.readToMs = point.at;
        return column;
      }
      column.at.push(point.at);
      column.value.push(point.value);
    }
    if (meter.readings <= READINGS_PER_QUERY_MAX && meter.files <= FILES_PER_QUERY_MAX) continue;
    const touched = `${meter.readings} readings in ${meter.files} archive files`;
    const allowed = `a preview may touch ${READINGS_PER_QUERY_MAX} and ${FILES_PER_QUERY_MAX}`;
    throw new Problem(
      "invalid_query",
      `the range holds ${touched} or more; ${allowed}: try the rule on one device, or on a shorter range`,
    );
  }
  return column;
}

/** Readings of one instant are one report; those from `toMs` on are in none. */
function* reportsOf(
  columns: readonly Column[],
  toMs: number,
): Generator<{ at: number; metrics: Record<string, number> }> {
  const next = columns.map(() => 0);
  for (;;) {
    const at = Math.min(...columns.map((column, i) => column.at[next[i]!] ?? Number.POSITIVE_INFINITY));
    if (at >= toMs) return;
    const metrics: Record<string, number> = {};
    for (const [i, column] of columns.entries()) {
      if (column.at[next[i]!] !== at) continue;
      metrics[column.metric] = column.value[next[i]!]!;
      next[i]! += 1;
    }
    yield { at, metrics };
  }
}
