// How far a metric is from its own habits: from the hour of the week, from spikes that come daily, from earlier alarms.
import type { Detector } from "./detector.ts";

const HOUR_MS = 3_600_000;
const HOURS_A_DAY = 24;
const HOURS_A_WEEK = 168;

/**
 * One setting for every metric. Chosen on random halves of the NAB series and checked on the other halves; each
 * is in the middle of a plateau (docs/decisions/0009-anomaly-detection.md).
 */
export const SETTINGS = {
  refractoryMs: 12 * HOUR_MS,
  /** Nothing is said before so many readings, nor before so much event time. */
  leastReadings: 150,
  leastMs: 12 * HOUR_MS,
  /** What the level and the scales remember: so many readings, but no less than that many times `readingMs`. */
  memoryReadings: 5000,
  /** The same of the fatigue. */
  fatigueReadings: 5000,
  readingMs: 300_000,
  /** Share of a new day, or week, in the profile of its hour. */
  dayShare: 1 / 6,
  weekShare: 1 / 3,
  /** A finer profile is believed when the square of its error is so much less. */
  believed: 0.9,
  /** Readings the two means are taken over: a spike stands out in the fast, a shift in the slow. */
  fastReadings: 1.5,
  slowReadings: 10,
  /** Deviations, in units of their own root mean square, that are worth an alarm. */
  fastDeviations: 2,
  slowDeviations: 3,
  /** A spike counts as far as it exceeds so many times the largest of earlier days around its hour. */
  habit: 1.2,
  /** What a day leaves of the largest spike. */
  habitKept: 0.95,
  /** The logarithm of what an alarm multiplies the threshold of the mean that gave it by; it wears off. */
  fatigue: 0.6,
};

const VERSION = 1;
/** Beyond it single precision would overflow; a metric that reads 1e30 is judged as reading that. */
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
  fast: 0,
  slow: 0,
  /** Mean squares of what the two means gave. */
  fastSquare: 0,
  slowSquare: 0,
  fastFatigue: 0,
  slowFatigue: 0,
  /** Of the hour under way. */
  hourReadings: 0,
  hourMean: 0,
  hourSpike: 0,
});
const DOUBLES = 1 + Object.keys(fresh()).length;
const PACKED_BYTES = 8 * DOUBLES + 4 * (2 * HOURS_A_DAY + HOURS_A_WEEK);

export interface SeasonalState {
  scalars: ReturnType<typeof fresh>;
  /** PERSISTED after the doubles, as singles: means and largest spikes by hour of the day, means by hour of the week. */
  day: Float32Array;
  spikes: Float32Array;
  week: Float32Array;
}

const create = (): SeasonalState => ({
  scalars: fresh(),
  day: new Float32Array(HOURS_A_DAY).fill(Number.NaN),
  spikes: new Float32Array(HOURS_A_DAY),
  week: new Float32Array(HOURS_A_WEEK).fill(Number.NaN),
});

const placeIn = (hour: number, hours: number) => ((hour % hours) + hours) % hours;

/** Folds the hour that ended into the profiles. Whole hours only: a profile that follows the hour explains anything. */
function closeHour({ scalars: s, day, spikes, week }: SeasonalState): void {
  const hour = Math.floor(s.previousAt / HOUR_MS);
  const fold = (profile: Float32Array, share: number) => {
    const place = placeIn(hour, profile.length);
    const old = profile[place]!;
    profile[place] = Number.isNaN(old) ? s.hourMean : old + (s.hourMean - old) * share;
  };
  fold(day, SETTINGS.dayShare);
  fold(week, SETTINGS.weekShare);
  const place = placeIn(hour, HOURS_A_DAY);
  spikes[place] = Math.max(spikes[place]! * SETTINGS.habitKept, s.hourSpike);
  s.hourReadings = 0;
  s.hourMean = 0;
  s.hourSpike = 0;
}

