// How far a metric is from its own habits: from the hour of the week, from spikes that come daily, from how it moves.

import { DAY_MS, HOUR_MS } from "../../time.ts";
import type { Detector } from "./detector.ts";

const HOURS_A_DAY = 24;
const HOURS_A_WEEK = 168;

/**
 * One setting for every metric, in the middle of a plateau: settings drawn around it score the same on copies
 * of NAB's series (docs/decisions/0011-a-repeat-is-heard.md).
 */
export const SETTINGS = {
  refractoryMs: 12 * HOUR_MS,
  /** The score is 0 before so many readings, and before so much event time in ms. */
  leastReadings: 120,
  leastMs: 12 * HOUR_MS,
  /** How many readings the level and the scales remember; one that comes less than `readingMs` after another counts
   * for less. */
  memoryReadings: 6000,
  readingMs: 300_000,
  /** Share of a new week in the profile of its hour. */
  weekShare: 0.4,
  /** A finer profile is believed when its squared error is less than this share of the coarser one's. */
  believed: 0.9,
  /** Readings the means are taken over: a spike stands out in the fast, a shift in the slow. */
  fastReadings: 1.3,
  slowReadings: 7.5,
  surpriseReadings: 10,
  /** Deviations, in units of their own root mean square, that are worth an alarm. */
  fastDeviations: 1.8,
  slowDeviations: 2.5,
  surpriseDeviations: 9,
  /** How high a level of the transition table is, in deviations of the metric. */
  levelDeviations: 0.55,
  /** A spike counts as far as it exceeds the largest of earlier days around its hour, times this. */
  habit: 1.4,
  /** What a day leaves of the largest spike. */
  habitKept: 0.95,
  /** The logarithm of what an alarm multiplies the thresholds by, shared among those that raised it. */
  fatigue: 0.6,
  /** How many times a threshold may be added to it. */
  mostFatigue: 6,
  /** How long fatigue lasts, in ms of event time, and after how many readings an alarm tires wholly. */
  fatigueMs: 30 * DAY_MS,
  tiringReadings: 400,
};

export type SeasonalSettings = typeof SETTINGS;

const VERSION = 2;
/** Values are clipped to this distance from the first one, for single precision would overflow beyond it. */
const LARGEST = 1e30;
const MOST_DEVIATIONS = 60;
/** No scale is less than this share of a value: what is finer is rounding. */
const LEAST_SHARE = 1e-6;
/** Levels of the transition table, the middle one around what is expected. */
const LEVELS = 16;
const MIDDLE = LEVELS / 2;
/** A row whose count would pass this is halved: what was long ago counts for less. */
const MOST_COUNTED = 255;

/** PERSISTED: the doubles of a state, in this order after the version. Another order is another version. */
const fresh = () => ({
  readings: 0,
  learntMs: 0,
  previousAt: 0,
  alarmAt: Number.NEGATIVE_INFINITY,
  /** The first value; all others are taken from it, so that single precision is spent on what varies. */
  origin: 0,
  level: 0,
  /** Mean squares of what level, day and week do not explain. */
  levelError: 0,
  dayError: 0,
  weekError: 0,
  /** Means of the residual, and of the surprise at where it went, in bits. */
  fast: 0,
  slow: 0,
  surprise: 0,
  usualSurprise: 0,
  /** Mean squares of what is judged. */
  fastSquare: 0,
  slowSquare: 0,
  surpriseSquare: 0,
  /** How many times more than usual each needs for an alarm, less one. */
  fastFatigue: 0,
  slowFatigue: 0,
  surpriseFatigue: 0,
  /** The level of the reading before, in the transition table. */
  previousLevel: MIDDLE,
  /** Of the hour under way. */
  hourReadings: 0,
  hourMean: 0,
  hourSpike: 0,
});
const DOUBLES = 1 + Object.keys(fresh()).length;
const HOURS = HOURS_A_DAY + HOURS_A_WEEK;
const SHORT_BYTES = 3;
const PACKED_BYTES = 8 * DOUBLES + LEVELS * LEVELS + SHORT_BYTES * HOURS;

type Scalars = ReturnType<typeof fresh>;

