// How far a metric is from its own habits: from the hour of the week, from spikes that come daily, from earlier alarms.
import type { Detector } from "./detector.ts";

const HOUR_MS = 3_600_000;
const HOURS_A_DAY = 24;
const HOURS_A_WEEK = 168;

/**
 * One setting for every metric, in the middle of a plateau: settings drawn around it score 74.0 on NAB on average, those
 * chosen on half of the series 73.9 on the other half, itself 75.9 (docs/decisions/0009-anomaly-detection.md).
 */
const SETTINGS = {
  refractoryMs: 12 * HOUR_MS,
  /** Nothing is said before so many readings, nor before so much event time. */
  leastReadings: 150,
  leastMs: 12 * HOUR_MS,
  /** What the level, the scales and the fatigue remember: so many readings, but no less than so many 5 minutes. */
  memoryReadings: 6000,
  readingMs: 300_000,
  /** Share of a new week in the profile of its hour. */
  weekShare: 0.4,
  /** A finer profile is believed when the square of its error is so much less. */
  believed: 0.9,
  /** Readings the means are taken over: a spike stands out in the fast, a shift in the slow, noise in the unrest. */
  fastReadings: 1.5,
  slowReadings: 10,
  unrestReadings: 16,
  /** Deviations, in units of their own root mean square, that are worth an alarm. */
  fastDeviations: 2,
  slowDeviations: 3,
  unrestDeviations: 6,
  /** A spike counts as far as it exceeds so many times the largest of earlier days around its hour. */
  habit: 1.2,
  /** What a day leaves of the largest spike. */
  habitKept: 0.95,
  /** The logarithm of what an alarm multiplies the threshold of its kind by; it wears off. */
  fatigue: 0.6,
};

const VERSION = 1;
/** Beyond it single precision would overflow; a metric that reads 1e30 more than at first is judged as reading that. */
const LARGEST = 1e30;
const MOST_DEVIATIONS = 60;

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
  /** Means of the residual, and of its distance from the slow one. */
  fast: 0,
  slow: 0,
  unrest: 0,
  usualUnrest: 0,
  /** Mean squares of what is judged. */
  fastSquare: 0,
  slowSquare: 0,
  unrestSquare: 0,
  fastFatigue: 0,
  slowFatigue: 0,
  unrestFatigue: 0,
  /** Of the hour under way. */
  hourReadings: 0,
  hourMean: 0,
  hourSpike: 0,
});
const DOUBLES = 1 + Object.keys(fresh()).length;
const PACKED_BYTES = 8 * DOUBLES + 4 * (HOURS_A_DAY + HOURS_A_WEEK);

type Scalars = ReturnType<typeof fresh>;

export interface SeasonalState {
  scalars: Scalars;
  /** PERSISTED after the doubles, as singles: the largest spikes by hour of the day, the means by hour of the week. */
  spikes: Float32Array;
  week: Float32Array;
}

const create = (): SeasonalState => ({
  scalars: fresh(),
  spikes: new Float32Array(HOURS_A_DAY),
  week: new Float32Array(HOURS_A_WEEK).fill(Number.NaN),
});

const placeIn = (hour: number, hours: number) => ((hour % hours) + hours) % hours;

function score(state: SeasonalState, at: number, value: number): number {
  if (!Number.isFinite(value) || !Number.isFinite(at)) return 0;
  const { scalars: s } = state;
  if (s.readings === 0) {
    s.origin = value;
    s.previousAt = at;
  }
  const x = Math.max(-LARGEST, Math.min(LARGEST, value - s.origin));
  const hour = Math.floor(at / HOUR_MS);
  if (hour !== Math.floor(s.previousAt / HOUR_MS)) closeHour(state);
  const passedMs = Math.max(0, at - s.previousAt);
  s.previousAt = at;
  s.readings++;
  s.learntMs += Math.min(passedMs, HOUR_MS);
  s.hourReadings++;
  s.hourMean += (x - s.hourMean) / s.hourReadings;

  // Readings faster than every 5 minutes would forget the day they are in.
  const pace = Math.min(1, passedMs / SETTINGS.readingMs) / SETTINGS.memoryReadings;
  const share = Math.max(1 / s.readings, pace);
  const residual = residualOf(state, x, hour, share);
  s.fast += (residual - s.fast) / Math.min(s.readings, SETTINGS.fastReadings);
  s.slow += (residual - s.slow) / Math.min(s.readings, SETTINGS.slowReadings);
  const away = Math.abs(residual - s.slow);
  s.unrest += (away - s.unrest) / Math.min(s.readings, SETTINGS.unrestReadings);

  const spike = unusualSpike(state, hour);
  const shift = Math.abs(s.slow);
  const noise = Math.max(0, s.unrest - s.usualUnrest);
  const deviations = {
    fast: deviationsOf(spike, s.fastSquare) / SETTINGS.fastDeviations,
    slow: deviationsOf(shift, s.slowSquare) / SETTINGS.slowDeviations,
    unrest: deviationsOf(noise, s.unrestSquare) / SETTINGS.unrestDeviations,
  };
  s.usualUnrest += (away - s.usualUnrest) * share;
  s.fastSquare += (spike ** 2 - s.fastSquare) * share;
  s.slowSquare += (shift ** 2 - s.slowSquare) * share;
  s.unrestSquare += (noise ** 2 - s.unrestSquare) * share;
  s.fastFatigue -= s.fastFatigue * pace;
  s.slowFatigue -= s.slowFatigue * pace;
  s.unrestFatigue -= s.unrestFatigue * pace;
  return judge(s, at, deviations);
}

