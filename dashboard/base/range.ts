// The spans of time a chart can show, and how often each is moved and read again.

export interface ChartRange {
  id: string;
  label: string;
  spanMs: number;
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

export const RANGES: readonly ChartRange[] = [
  { id: "15m", label: "15 min", spanMs: 15 * MINUTE_MS },
  { id: "1h", label: "1 h", spanMs: HOUR_MS },
  { id: "6h", label: "6 h", spanMs: 6 * HOUR_MS },
  { id: "24h", label: "24 h", spanMs: DAY_MS },
  { id: "7d", label: "7 d", spanMs: 7 * DAY_MS },
  { id: "30d", label: "30 d", spanMs: 30 * DAY_MS },
  { id: "90d", label: "90 d", spanMs: 90 * DAY_MS },
  { id: "1y", label: "1 y", spanMs: 365 * DAY_MS },
];

/** What a chart shows: the last `spanMs` and what arrives, or a span of the past that stands still. */
export type Shown =
  | { kind: "live"; id: string; spanMs: number }
  | { kind: "past"; startMs: number; endMs: number };

/** The span shown now, half-open. */
export function spanOf(
  shown: Shown,
  nowMs: number,
  newestAtMs: number | null,
): { startMs: number; endMs: number } {
  return shown.kind === "live" ? viewOf(shown.spanMs, nowMs, newestAtMs) : shown;
}

export const lengthOf = (shown: Shown) =>
  shown.kind === "live" ? shown.spanMs : shown.endMs - shown.startMs;

/** What the address asks for; null: nothing that can be shown. */
export function askedFor(asked: {
  range: string | null;
  from: number | null;
  to: number | null;
}): Shown | null {
  const range = RANGES.find(({ id }) => id === asked.range);
  if (range !== undefined && asked.to === null) return { kind: "live", id: range.id, spanMs: range.spanMs };
  const { from, to: endMs } = asked;
  if (endMs === null) return null;
  const startMs = range === undefined ? from : endMs - range.spanMs;
  return startMs !== null && startMs < endMs ? { kind: "past", startMs, endMs } : null;
}

/** Enough of a device's reports to see a line. */
const REPORTS_SHOWN = 60;

/**
 * What is shown unless the address says otherwise: some sixty reports at the device's own pace, up to now, or where its
 * readings end to the newest of them. A device of which no pace is known shows its last quarter of an hour, or a week.
 */
export function chosenFor(newestAtMs: number, reportEveryMs: number | null, nowMs: number): Shown {
  const ageMs = nowMs - newestAtMs;
  const enoughMs = REPORTS_SHOWN * (reportEveryMs ?? 0);
  const byPace = RANGES.find(({ spanMs }) => spanMs >= enoughMs) ?? RANGES.at(-1)!;
  const range = reportEveryMs === null && ageMs > byPace.spanMs ? rangeOf("7d") : byPace;
  return upTo(newestAtMs + 1, range, nowMs);
}

/** A range that ends at `endMs`: it moves when now is in it. */
export function upTo(endMs: number, { id, spanMs }: ChartRange, nowMs: number): Shown {
  if (nowMs - endMs < spanMs) return { kind: "live", id, spanMs };
  return { kind: "past", startMs: endMs - spanMs, endMs };
}

/** The span before or after: what follows now is what arrives. */
export function paged(shown: Shown, step: -1 | 1, nowMs: number): Shown {
  const { startMs, endMs } = spanOf(shown, nowMs, null);
  const moveMs = step * (endMs - startMs);
  const range = RANGES.find(({ spanMs }) => spanMs === endMs - startMs);
  if (step === 1 && range !== undefined && endMs + moveMs >= nowMs) {
    return { kind: "live", id: range.id, spanMs: range.spanMs };
  }
  return { kind: "past", startMs: startMs + moveMs, endMs: endMs + moveMs };
}

/** How the address says what is shown. */
export function addressOf(shown: Shown): { range: string | null; from: number | null; to: number | null } {
  if (shown.kind === "live") return { range: shown.id, from: null, to: null };
  const { startMs, endMs } = shown;
  const range = RANGES.find(({ spanMs }) => spanMs === endMs - startMs);
  return { range: range?.id ?? null, from: range === undefined ? startMs : null, to: endMs };
}

/** The range of that id; the shortest for null or an id not known. */
export function rangeOf(id: string | null): ChartRange {
  return RANGES.find((range) => range.id === id) ?? RANGES[0]!;
}

/** The span shown: it ends now, or at the newest reading if the device's clock runs ahead of ours. */
export function viewOf(
  spanMs: number,
  nowMs: number,
  newestAtMs: number | null,
): { startMs: number; endMs: number } {
  const endMs = Math.max(nowMs, newestAtMs ?? nowMs);
  return { startMs: endMs - spanMs, endMs };
}

/** How often the view moves: about a pixel at a time, never faster than once a second. */
export function moveEveryMs(spanMs: number): number {
  return Math.min(MINUTE_MS, Math.max(1000, Math.round(spanMs / 1000)));
}

/** How often history is read again. Live updates are at most one a second and devices backfill; this makes the picture whole. */
export function rereadEveryMs(spanMs: number): number {
  return Math.min(15 * MINUTE_MS, Math.max(2 * MINUTE_MS, spanMs / 60));
}

/** The shortest range that shows what was `sinceMs` ago with some of what was before; else the longest. */
export function rangeAround(sinceMs: number): ChartRange {
  return RANGES.find(({ spanMs }) => sinceMs * 1.2 <= spanMs) ?? RANGES.at(-1)!;
}
