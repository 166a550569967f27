// The values a metric took → the span its axis shows. Pure.

/**
 * A tenth of air above and below, but none beyond zero for values that never cross it; a flat line stands in the middle.
 * Nothing to show: 0 to 1.
 */
export function valueRange(low: number | null, high: number | null): [number, number] {
  if (low === null || high === null || !Number.isFinite(low) || !Number.isFinite(high)) return [0, 1];
  const air = high > low ? (high - low) / 10 : Math.max(Math.abs(low) / 20, 0.5);
  const bottom = low >= 0 && high > low ? Math.max(0, low - air) : low - air;
  const top = high <= 0 && high > low ? Math.min(0, high + air) : high + air;
  return [bottom, top];
}
