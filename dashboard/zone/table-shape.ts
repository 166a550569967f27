// A zone's devices → the table's columns and the order of its rows. Pure.
import type { DeviceGlance } from "../../schemas/live.ts";
import { decimalsOf } from "../base/format.ts";
import { type Presence, presenceOf } from "../live/presence.ts";

export interface MetricColumn {
  metric: string;
  deviceCount: number;
  decimals: number;
}

/** What rows are ordered by: the name, the last time heard, or a metric's value. */
export type SortKey = { by: "name" } | { by: "heard" } | { by: "metric"; metric: string };
export interface Sort {
  key: SortKey;
  descending: boolean;
}

export interface RowFilter {
  text: string;
  presence: "all" | Presence;
}

/** Columns shown before the operator chooses others, where there is room for them. */
const SHOWN_FIRST = 6;
/** As wide as the stylesheet makes them at least. */
const HEARD_WIDTH_PX = 96;
const METRIC_WIDTH_PX = 92;
const TREND_WIDTH_PX = 132;

/** What fits beside the names: how many metrics, and whether the trend does. */
export interface ColumnFit {
  metricCount: number;
  hasTrend: boolean;
}

/** Every metric of the zone: those most devices have first, then in the order devices send them, which is their makers'. */
export function metricColumns(devices: Iterable<DeviceGlance>): MetricColumn[] {
  const values = new Map<string, number[]>();
  for (const { metrics } of devices) {
    for (const [metric, { value }] of Object.entries(metrics)) {
      const known = values.get(metric);
      if (known) known.push(value);
      else values.set(metric, [value]);
    }
  }
  const columns = [...values].map(([metric, seen]) => ({
    metric,
    deviceCount: seen.length,
    decimals: decimalsOf(seen),
  }));
  return columns.sort((a, b) => b.deviceCount - a.deviceCount);
}

/** Names are cut last: before them the trend gives way, and then one metric after the other, but for the first. */
export function fitColumns(widthPx: number, nameWidthPx: number, columnCount: number): ColumnFit {
  const wanted = Math.min(SHOWN_FIRST, columnCount);
  const roomPx = widthPx - nameWidthPx - HEARD_WIDTH_PX;
  const hasTrend = roomPx - TREND_WIDTH_PX >= wanted * METRIC_WIDTH_PX;
  const fitting = Math.floor(roomPx / METRIC_WIDTH_PX);
  return { metricCount: Math.max(1, Math.min(SHOWN_FIRST, fitting)), hasTrend };
}

/** The chosen metrics that still exist, in the columns' order; with no choice the first few. */
export function shownColumns(
  columns: readonly MetricColumn[],
  chosen: readonly string[] | null,
  countMax: number = SHOWN_FIRST,
): MetricColumn[] {
  if (chosen === null) return columns.slice(0, countMax);
  return columns.filter(({ metric }) => chosen.includes(metric));
}

/** Names of the devices that pass the filter, in order; devices without a value to sort by come last either way. */
export function orderRows(
  devices: Iterable<DeviceGlance>,
  sort: Sort,
  filter: RowFilter,
  nowMs: number,
): string[] {
  const needle = filter.text.trim().toLowerCase();
  const rows: { device: string; value: number | null }[] = [];
  for (const glance of devices) {
    if (filter.presence !== "all" && presenceOf(glance, nowMs) !== filter.presence) continue;
    if (needle !== "" && !haystackOf(glance).includes(needle)) continue;
    rows.push({ device: glance.device, value: sortValue(glance, sort.key) });
  }
  const direction = sort.descending ? -1 : 1;
  rows.sort((a, b) => {
    if (sort.key.by === "name") return direction * compareNames(a.device, b.device);
    if (a.value === null || b.value === null) {
      return a.value === b.value ? compareNames(a.device, b.device) : a.value === null ? 1 : -1;
    }
    return direction * (a.value - b.value) || compareNames(a.device, b.device);
  });
  return rows.map(({ device }) => device);
}

/** A column clicked again turns round; a new one starts with what an operator looks for: A first, the latest, the highest. */
export function nextSort(current: Sort, key: SortKey): Sort {
  if (isSameKey(current.key, key)) return { key, descending: !current.descending };
  return { key, descending: key.by !== "name" };
}

export function isSameKey(a: SortKey, b: SortKey): boolean {
  return a.by === "metric" && b.by === "metric" ? a.metric === b.metric : a.by === b.by;
}

const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

/** `pump-2` before `pump-10`. */
export function compareNames(a: string, b: string): number {
  return collator.compare(a, b);
}

function sortValue(glance: DeviceGlance, key: SortKey): number | null {
  if (key.by === "name") return null;
  if (key.by === "heard") return glance.lastReceivedAt;
  return glance.metrics[key.metric]?.value ?? null;
}

function haystackOf({ device, name, model }: DeviceGlance): string {
  return `${device} ${name ?? ""} ${model ?? ""}`.toLowerCase();
}
