// How many standard deviations a reading lies from the mean of those before it: the usual recipe, as a baseline.
import type { Detector } from "./detector.ts";

/** Readings the mean and the deviation are taken over; 8 bytes each, so that large counters keep their digits. */
const WINDOW_READINGS = 120;
/** Fewer say nothing of a deviation. */
const LEAST_READINGS = 30;

const HEADER_BYTES = 8;
const VERSION = 1;

/**
 * PERSISTED: the buffer is the packed form. Byte 0 version, 1 place of the oldest reading, 2 readings held, then
 * readings as little-endian doubles. Another layout takes another version, and states of the old one begin anew.
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

/** `z / (z + 3)`: one half at three deviations, five eighths at five, and never flat, so any threshold has a meaning. */
export const scoreOfDeviations = (deviations: number): number =>
  deviations === Number.POSITIVE_INFINITY ? 1 : deviations / (deviations + 3);

function score({ bytes, readings }: ZscoreState, _at: number, value: number): number {
  if (!Number.isFinite(value)) return 0;
  const place = bytes[1]!;
  const held = bytes[2]!;
  const deviations = held < LEAST_READINGS ? 0 : deviationsOf(readings, held, value);
  readings[place] = value;
  bytes[1] = (place + 1) % WINDOW_READINGS;
  if (held < WINDOW_READINGS) bytes[2] = held + 1;
  return scoreOfDeviations(deviations);
}

/** Summed anew each time: running sums drift, and an outlier that left the window would stay in them. */
function deviationsOf(readings: Float64Array, held: number, value: number): number {
  let mean = 0;
  for (let i = 0; i < held; i++) mean += readings[i]!;
  mean /= held;
  let variance = 0;
  for (let i = 0; i < held; i++) variance += (readings[i]! - mean) ** 2;
  variance /= held;
  const distance = Math.abs(value - mean);
  // The mean of equal readings may differ from them in the last digit.
  if (distance <= 1e-12 * Math.abs(mean)) return 0;
  const deviations = distance / Math.sqrt(variance);
  // Squares beyond what a double holds say nothing.
  return Number.isNaN(deviations) ? 0 : deviations;
}

/** 3 σ is a warning, 5 σ critical. It keeps no silence: every reading is judged alone. */
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
