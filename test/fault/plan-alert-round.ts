// A seed → one round of alerts: which devices breach and clear what, what of it is an alert, what fails how often, and when.
import type { NewRule } from "../flow/alert-client.ts";
import { Random } from "./chance.ts";
import { drawAlertRates, drawReceiverRates, type FaultRates, type ReceiverRates } from "./faults.ts";
import type { Report } from "./ledger.ts";
import { type Kill, planKills, type Step, type Stream } from "./plan-round.ts";

/** An alert that the readings justify: from the reading that fires it to the one that clears it. */
export interface Episode {
  device: string;
  rule: string;
  fired: { at: number; value: number };
  cleared: { at: number; value: number };
}

export interface AlertRound {
  seed: number;
  tenant: string;
  rates: FaultRates;
  /** By channel. */
  receivers: Record<string, ReceiverRates>;
  streams: Stream[];
  /** By device. */
  zones: Record<string, string>;
  episodes: Episode[];
  kills: Kill[];
  cronTicks: boolean;
  /** How often a zone's or channel's object is put out of memory, a second. */
  evictionsPerSecond: number;
}

/** Breached above 50, clear at 40; in between nothing happens. By the metric they are about. */
export const RULES: readonly NewRule[] = [
  { id: "alone", groupWithinMs: 0, severity: "critical" as const },
  { id: "together", severity: "warning" as const },
].map((rule) => ({
  ...rule,
  cooldownMs: 0,
  condition: { type: "threshold", metric: rule.id, above: 50, clear: 40 },
}));

/** What takes which zones; undefined: all. */
export const CHANNELS: Record<string, string[] | undefined> = { everything: undefined, north: ["north"] };

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
/** Fewer than make a rule flap. */
const EPISODES_MAX = 3;
const STEPS = 22;

/** @param todayMs midnight: a round plays in the day before. */
export function planAlertRound(seed: number, todayMs: number): AlertRound {
  const random = new Random(seed, "alerts");
  const kinds: [Stream["kind"], devices: number, commitEveryMs: number][] = [
    ["requests", 1, 0],
    ["requests", 2, 0],
    ["device socket", 1, 0],
    ["device socket", 1, 15 * MINUTE_MS],
    ["gateway socket", 2, 0],
  ];
  const zones: Record<string, string> = {};
  const episodes: Episode[] = [];
  let named = 0;
  const streams = kinds.map(([kind, count, commitEveryMs]): Stream => {
    const devices = Array.from({ length: count }, () => `device-${++named}`);
    for (const device of devices) zones[device] = random.pick(["north", "north", "south"]);
    const writers = devices.map((device) => new Writer(random, device, todayMs - 12 * HOUR_MS, episodes));
    const steps: Step[] = [];
    while (writers.some(({ isDone }) => !isDone)) {
      const writer = random.pick(writers.filter(({ isDone }) => !isDone));
      steps.push({ ...writer.next(), ...outerFaults(random) });
    }
    return { kind, devices, commitEveryMs, steps };
  });
  return {
    seed,
    tenant: `alerts-${seed}`,
    rates: drawAlertRates(random),
    receivers: Object.fromEntries(
      Object.keys(CHANNELS).map((channel) => [channel, drawReceiverRates(random)]),
    ),
    streams,
    zones,
    episodes,
    kills: planKills(random),
    cronTicks: random.hits(0.3),
    evictionsPerSecond: random.pick([0, 1, 4]),
  };
}

function outerFaults(random: Random): Pick<Step, "cutAfter" | "evict" | "pauseMs"> {
  return {
    pauseMs: random.between(0, 60),
    ...(random.hits(0.08) ? { cutAfter: random.next() } : {}),
    ...(random.hits(0.08) ? { evict: random.pick(["hibernate", "hibernate", "close"] as const) } : {}),
  };
}

/** Writes what one device sends: breaches and clears, each acknowledged before the next leaves; at the end all is clear. */
class Writer {
  readonly #random: Random;
  readonly #device: string;
  readonly #episodes: Episode[];
  /** By metric, the reading that fired its rule. */
  readonly #firing = new Map<string, Episode["fired"]>();
  readonly #fired = new Map<string, number>();
  #clockMs: number;
  #left = STEPS;

  constructor(random: Random, device: string, startMs: number, episodes: Episode[]) {
    this.#random = random;
    this.#device = device;
    this.#clockMs = startMs;
    this.#episodes = episodes;
  }

  get isDone(): boolean {
    return this.#left <= 0 && this.#firing.size === 0;
  }

  next(): Omit<Step, "pauseMs"> {
    this.#left -= 1;
    this.#clockMs += this.#random.between(1, 20) * 1_000;
    const at = this.#clockMs - this.#random.between(0, 900);
    const metrics: Record<string, number> = {};
    for (const { id } of this.#left <= 0
      ? RULES
      : this.#random.shuffled(RULES).slice(0, this.#random.between(1, 2))) {
      metrics[id] = this.#value(id, at);
    }
    const report: Report = { device: this.#device, at, metrics };
    return { clockMs: this.#clockMs, reports: [report], isCorrection: true };
  }

  #value(metric: string, at: number): number {
    const random = this.#random;
    const fired = this.#firing.get(metric);
    const occasion = random.next();
    if (fired === undefined) {
      const times = this.#fired.get(metric) ?? 0;
      if (this.#left <= 0 || times >= EPISODES_MAX || occasion < 0.4) return random.between(0, 50);
      const value = random.between(51, 99);
      this.#firing.set(metric, { at, value });
      this.#fired.set(metric, times + 1);
      return value;
    }
    if (this.#left > 0 && occasion < 0.5) return random.between(41, 99);
    const value = random.between(0, 40);
    this.#firing.delete(metric);
    this.#episodes.push({ device: this.#device, rule: metric, fired, cleared: { at, value } });
    return value;
  }
}
