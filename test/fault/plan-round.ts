// A seed → one round: which devices send what and when, what fails how often, and when everything is killed.
import { Random } from "./chance.ts";
import { drawRates, type FaultRates, type OuterFault, WORKER_FAULTS } from "./faults.ts";
import { HOUR_MS, type Report } from "./ledger.ts";
import { type Act, planActs, planRotation } from "./plan-acts.ts";

/** What a device or gateway sends at once. */
export interface Step {
  /** Before it is sent, by the wall clock. */
  pauseMs: number;
  /** What time it then is for the server. */
  clockMs: number;
  reports: Report[];
  /** Waits until everything before it is acknowledged: it says something else of a reading. */
  isCorrection: boolean;
  /** The line is cut after this share of its bytes; sent again on another. */
  cutAfter?: number;
  /** Before it is sent the device's object is put out of memory, its sockets kept or closed. */
  evict?: "hibernate" | "close";
  /** Before it is sent the first device of the stream is deleted, and begins a new life with it. */
  deletesFirst?: boolean;
  /** What of it is refused for a limit at its first sending is given up, and not sent again. */
  givesUp?: boolean;
}

export interface Stream {
  kind: "requests" | "device socket" | "gateway socket";
  devices: string[];
  commitEveryMs: number;
  steps: Step[];
}

export interface Kill {
  /** After this share of all steps of the round, and this much later. */
  afterShare: number;
  delayMs: number;
  how: Extract<OuterFault, `kill${string}`>;
  /** It comes back with a new secret beside the old one, or without the old. */
  rotation?: "begins" | "ends";
}

export interface Round {
  seed: number;
  tenant: string;
  rates: FaultRates;
  streams: Stream[];
  kills: Kill[];
  acts: Act[];
  /** The cron ticks all the while, so that hours are computed and files written, merged and deleted under way. */
  cronTicks: boolean;
}

const MINUTE_MS = 60_000;
const DAY_MS = 24 * HOUR_MS;
/** Late in a day, so that a round comes to the next; and so long ago that the archive takes its days for settled. */
const STARTED_MS = 3 * DAY_MS - 19 * HOUR_MS;
const METRICS = ["level", "flow", "power"];
const KILLS = [
  "kill -9 of process and runtime",
  "kill -9 of the runtime first",
  "kill -9 that leaves the runtime a while",
] as const;

/** @param todayMs midnight: a round plays in the days before. */
export function planRound(seed: number, todayMs: number): Round {
  const random = new Random(seed, "round");
  const kinds: [Stream["kind"], devices: number, commitEveryMs: number, steps: number][] = [
    ["requests", 2, 0, 30],
    ["device socket", 1, 0, 60],
    ["device socket", 1, random.pick([MINUTE_MS, 15 * MINUTE_MS]), 70],
    ["gateway socket", 2, 0, 50],
  ];
  let named = 0;
  const streams = kinds.map(([kind, count, commitEveryMs, length]): Stream => {
    const devices = Array.from({ length: count }, () => `device-${++named}`);
    const sent = new Writer(random, devices, todayMs - STARTED_MS, kind === "requests").write(length);
    return { kind, devices, commitEveryMs, steps: sent.map((step) => withOuterFaults(step, kind, random)) };
  });
  const kills = planKills(random);
  const deletes = random.hits(0.15);
  if (deletes) streams[0]!.steps[random.between(8, 22)]!.deletesFirst = true;
  const rates = drawRates(random);
  // A deletion is dozens of storage calls in a row, each of which has to be made.
  for (const fault of deletes ? WORKER_FAULTS.filter((name) => /D1|R2/.test(name)) : []) {
    if (rates[fault] !== undefined) rates[fault] = Math.min(rates[fault], 0.05);
  }
  const cronTicks = deletes || random.hits(0.3);
  const office = new Random(seed, "acts");
  const acts = planActs(office);
  if (acts.some(({ does }) => does === "limit") && office.hits(0.5)) giveUpSome(streams[0]!, office, rates);
  return {
    ...{ seed, tenant: `fault-${seed}`, rates, streams, acts, cronTicks },
    kills: planRotation(office, kills),
  };
}

export function planKills(random: Random): Kill[] {
  return Array.from({ length: random.pick([0, 0, 1, 1, 2]) }, () => ({
    afterShare: 0.1 + 0.8 * random.next(),
    delayMs: random.between(0, 40),
    how: random.pick(KILLS),
  })).sort((a, b) => a.afterShare - b.afterShare);
}