/** What the detector has learnt of a metric. */
export interface SeasonalState {
  scalars: Scalars;
  /** PERSISTED after the doubles: how often, lately, the residual went from one level (row) to another. */
  transitions: Uint8Array;
  /**
   * PERSISTED after that, three bytes each: the largest spikes by hour of the day, then the means by hour of the week.
   */
  spikes: Float32Array;
  week: Float32Array;
}

const create = (): SeasonalState => ({
  scalars: fresh(),
  transitions: new Uint8Array(LEVELS * LEVELS),
  spikes: new Float32Array(HOURS_A_DAY),
  week: new Float32Array(HOURS_A_WEEK).fill(Number.NaN),
});

const placeIn = (hour: number, hours: number) => ((hour % hours) + hours) % hours;

function score(settings: SeasonalSettings, state: SeasonalState, at: number, value: number): number {
  if (!Number.isFinite(value) || !Number.isFinite(at)) return 0;
  const { scalars: s } = state;
  if (s.readings === 0) {
    s.origin = value;
    s.previousAt = at;
  }
  const x = Math.max(-LARGEST, Math.min(LARGEST, value - s.origin));
  const hour = Math.floor(at / HOUR_MS);
  if (hour !== Math.floor(s.previousAt / HOUR_MS)) closeHour(settings, state);
  const passedMs = Math.max(0, at - s.previousAt);
  s.previousAt = at;
  s.readings++;
  s.learntMs += Math.min(passedMs, HOUR_MS);
  s.hourReadings++;
  s.hourMean += (x - s.hourMean) / s.hourReadings;

  // Readings faster than every 5 minutes would forget the day they are in.
  const pace = Math.min(1, passedMs / settings.readingMs) / settings.memoryReadings;
  const share = Math.max(1 / s.readings, pace);
  const residual = residualOf(settings, state, x, hour, share);
  s.fast += (residual - s.fast) / Math.min(s.readings, settings.fastReadings);
  s.slow += (residual - s.slow) / Math.min(s.readings, settings.slowReadings);
  const leastScale = LEAST_SHARE * Math.min(LARGEST, Math.abs(value));
  const scale = settings.levelDeviations * Math.max(leastScale, Math.sqrt(s.levelError));
  // Rounding must not go to and fro between the two levels of the middle.
  const bits = surpriseOf(state, Math.abs(residual) <= leastScale ? 0 : residual / scale);
  s.surprise += (bits - s.surprise) / Math.min(s.readings, settings.surpriseReadings);

  const spike = unusualSpike(settings, state, hour);
  const shift = Math.abs(s.slow);
  const surprise = Math.max(0, s.surprise - s.usualSurprise);
  const fast = deviationsOf(spike, s.fastSquare, leastScale) / settings.fastDeviations;
  const slow = deviationsOf(shift, s.slowSquare, leastScale) / settings.slowDeviations;
  const surprised = deviationsOf(surprise, s.surpriseSquare, 0) / settings.surpriseDeviations;
  s.usualSurprise += (bits - s.usualSurprise) * share;
  s.fastSquare += (spike ** 2 - s.fastSquare) * share;
  s.slowSquare += (shift ** 2 - s.slowSquare) * share;
  s.surpriseSquare += (surprise ** 2 - s.surpriseSquare) * share;
  const rested = Math.max(0, 1 - passedMs / settings.fatigueMs);
  s.fastFatigue *= rested;
  s.slowFatigue *= rested;
  s.surpriseFatigue *= rested;
  return judge(settings, s, at, fast, slow, surprised);
}

const scratch = new Float32Array(1);
const scratchBits = new Uint32Array(scratch.buffer);

/** Rounds a value to the 24 bits that are persisted of a single: sign, exponent and 16 significant digits. */
function shortened(value: number): number {
  scratch[0] = value;
  scratchBits[0] = (scratchBits[0]! + 0x80) & 0xffffff00;
  return scratch[0]!;
}

