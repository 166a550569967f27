// Where a page of points ended ↔ the text by which the next page is asked for.
import { AT_MICROSECONDS_ABOVE } from "../../schemas/limits.ts";
import { timeZone as timeZoneName } from "../../schemas/name.ts";
import { RESOLUTION_MS } from "../../schemas/query.ts";
import type { Windows } from "./windows.ts";

/**
 * Where a page of points ended, by instants, so that readings stored meanwhile shift nothing. It carries what `auto`
 * and an absent `to` meant for the first page, and its time zone.
 */
export interface Cursor {
  resolution: Windows["resolution"];
  /** Earlier pages have every point before this instant, epoch ms. */
  fromMs: number;
  toMs: number;
  timeZone?: string | undefined;
}

/**
 * Returns the text that a cursor is in a URL.
 * @example cursorText({ resolution: "1h", fromMs: 3_600_000, toMs: 7_200_000 }) // "1h_3600000_7200000"
 */
export const cursorText = ({ resolution, fromMs, toMs, timeZone }: Cursor) =>
  `${resolution}_${fromMs}_${toMs}${timeZone === undefined ? "" : `_${encodeURIComponent(timeZone)}`}`;

/** Returns the cursor that `cursorText` made the text of; undefined for a text that no answer had. */
export function parseCursor(text: string): Cursor | undefined {
  const [, resolution, from, to, zone] = /^(\w+?)_(\d{1,16})_(\d{1,16})(?:_(.+))?$/.exec(text) ?? [];
  if (resolution !== "raw" && !Object.hasOwn(RESOLUTION_MS, resolution ?? "")) return undefined;
  const timeZone = zone === undefined ? undefined : timeZoneName.safeParse(decoded(zone));
  if (timeZone?.success === false) return undefined;
  const cursor = { resolution: resolution as Cursor["resolution"], fromMs: Number(from), toMs: Number(to) };
  if (cursor.fromMs >= cursor.toMs || cursor.toMs > AT_MICROSECONDS_ABOVE) return undefined;
  return timeZone === undefined ? cursor : { ...cursor, timeZone: timeZone.data };
}

/** As it was written, also when the URL it stood in was decoded once too often. */
function decoded(zone: string): string {
  try {
    return decodeURIComponent(zone);
  } catch {
    return zone;
  }
}
