// A tenant's settings and an instant → from when on each tier keeps what it has.
import type { TenantSettings } from "../schemas/tenant.ts";
import { dateOf, monthOf } from "./archive/key.ts";
import { DAY_MS } from "./time.ts";
import { alignDown } from "./window/align.ts";

/** The hours of zones and of the fleet are few, and are kept for a year whatever the devices' are. */
const ZONE_HOURS_DAYS_MIN = 365;

/**
 * Returns the start of the first UTC day that is kept when `days` whole days are, besides the one under way; epoch
 * ms.
 */
const firstDayMs = (days: number, nowMs: number) => alignDown(nowMs - days * DAY_MS, DAY_MS);

/**
 * Returns from when on a device's object keeps raw readings, epoch ms: all within the lateness horizon, to recognise
 * duplicates, and all within `rawDays`.
 */
export const rawFromMs = ({ latenessHorizonMs, retention }: TenantSettings, nowMs: number): number =>
  nowMs - Math.max(latenessHorizonMs, retention.rawDays * DAY_MS);

/**
 * Returns the start of the UTC day from which D1 keeps hourly rollups, epoch ms: `hourlyDays`, and at least a day
 * more than readings may be late, for these change rollups.
 */
export const rollupsFromMs = ({ latenessHorizonMs, retention }: TenantSettings, nowMs: number): number =>
  firstDayMs(Math.max(retention.hourlyDays, Math.ceil(latenessHorizonMs / DAY_MS) + 1), nowMs);

/** Returns the start of the UTC day from which D1 keeps the hours of zones and of the fleet, epoch ms. */
export const zoneHoursFromMs = ({ retention }: TenantSettings, nowMs: number): number =>
  firstDayMs(Math.max(retention.hourlyDays, ZONE_HOURS_DAYS_MIN), nowMs);

/**
 * Returns the start of the UTC day from which the archive keeps files, epoch ms; null when it keeps them for ever.
 */
export const filesFromMs = ({ retention }: TenantSettings, nowMs: number): number | null =>
  retention.archiveDays === null ? null : firstDayMs(retention.archiveDays, nowMs);

/**
 * Returns from when on every reading is still held, in the archive or, within the lateness horizon, by its device; epoch
 * ms. Null: for ever.
 */
export function readingsFromMs(settings: TenantSettings, nowMs: number): number | null {
  const filesMs = filesFromMs(settings, nowMs);
  return filesMs === null ? null : Math.min(filesMs, nowMs - settings.latenessHorizonMs);
}

/**
 * Returns from when on there may be hours that were summed up, in D1 or in the hourly files, whose partitions are months;
 * epoch ms. Null: for ever.
 */
export function summedFromMs(settings: TenantSettings, nowMs: number): number | null {
  const filesMs = filesFromMs(settings, nowMs);
  if (filesMs === null) return null;
  return Math.min(rollupsFromMs(settings, nowMs), Date.parse(monthOf(dateOf(filesMs))));
}

/**
 * Returns from when on the archive has all of its files, epoch ms: of an older day, retention may just be deleting
 * them. 0 when it keeps them for ever.
 */
export const wholeFilesFromMs = ({ retention }: TenantSettings, nowMs: number): number =>
  retention.archiveDays === null ? 0 : nowMs - (retention.archiveDays - 1) * DAY_MS;
