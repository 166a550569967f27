// A rule and a range → when it would have fired, by the same evaluation as in the device.
import { preview } from "../../core/alert/preview.ts";
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
const PACE: Pace = { readings: 100_000, firstMs: 8 * 86_400_000, hours: 0 };

/** @throws Problem `device_not_found`, `invalid_query`: there is too much to read. */
export async function previewRule(
  env: ApiEnv,
  tenant: string,
  { rule, device, from, to }: PreviewBody,
  nowMs: number,
): Promise<PreviewAnswer> {
  const toMs = Math.min(to, nowMs);
  if (from >= toMs) throw new Problem("invalid_body", `from: ${from} is yet to come; now it is ${nowMs}`);
  const { entries, partial } = await concerned(env, tenant, rule.scope, device);
  const meter = new Meter();
  const devices: PreviewAnswer["devices"] = [];
  for (const { device, zone, model, gateway } of entries) {
    const columns: Column[] = [];
    for (const metric of await metricsOf(env, tenant, device, rule.condition)) {
      columns.push(await readColumn(env, { tenant, device, metric, fromMs: from, toMs }, meter));
    }
    const subject = { device, zone, model, gateway, generation: 0 };
    devices.push({ device, episodes: preview(rule, subject, reportsOf(columns), toMs) });
  }
  return { devices, readings: meter.readings, partial };
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
  condition: Condition,
): Promise<string[]> {
  if (condition.type === "expression") return [...new Set([condition.left, condition.right])];
  if (condition.metric !== undefined) return [condition.metric];
  const latest = await env.DEVICE.getByName(`${tenant}/${device}`).latest();
  return Object.keys(latest?.metrics ?? {}).slice(0, METRICS_MAX);
}

interface Column {
  metric: string;
  at: number[];
  value: number[];
}

async function readColumn(
  env: ApiEnv,
  asked: { tenant: string; device: string; metric: string; fromMs: number; toMs: number },
  meter: Meter,
): Promise<Column> {
  const column: Column = { metric: asked.metric, at: [], value: [] };
  const series = { ...asked, resolution: "raw", pinned: undefined, pace: PACE } as const;
  for await (const { points } of readPoints(env, series, meter)) {
    for (const point of points) {
      if (!("at" in point)) continue;
      column.at.push(point.at);
      column.value.push(point.value);
    }
    if (meter.readings <= READINGS_PER_QUERY_MAX && meter.files <= FILES_PER_QUERY_MAX) continue;
    const touched = `${meter.readings} readings in ${meter.files} archive files`;
    const most = `a preview may touch ${READINGS_PER_QUERY_MAX} and ${FILES_PER_QUERY_MAX}`;
    throw new Problem(
      "invalid_query",
      `the range holds ${touched} or more; ${most}: try the rule on one device, or on a shorter range`,
    );
  }
  return column;
}

/** Readings of one instant are one report. */
function* reportsOf(columns: readonly Column[]): Generator<{ at: number; metrics: Record<string, number> }> {
  const next = columns.map(() => 0);
  for (;;) {
    const at = Math.min(...columns.map((column, i) => column.at[next[i]!] ?? Number.POSITIVE_INFINITY));
    if (at === Number.POSITIVE_INFINITY) return;
    const metrics: Record<string, number> = {};
    for (const [i, column] of columns.entries()) {
      if (column.at[next[i]!] !== at) continue;
      metrics[column.metric] = column.value[next[i]!]!;
      next[i]! += 1;
    }
    yield { at, metrics };
  }
}
