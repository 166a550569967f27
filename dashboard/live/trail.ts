// The readings seen since the page was opened: what sparklines draw, and what a chart adds to fetched history.

export interface Trail {
  /** Device clock, ascending. */
  readonly at: number[];
  readonly values: number[];
}

/** Adds in place and forgets the oldest beyond `countMax`. An instant seen before is corrected; an older one is left out. */
export function addToTrail(trail: Trail, at: number, value: number, countMax: number): void {
  const last = trail.at.at(-1);
  if (last !== undefined && at < last) return;
  if (at === last) trail.values[trail.values.length - 1] = value;
  else {
    trail.at.push(at);
    trail.values.push(value);
  }
  if (trail.at.length > countMax) {
    trail.at.shift();
    trail.values.shift();
  }
}

/** An SVG path through the values, evenly spaced, filling the box; "" below two values. A flat line runs in the middle. */
export function sparkPath(values: readonly number[], width: number, height: number): string {
  if (values.length < 2) return "";
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  const spread = high - low;
  const stepX = width / (values.length - 1);
  let path = "";
  for (let index = 0; index < values.length; index++) {
    const share = spread > 0 ? (values[index]! - low) / spread : 0.5;
    path += `${index === 0 ? "M" : "L"}${round(index * stepX)} ${round(1 + (1 - share) * (height - 2))}`;
  }
  return path;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
