// How many standard deviations a reading lies from the mean of those before it: the usual recipe, as a baseline.
import type { Detector } from "./detector.ts";
import { decimalsOf } from "./resolution.ts";

/** Readings the mean and the deviation are taken over; 8 bytes each, so that large counters keep their digits. */
const WINDOW_READINGS = 120;
/** The least readings before a deviation is judged; with fewer held the score is 0. */
const LEAST_READINGS = 30;

/** A deviation is never taken as less than this share of the mean, about what a good sensor tells apart. */
const LEAST_SHARE = 1e-4;

const HEADER_BYTES = 8;
const VERSION = 2;

/**
 * PERSISTED: the buffer is the packed form. Byte 0 version, 1 place of the oldest reading, 2 readings held, 3 the most
 * decimals of a reading since place 0 was last filled, 4 of the round before that, then readings as little-endian
 * doubles. Another layout takes another version, and states of the old one begin anew.
 */
export interface ZscoreState {
  bytes: Uint8Array;
  readings: Float64Array;
}

const viewOf = (bytes: Uint8Array): ZscoreState => ({
  bytes,
  readings: new Float64Array(bytes.buffer, HEADER_BYTES, WINDOW_READINGS),
});

function create(): ZscoreState {
  const state = viewOf(new Uint8Array(HEADER_BYTES + 8 * WINDOW_READINGS));
  state.bytes[0] = VERSION;
  return state;
}

/**
 * Returns the score of a distance in standard deviations, `z / (z + 3)`: one half at three deviations, five eighths
 * at five, and never flat, so any threshold has a meaning.
 */
export const scoreOfDeviations = (deviations: number): number =>
  deviations === Number.POSITIVE_INFINITY ? 1 : deviations / (deviations + 3);

function score({ bytes, readings }: ZscoreState, _at: number, value: number): number {
  if (!Number.isFinite(value)) return 0;
  const place = bytes[1]!;
  const held = bytes[2]!;
  const decimals = decimalsOf(value);
  const finest = Math.max(bytes[3]!, bytes[4]!, decimals);
  const deviations = held < LEAST_READINGS ? 0 : deviationsOf(readings, held, value, 10 ** -finest);
  readings[place] = value;
  bytes[1] = (place + 1) % WINDOW_READINGS;
  if (held < WINDOW_READINGS) bytes[2] = held + 1;
  if (place === 0) {
    bytes[4] = bytes[3]!;
    bytes[3] = 0;
  }
  bytes[3] = Math.max(bytes[3]!, decimals);
  return scoreOfDeviations(deviations);
}

/**
 * Returns the distance of a value from the mean of the readings held, in standard deviations of theirs; a deviation
 * is at least one `step` of the values, and at least their least share of the mean.
 */
function deviationsOf(readings: Float64Array, held: number, value: number, step: number): number {
  // Summed anew each time: running sums drift, and an outlier that left the window would stay in them.
  let mean = 0;
  for (let i = 0; i < held; i++) mean += readings[i]!;
  mean /= held;
  let variance = 0;
  for (let i = 0; i < held; i++) variance += (readings[i]! - mean) ** 2;
  variance /= held;
  const distance = Math.abs(value - mean);
  // The mean of equal readings may differ from them in the last digit.
  if (distance <= 1e-12 * Math.abs(mean)) return 0;
  const deviation = Math.max(Math.sqrt(variance), step, LEAST_SHARE * Math.abs(mean));
  const deviations = distance / deviation;
  // Squares beyond what a double holds say nothing.
  return Number.isNaN(deviations) ? 0 : deviations;
}

/**
 * Scores how many standard deviations a reading lies from the mean of the 120 before it: 3 σ is a warning, 5 σ
 * critical. Every reading is judged alone, also right after an alarm.
 */
export const zscore: Detector<ZscoreState> = {
  name: "zscore",
  refractoryMs: 0,
  warning: scoreOfDeviations(3),
  critical: scoreOfDeviations(5),
  create,
  score,
  pack: ({ bytes }) => bytes.slice(),
  unpack: (bytes) =>
    bytes[0] === VERSION && bytes.length === HEADER_BYTES + 8 * WINDOW_READINGS
      ? viewOf(bytes.slice())
      : create(),
};