/** What of a value the best believed of level, day and week does not explain; takes the value into the errors. */
function residualOf(state: SeasonalState, value: number, hour: number, share: number): number {
  const { scalars: s, day, week } = state;
  const dayMean = day[placeIn(hour, HOURS_A_DAY)]!;
  const weekMean = week[placeIn(hour, HOURS_A_WEEK)]!;
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

const deviationsOf = (distance: number, square: number) =>
  distance === 0 ? 0 : Math.min(MOST_DEVIATIONS, distance / Math.sqrt(square));

function score(state: SeasonalState, at: number, value: number): number {
  if (!Number.isFinite(value) || !Number.isFinite(at)) return 0;
  const { scalars: s, spikes } = state;
  if (s.readings === 0) {
    s.origin = value;
    s.previousAt = at;
  }
  const x = Math.max(-LARGEST, Math.min(LARGEST, value - s.origin));
  const hour = Math.floor(at / HOUR_MS);
  if (s.hourReadings > 0 && hour !== Math.floor(s.previousAt / HOUR_MS)) closeHour(state);
  const passedMs = Math.max(0, at - s.previousAt);
  s.previousAt = at;
  s.readings++;
  s.learntMs += Math.min(passedMs, HOUR_MS);
  s.hourReadings++;
  s.hourMean += (x - s.hourMean) / s.hourReadings;

  const pace = Math.min(1, passedMs / SETTINGS.readingMs);
  const share = Math.max(1 / s.readings, pace / SETTINGS.memoryReadings);
  const residual = residualOf(state, x, hour, share);
  s.fast += (residual - s.fast) * Math.max(1 / s.readings, 1 / SETTINGS.fastReadings);
  s.slow += (residual - s.slow) * Math.max(1 / s.readings, 1 / SETTINGS.slowReadings);

  const spike = Math.abs(s.fast);
  const usual = Math.max(
    spikes[placeIn(hour - 1, HOURS_A_DAY)]!,
    spikes[placeIn(hour, HOURS_A_DAY)]!,
    spikes[placeIn(hour + 1, HOURS_A_DAY)]!,
  );
  s.hourSpike = Math.max(s.hourSpike, spike);
  const unusual = Math.max(0, spike - SETTINGS.habit * usual);
  const shift = Math.abs(s.slow);
  const fastDeviations = deviationsOf(unusual, s.fastSquare) / SETTINGS.fastDeviations;
  const slowDeviations = deviationsOf(shift, s.slowSquare) / SETTINGS.slowDeviations;
  s.fastSquare += (unusual ** 2 - s.fastSquare) * share;
  s.slowSquare += (shift ** 2 - s.slowSquare) * share;
  return judge(s, at, fastDeviations, slowDeviations, pace / SETTINGS.fatigueReadings);
}

/** Deviations in units of what is worth an alarm → the score, and the silence and fatigue after an alarm. */
function judge(
  s: SeasonalState["scalars"],
  at: number,
  fastDeviations: number,
  slowDeviations: number,
  rested: number,
): number {
  s.fastFatigue -= s.fastFatigue * rested;
  s.slowFatigue -= s.slowFatigue * rested;
  if (s.readings <= SETTINGS.leastReadings || s.learntMs < SETTINGS.leastMs) return 0;
  // Both ways: an alarm at an instant far ahead must not silence until that instant.
  if (Math.abs(at - s.alarmAt) < SETTINGS.refractoryMs) return 0;
  const fast = fastDeviations * Math.exp(-s.fastFatigue);
  const slow = slowDeviations * Math.exp(-s.slowFatigue);
  const most = Math.max(fast, slow);
  if (most >= 1) {
    s.alarmAt = at;
    if (fast >= slow) s.fastFatigue += SETTINGS.fatigue;
    else s.slowFatigue += SETTINGS.fatigue;
  }
  return most / (1 + most);
}

function pack({ scalars, day, spikes, week }: SeasonalState): Uint8Array {
  const bytes = new Uint8Array(PACKED_BYTES);
  new Float64Array(bytes.buffer, 0, DOUBLES).set([VERSION, ...Object.values(scalars)]);
  const singles = new Float32Array(bytes.buffer, 8 * DOUBLES);
  singles.set(day);
  singles.set(spikes, HOURS_A_DAY);
  singles.set(week, 2 * HOURS_A_DAY);
  return bytes;
}

function unpack(bytes: Uint8Array): SeasonalState {
  if (bytes.length !== PACKED_BYTES) return create();
  const { buffer } = bytes.slice();
  const [version, ...doubles] = new Float64Array(buffer, 0, DOUBLES);
  if (version !== VERSION) return create();
  const singles = new Float32Array(buffer, 8 * DOUBLES);
  const scalars = fresh();
  Object.keys(scalars).forEach((name, place) => {
    scalars[name as keyof typeof scalars] = doubles[place]!;
  });
  return {
    scalars,
    day: singles.slice(0, HOURS_A_DAY),
    spikes: singles.slice(HOURS_A_DAY, 2 * HOURS_A_DAY),
    week: singles.slice(2 * HOURS_A_DAY),
  };
}

export const seasonal: Detector<SeasonalState> = {
  name: "seasonal",
  refractoryMs: SETTINGS.refractoryMs,
  warning: 1 / 2,
  critical: 2 / 3,
  create,
  score,
  pack,
  unpack,
};
