// Rows of equal height in a box that scrolls → which of them are in sight. Pure.

/** Rows drawn beyond what is seen, so that scrolling a little draws nothing and the next row can be reached by a key. */
const BEYOND = 10;
/** Most rows drawn: those of a screen 3,000 px high. */
const ROWS_MAX = 100;

export interface RowWindow {
  start: number;
  end: number;
}

/** `topPx`, `bottomPx`: what of the rows is seen, from the top of the first. The edges are rounded, so it changes rarely. */
export function rowsInSight(count: number, rowPx: number, topPx: number, bottomPx: number): RowWindow {
  const first = Math.floor(topPx / rowPx / BEYOND - 1) * BEYOND;
  const start = Math.max(0, Math.min(first, Math.floor((count - 1) / BEYOND) * BEYOND));
  const last = Math.ceil(bottomPx / rowPx / BEYOND + 1) * BEYOND;
  const end = Math.min(count, Math.max(last, start + BEYOND), start + ROWS_MAX);
  return { start, end };
}