/** An object that dies after its commit may be asked again, and refuse what it has stored: nobody could tell. */
function giveUpSome({ steps }: Stream, random: Random, rates: FaultRates): void {
  for (const fault of WORKER_FAULTS) if (fault.startsWith("object dies")) delete rates[fault];
  for (const step of steps) if (!step.isCorrection && random.hits(0.85)) step.givesUp = true;
}

function withOuterFaults(step: Step, kind: Stream["kind"], random: Random): Step {
  const cut = random.hits(0.05) ? { cutAfter: random.next() } : {};
  const evict = random.hits(0.05) ? { evict: random.pick(["hibernate", "hibernate", "close"] as const) } : {};
  const pauseMs = kind === "requests" ? random.between(0, 60) : random.between(0, 30);
  return { ...step, ...cut, ...evict, pauseMs };
}

/** Writes what the devices of a stream send; the clock goes on with it. */
class Writer {
  readonly #random: Random;
  readonly #devices: string[];
  readonly #together: boolean;
  readonly #known = new Map<string, Report[]>();
  #clockMs: number;
  #steps: Step[] = [];

  /** @param together reports of one occasion leave in one request. */
  constructor(random: Random, devices: string[], startMs: number, together: boolean) {
    this.#random = random;
    this.#devices = devices;
    this.#clockMs = startMs;
    this.#together = together;
  }

  write(length: number): Step[] {
    while (this.#steps.length < length) {
      const random = this.#random;
      const device = random.pick(this.#devices);
      const known = this.#known.get(device) ?? [];
      const occasion = random.next();
      if (occasion < 0.55 || known.length === 0) this.#pass(random.pick([10_000, 5, 10, 20]));
      else if (occasion < 0.62) this.#pass(random.between(60, 300));
      if (occasion < 0.62 || known.length === 0)
        this.#send(this.#devices.map((own) => this.#fresh(own, random.between(0, 20_000))));
      else if (occasion < 0.72) this.#send(this.#series(device, random.between(1, 30) * 1_000, 5));
      else if (occasion < 0.82) this.#send([this.#fresh(device, random.between(MINUTE_MS, 8 * HOUR_MS))]);
      else if (occasion < 0.9) this.#send([random.pick(known)], true);
      else if (occasion < 0.97) this.#send([this.#correction(random.pick(known))], true);
      else this.#send(this.#series(device, random.between(DAY_MS, 5 * DAY_MS), 25));
    }
    return this.#steps;
  }

  /** Minutes, or ms from a second up. */
  #pass(time: number): void {
    this.#clockMs += time >= 1_000 ? time : time * MINUTE_MS;
  }

  #send(reports: Report[], isCorrection = false): void {
    const occasions = this.#together ? [reports] : reports.map((report) => [report]);
    for (const own of occasions) {
      this.#steps.push({ pauseMs: 0, clockMs: this.#clockMs, reports: own, isCorrection });
    }
  }

  /** A report of an instant of which nothing was said yet. */
  #fresh(device: string, agoMs: number): Report {
    const known = this.#known.get(device) ?? [];
    let at = this.#clockMs - agoMs;
    while (known.some((report) => report.at === at)) at -= 1;
    const names = this.#random.shuffled(METRICS).slice(0, this.#random.between(1, METRICS.length));
    const report = { device, at, metrics: this.#values(names) };
    this.#known.set(device, [...known, report]);
    return report;
  }

  /** What a device has gathered while it was away, newest first, oldest first or neither. */
  #series(device: string, agoMs: number, length: number): Report[] {
    const everyMs = this.#random.pick([1_000, 7_000, 11 * MINUTE_MS]);
    const reports = Array.from({ length }, (_, i) => this.#fresh(device, agoMs + i * everyMs));
    return this.#random.pick([reports, reports.toReversed(), this.#random.shuffled(reports)]);
  }

  #correction({ device, at, metrics }: Report): Report {
    const names = Object.keys(metrics);
    return { device, at, metrics: this.#values(names.slice(0, this.#random.between(1, names.length))) };
  }

  /** Quarters: their sums are exact in any order. */
  #values(names: readonly string[]): Record<string, number> {
    return Object.fromEntries(names.map((name) => [name, this.#random.between(-4_000, 4_000) / 4]));
  }
}
