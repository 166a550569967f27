// Where a page of points ended ↔ the text by which the next page is asked for.
import { AT_MICROSECONDS_ABOVE } from "../../schemas/limits.ts";
import { RESOLUTION_MS } from "../../schemas/query.ts";
import type { HistoryPlan } from "./plan.ts";

/** By instants, so that what is stored meanwhile shifts nothing; and with what `auto` and an absent `to` meant at first. */
export interface Cursor {
  resolution: HistoryPlan["resolution"];
  /** Every point before this instant has been given. */
  fromMs: number;
  toMs: number;
}

/** @example cursorText({ resolution: "1h", fromMs: 3_600_000, toMs: 7_200_000 }) // "1h_3600000_7200000" */
export const cursorText = ({ resolution, fromMs, toMs }: Cursor) => `${resolution}_${fromMs}_${toMs}`;

/** Undefined for what no answer gave. */
export function parseCursor(text: string): Cursor | undefined {
  const [, resolution, from, to] = /^(\w+)_(\d{1,16})_(\d{1,16})$/.exec(text) ?? [];
  if (resolution !== "raw" && !Object.hasOwn(RESOLUTION_MS, resolution ?? "")) return undefined;
  const cursor = { resolution: resolution as Cursor["resolution"], fromMs: Number(from), toMs: Number(to) };
  return cursor.fromMs < cursor.toMs && cursor.toMs <= AT_MICROSECONDS_ABOVE ? cursor : undefined;
}
