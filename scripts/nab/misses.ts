// Incidents that the seasonal detector did not find → what hid each of them.
import type { Detector } from "../../core/alert/anomaly/detector.ts";
import type { SeasonalState } from "../../core/alert/anomaly/seasonal.ts";
import type { LabelledSeries } from "./read-corpus.ts";
import { isFound, probationRows } from "./score-nab.ts";

/**
 * What hid an incident, the first of these without which it would have been found: the silence after an alarm;
 * fatigue; scales that had grown since the first incident began (of the first itself: since probation); all three
 * together; or none of them, it was quiet.
 */
export type Reason = "silence" | "fatigue" | "scale" | "together" | "quiet";

export interface Miss {
  series: string;
  /** The incident's place in its series, from 0; later ones are repeats. */
  place: number;
  reason: Reason;
}

type Scalars = SeasonalState["scalars"];

const rested = { fastFatigue: 0, slowFatigue: 0, surpriseFatigue: 0 };
const unalarmed = { alarmAt: Number.NEGATIVE_INFINITY };
const scalesOf = ({ fastSquare, slowSquare, surpriseSquare }: Scalars) => ({
  fastSquare,
  slowSquare,
  surpriseSquare,
});

/** Returns the incidents that no reading at a warning found, each with what hid it. */
export function missesOf(detector: Detector<SeasonalState>, series: LabelledSeries): Miss[] {
  const { name, at, values, windows } = series;
  const states: Uint8Array[] = [];
  const state = detector.create();
  const probation = probationRows(values.length);
  const scores = values.map((value, row) => {
    const isWanted = row === probation || windows.some((one) => one.firstRow <= row && row <= one.lastRow);
    if (isWanted) states[row] = detector.pack(state);
    return detector.score(state, at[row]!, value);
  });
  const scalesAt = (row: number) => scalesOf(detector.unpack(states[row]!).scalars);
  return windows.flatMap((window, place) => {
    if (isFound(scores, window, detector.warning)) return [];
    const before = scalesAt(place === 0 ? probation : Math.max(probation, windows[0]!.firstRow));
    /** Whether a reading of the incident would have been an alarm if that had been so. */
    const isFoundWith = (change: (scalars: Scalars) => Partial<Scalars>) => {
      for (let row = Math.max(probation, window.firstRow); row <= window.lastRow; row++) {
        const other = detector.unpack(states[row]!);
        Object.assign(other.scalars, change(other.scalars));
        if (detector.score(other, at[row]!, values[row]!) >= detector.warning) return true;
      }
      return false;
    };
    const unscaled = (scalars: Scalars) => ({
      fastSquare: Math.min(scalars.fastSquare, before.fastSquare),
      slowSquare: Math.min(scalars.slowSquare, before.slowSquare),
      surpriseSquare: Math.min(scalars.surpriseSquare, before.surpriseSquare),
    });
    const reason: Reason = isFoundWith(() => unalarmed)
      ? "silence"
      : isFoundWith(() => rested)
        ? "fatigue"
        : isFoundWith(unscaled)
          ? "scale"
          : isFoundWith((scalars) => ({ ...unalarmed, ...rested, ...unscaled(scalars) }))
            ? "together"
            : "quiet";
    return [{ series: name, place, reason }];
  });
}