/** Folds the hour that ended into the profiles. Whole hours only: a profile that follows the hour explains anything. */
function closeHour(settings: SeasonalSettings, { scalars: s, spikes, week }: SeasonalState): void {
  const hour = Math.floor(s.previousAt / HOUR_MS);
  const inWeek = placeIn(hour, HOURS_A_WEEK);
  const mean = week[inWeek]!;
  week[inWeek] = shortened(Number.isNaN(mean) ? s.hourMean : mean + (s.hourMean - mean) * settings.weekShare);
  const inDay = placeIn(hour, HOURS_A_DAY);
  spikes[inDay] = shortened(Math.max(spikes[inDay]! * settings.habitKept, s.hourSpike));
  s.hourReadings = 0;
  s.hourMean = 0;
  s.hourSpike = 0;
}

/**
 * Returns what the believed profiles (level, day, week) do not explain of a value, and takes the value into their
 * errors.
 */
function residualOf(
  { believed }: SeasonalSettings,
  { scalars: s, week }: SeasonalState,
  value: number,
  hour: number,
  share: number,
): number {
  const weekMean = week[placeIn(hour, HOURS_A_WEEK)]!;
  const dayMean = dayMeanOf(week, hour);
  const fromLevel = value - s.level;
  const fromDay = Number.isNaN(dayMean) ? fromLevel : value - dayMean;
  const fromWeek = Number.isNaN(weekMean) ? fromDay : value - weekMean;
  let residual = fromLevel;
  let error = s.levelError;
  if (s.dayError < believed * error) {
    residual += (fromDay - residual) * Math.min(1, 2 * (1 - s.dayError / error));
    error = s.dayError;
  }
  if (s.weekError < believed * error) {
    residual += (fromWeek - residual) * Math.min(1, 3 * (1 - s.weekError / error));
  }
  s.levelError += (fromLevel ** 2 - s.levelError) * share;
  s.dayError += (fromDay ** 2 - s.dayError) * share;
  s.weekError += (fromWeek ** 2 - s.weekError) * share;
  s.level += fromLevel * share;
  return residual;
}

/** The mean of an hour of the day over the days of the week that are known; NaN when none is. */
function dayMeanOf(week: Float32Array, hour: number): number {
  let sum = 0;
  let known = 0;
  for (let place = placeIn(hour, HOURS_A_DAY); place < HOURS_A_WEEK; place += HOURS_A_DAY) {
    if (Number.isNaN(week[place]!)) continue;
    sum += week[place]!;
    known++;
  }
  return known === 0 ? Number.NaN : sum / known;
}

/** Returns how far the fast mean exceeds the spikes that earlier days had around this hour; 0 when it does not. */
function unusualSpike(
  { habit }: SeasonalSettings,
  { scalars: s, spikes }: SeasonalState,
  hour: number,
): number {
  const spike = Math.abs(s.fast);
  s.hourSpike = Math.max(s.hourSpike, spike);
  const usual = Math.max(
    spikes[placeIn(hour - 1, HOURS_A_DAY)]!,
    spikes[placeIn(hour, HOURS_A_DAY)]!,
    spikes[placeIn(hour + 1, HOURS_A_DAY)]!,
  );
  return Math.max(0, spike - habit * usual);
}

/**
 * Returns how many bits of surprise there are in where the residual went, so many levels from the middle one, after
 * where it was; and counts it.
 */
function surpriseOf({ scalars: s, transitions }: SeasonalState, fromMiddle: number): number {
  const level = Math.max(0, Math.min(LEVELS - 1, MIDDLE + Math.floor(fromMiddle)));
  const row = s.previousLevel * LEVELS;
  s.previousLevel = level;
  let seen = 0;
  for (let place = row; place < row + LEVELS; place++) seen += transitions[place]!;
  const count = transitions[row + level]!;
  if (count === MOST_COUNTED) {
    for (let place = row; place < row + LEVELS; place++) transitions[place] = transitions[place]! >> 1;
  }
  transitions[row + level]!++;
  return Math.log2((seen + LEVELS / 2) / (count + 1 / 2));
}

const cubed = (x: number) => x * x * x;

const deviationsOf = (distance: number, square: number, leastScale: number) =>
  distance === 0 ? 0 : Math.min(MOST_DEVIATIONS, distance / Math.max(leastScale, Math.sqrt(square)));

