// What a device and the storage behind it must hold after any schedule, said as plainly as can be: a map.
import { HOUR_MS } from "../../test-support.ts";

export interface Sent {
  at: number;
  metrics: Record<string, number>;
}

/** Readings by verdict, in the order of VERDICTS. */
const NONE = [0, 0, 0, 0, 0, 0];
const [STORED, DUPLICATE, CORRECTED, LATE, REFUSED] = [0, 1, 2, 3, 5];

export const sumOf = (all: readonly (readonly number[])[]) =>
  NONE.map((_, verdict) => all.reduce((sum, counts) => sum + counts[verdict]!, 0));

export interface ModelHour {
  count: number;
  min: number;
  max: number;
  first: number;
  last: number;
  values: number[];
}

export class ScheduleModel {
  readonly readings = new Map<string, Map<number, number>>();
  readonly latest = new Map<string, { at: number; value: number; receivedAt: number }>();
  lastReceivedAt = 0;
  counts = NONE;
  readonly #horizonMs: number;
  #newestAt = 0;

  constructor(horizonMs: number) {
    this.#horizonMs = horizonMs;
  }

  /** Reports that were acknowledged, in the order they were applied; gives what their verdicts should be. */
  take(receivedAt: number, reports: readonly Sent[]): number[] {
    const counts = [...NONE];
    this.lastReceivedAt = Math.max(this.lastReceivedAt, receivedAt);
    for (const { at, metrics } of reports) {
      const isTooOld = at < receivedAt - this.#horizonMs;
      const hourEndMs = Math.floor(at / HOUR_MS) * HOUR_MS + HOUR_MS;
      const fresh = hourEndMs <= this.#newestAt - 60_000 ? LATE : STORED;
      if (!isTooOld) this.#newestAt = Math.max(this.#newestAt, at);
      for (const [metric, value] of Object.entries(metrics)) {
        const known = this.#of(metric).get(at);
        const verdict = isTooOld
          ? REFUSED
          : known === undefined
            ? fresh
            : known === value
              ? DUPLICATE
              : CORRECTED;
        counts[verdict!]! += 1;
        if (isTooOld) continue;
        this.#of(metric).set(at, value);
        const latest = this.latest.get(metric);
        if (latest !== undefined && (latest.at > at || (latest.at === at && latest.value === value)))
          continue;
        this.latest.set(metric, { at, value, receivedAt });
      }
    }
    this.counts = sumOf([this.counts, counts]);
    return counts;
  }

  /** `[at, value]`, ascending. */
  of(metric: string): [at: number, value: number][] {
    return [...this.#of(metric)].sort(([a], [b]) => a - b);
  }

  get distinct(): number {
    return [...this.readings.values()].reduce((sum, own) => sum + own.size, 0);
  }

  hoursOf(metric: string): Map<number, ModelHour> {
    const hours = Map.groupBy(this.of(metric), ([at]) => Math.floor(at / HOUR_MS) * HOUR_MS);
    const figures = [...hours].map(([startMs, own]): [number, ModelHour] => {
      const values = own.map(([, value]) => value);
      const [first, last] = [values[0]!, values.at(-1)!];
      return [
        startMs,
        { count: own.length, min: Math.min(...values), max: Math.max(...values), first, last, values },
      ];
    });
    return new Map(figures);
  }

  #of(metric: string): Map<number, number> {
    const own = this.readings.get(metric) ?? new Map<number, number>();
    this.readings.set(metric, own);
    return own;
  }
}