/** Folds the hour that ended into the profiles. Whole hours only: a profile that follows the hour explains anything. */
function closeHour({ scalars: s, spikes, week }: SeasonalState): void {
  const hour = Math.floor(s.previousAt / HOUR_MS);
  const inWeek = placeIn(hour, HOURS_A_WEEK);
  const mean = week[inWeek]!;
  week[inWeek] = Number.isNaN(mean) ? s.hourMean : mean + (s.hourMean - mean) * SETTINGS.weekShare;
  const inDay = placeIn(hour, HOURS_A_DAY);
  spikes[inDay] = Math.max(spikes[inDay]! * SETTINGS.habitKept, s.hourSpike);
  s.hourReadings = 0;
  s.hourMean = 0;
  s.hourSpike = 0;
}

/** What of a value the best believed of level, day and week does not explain; takes the value into their errors. */
function residualOf({ scalars: s, week }: SeasonalState, value: number, hour: number, share: number): number {
  const weekMean = week[placeIn(hour, HOURS_A_WEEK)]!;
  const dayMean = dayMeanOf(week, hour);
  const fromLevel = value - s.level;
  const fromDay = Number.isNaN(dayMean) ? fromLevel : value - dayMean;
  const fromWeek = Number.isNaN(weekMean) ? fromDay : value - weekMean;
  let residual = fromLevel;
  let error = s.levelError;
  if (s.dayError < SETTINGS.believed * error) {
    residual += (fromDay - residual) * Math.min(1, 2 * (1 - s.dayError / error));
    error = s.dayError;
  }
  if (s.weekError < SETTINGS.believed * error) {
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

/** How far the fast mean exceeds what earlier days had around this hour. */
function unusualSpike({ scalars: s, spikes }: SeasonalState, hour: number): number {
  const spike = Math.abs(s.fast);
  s.hourSpike = Math.max(s.hourSpike, spike);
  const usual = Math.max(
    spikes[placeIn(hour - 1, HOURS_A_DAY)]!,
    spikes[placeIn(hour, HOURS_A_DAY)]!,
    spikes[placeIn(hour + 1, HOURS_A_DAY)]!,
  );
  return Math.max(0, spike - SETTINGS.habit * usual);
}

const deviationsOf = (distance: number, square: number) =>
  distance === 0 ? 0 : Math.min(MOST_DEVIATIONS, distance / Math.sqrt(square));

/** Deviations in units of what is worth an alarm → the score, and the silence and fatigue after an alarm. */
function judge(s: Scalars, at: number, deviations: Record<"fast" | "slow" | "unrest", number>): number {
  if (s.readings <= SETTINGS.leastReadings || s.learntMs < SETTINGS.leastMs) return 0;
  // Both ways: an alarm at an instant far ahead must not silence until that instant.
  if (Math.abs(at - s.alarmAt) < SETTINGS.refractoryMs) return 0;
  const fast = deviations.fast * Math.exp(-s.fastFatigue);
  const slow = deviations.slow * Math.exp(-s.slowFatigue);
  const unrest = deviations.unrest * Math.exp(-s.unrestFatigue);
  const most = Math.max(fast, slow, unrest);
  if (most >= 1) {
    s.alarmAt = at;
    if (most === fast) s.fastFatigue += SETTINGS.fatigue;
    else if (most === slow) s.slowFatigue += SETTINGS.fatigue;
    else s.unrestFatigue += SETTINGS.fatigue;
  }
  return most / (1 + most);
}

function pack({ scalars, spikes, week }: SeasonalState): Uint8Array {
  const bytes = new Uint8Array(PACKED_BYTES);
  new Float64Array(bytes.buffer, 0, DOUBLES).set([VERSION, ...Object.values(scalars)]);
  const singles = new Float32Array(bytes.buffer, 8 * DOUBLES);
  singles.set(spikes);
  singles.set(week, HOURS_A_DAY);
  return bytes;
}

function unpack(bytes: Uint8Array): SeasonalState {
  if (bytes.length !== PACKED_BYTES) return create();
  const { buffer } = bytes.slice();
  const [version, ...doubles] = new Float64Array(buffer, 0, DOUBLES);
  if (version !== VERSION) return create();
  const scalars = fresh();
  for (const [place, name] of Object.keys(scalars).entries()) {
    scalars[name as keyof Scalars] = doubles[place]!;
  }
  const singles = new Float32Array(buffer, 8 * DOUBLES);
  return { scalars, spikes: singles.slice(0, HOURS_A_DAY), week: singles.slice(HOURS_A_DAY) };
}

/**
 * Learns a metric's level, its hours of the day and of the week, and the spikes each day brings, and scores what
 * they leave unexplained: at once (a spike), over ten readings (a shift) and in its noise (unrest). An alarm makes
 * the next of its kind harder, so a metric that is restless by nature is heard less and less.
 */
export const seasonal: Detector<SeasonalState> = {
  name: "seasonal",
  refractoryMs: SETTINGS.refractoryMs,
  warning: 1 / 2,
  /** Three times what a warning needs: on NAB right 17 times in 23, where warnings are right 51 times in 130. */
  critical: 3 / 4,
  create,
  score,
  pack,
  unpack,
};