/**
 * Returns the score for deviations in units of what is worth an alarm, together the cube root of their cubes, and
 * notes an alarm: no other follows within the refractory time, and the next of its kind needs more.
 */
function judge(
  settings: SeasonalSettings,
  s: Scalars,
  at: number,
  fast: number,
  slow: number,
  surprise: number,
): number {
  if (s.readings <= settings.leastReadings || s.learntMs < settings.leastMs) return 0;
  // Both ways: after an alarm at an instant far ahead, alarms must not stay away until that instant.
  if (Math.abs(at - s.alarmAt) < settings.refractoryMs) return 0;
  const fastCubed = cubed(fast / (1 + s.fastFatigue));
  const slowCubed = cubed(slow / (1 + s.slowFatigue));
  const surpriseCubed = cubed(surprise / (1 + s.surpriseFatigue));
  const cubes = fastCubed + slowCubed + surpriseCubed;
  if (cubes >= 1) {
    s.alarmAt = at;
    // While still learning nearly everything is new, and being wrong then says little of the metric.
    const fatigue = settings.fatigue * Math.min(1, s.readings / settings.tiringReadings);
    const tired = (before: number, part: number) =>
      Math.min(settings.mostFatigue, (1 + before) * Math.exp((fatigue * part) / cubes) - 1);
    s.fastFatigue = tired(s.fastFatigue, fastCubed);
    s.slowFatigue = tired(s.slowFatigue, slowCubed);
    s.surpriseFatigue = tired(s.surpriseFatigue, surpriseCubed);
  }
  const together = Math.cbrt(cubes);
  return together / (1 + together);
}

function pack({ scalars, transitions, spikes, week }: SeasonalState): Uint8Array {
  const bytes = new Uint8Array(PACKED_BYTES);
  new Float64Array(bytes.buffer, 0, DOUBLES).set([VERSION, ...Object.values(scalars)]);
  bytes.set(transitions, 8 * DOUBLES);
  const hours = new Float32Array(HOURS);
  hours.set(spikes);
  hours.set(week, HOURS_A_DAY);
  const bits = new Uint32Array(hours.buffer);
  let place = 8 * DOUBLES + transitions.length;
  for (let i = 0; i < HOURS; i++) {
    bytes[place++] = bits[i]! >>> 24;
    bytes[place++] = bits[i]! >>> 16;
    bytes[place++] = bits[i]! >>> 8;
  }
  return bytes;
}

function unpack(bytes: Uint8Array): SeasonalState {
  if (bytes.length !== PACKED_BYTES) return create();
  const [version, ...doubles] = new Float64Array(bytes.slice().buffer, 0, DOUBLES);
  if (version !== VERSION) return create();
  const scalars = fresh();
  for (const [place, name] of Object.keys(scalars).entries()) {
    scalars[name as keyof Scalars] = doubles[place]!;
  }
  let place = 8 * DOUBLES + LEVELS * LEVELS;
  const transitions = bytes.slice(8 * DOUBLES, place);
  const bits = new Uint32Array(HOURS);
  for (let i = 0; i < HOURS; i++) {
    bits[i] = ((bytes[place++]! << 24) | (bytes[place++]! << 16) | (bytes[place++]! << 8)) >>> 0;
  }
  const hours = new Float32Array(bits.buffer);
  return { scalars, transitions, spikes: hours.slice(0, HOURS_A_DAY), week: hours.slice(HOURS_A_DAY) };
}

/** Returns the detector with other settings, to try them: states of one are no states of another. */
export const seasonalWith = (settings: SeasonalSettings): Detector<SeasonalState> => ({
  name: "seasonal",
  refractoryMs: settings.refractoryMs,
  warning: 1 / 2,
  critical: 3 / 4,
  create,
  score: (state, at, value) => score(settings, state, at, value),
  pack,
  unpack,
});

/**
 * Learns a metric's level, its hours of the day and of the week, the spikes each day brings and how it moves, and
 * scores what they leave unexplained: at once (a spike), over some readings (a shift), and by how rarely it went that
 * way (surprise). An alarm makes the next of its kind harder for some weeks, so a metric that is restless by nature is
 * heard less.
 */
export const seasonal: Detector<SeasonalState> = seasonalWith(SETTINGS);
