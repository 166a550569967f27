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
];

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
