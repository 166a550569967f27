// What the program did, counted: a meter of the price list, and in words what it was.
import { objectGbSecondsOf } from "../../../core/cost/bill.ts";
import type { Meter } from "../../../core/cost/prices.ts";

/** How often, by `meter what`: "d1RowsWritten warm insert rollup". All objects of a local run share this isolate. */
const counts = new Map<string, number>();

/** Counts something that is done; `times` may be a fraction or nothing. */
export function count(meter: Meter, what: string, times = 1): void {
  if (times === 0) return;
  const key = `${meter} ${what}`;
  counts.set(key, (counts.get(key) ?? 0) + times);
}

/** Everything since the start. */
export const counted = (): Record<string, number> => Object.fromEntries(counts);

/** Wall time of an object in a message, call or alarm: taken, not measured; what can be, see `bench/http.ts` and the profile there. */
const OBJECT_MS = 2;

/** One thing an object is asked: a request, but of messages only one in twenty. */
export function countObject(what: string, share = 1): void {
  count("objectRequests", what, share);
  count("objectGbSeconds", what, objectGbSecondsOf(OBJECT_MS));
}

/** The first verb and table of a statement: "insert rollup". */
export function statementName(sql: string): string {
  const verb =
    /\b(insert|replace|update|delete|select|pragma|create)\b/i.exec(sql)?.[1]?.toLowerCase() ?? "other";
  const table = (
    verb === "insert" || verb === "replace"
      ? /\binto\s+(\w+)/i
      : verb === "update"
        ? /\bupdate\s+(\w+)/i
        : FROM
  ).exec(sql);
  return `${verb} ${table?.[1] ?? "nothing"}`;
}

const FROM = /\b(?:from|join)\s+(?!json_each)(\w+)/i;
