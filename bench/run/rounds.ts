// Competitors → medians over rounds in which each has its turn, so that a noisy minute hits all of them alike.
import { cpuMs } from "./cpu.ts";

export interface Turn {
  /** Whole operations done: requests, or messages acknowledged. */
  operations: number;
  durationMs: number;
  latenciesMs?: number[];
}

export interface Competitor {
  name: string;
  /** The processes that serve it. */
  pids: readonly number[];
  run(durationMs: number): Promise<Turn>;
}

export interface Standing {
  name: string;
  perSecond: number;
  /** The slowest and fastest round. */
  range: [number, number];
  cpuMicroseconds: number | undefined;
  p50Ms: number | undefined;
  p99Ms: number | undefined;
  /** Each round, for ratios taken within a round. */
  rounds: number[];
}

export interface Effort {
  rounds: number;
  turnMs: number;
}

export const FULL: Effort = { rounds: 5, turnMs: 1_000 };
export const QUICK: Effort = { rounds: 3, turnMs: 200 };

/** Every other round runs in reverse order, and the first round is not counted: it warms caches, JIT and files. */
export async function runRounds(
  competitors: readonly Competitor[],
  { rounds, turnMs }: Effort,
): Promise<Standing[]> {
  const turns = new Map<
    Competitor,
    { perSecond: number; cpuMicroseconds: number | undefined; latenciesMs: number[] }[]
  >();
  for (const competitor of competitors) turns.set(competitor, []);
  for (let round = 0; round <= rounds; round++) {
    for (const competitor of round % 2 === 0 ? competitors : competitors.toReversed()) {
      const before = cpuMs(competitor.pids);
      const { operations, durationMs, latenciesMs } = await competitor.run(turnMs);
      const after = cpuMs(competitor.pids);
      if (round === 0) continue;
      const cpuMicroseconds =
        before === undefined || after === undefined ? undefined : ((after - before) * 1000) / operations;
      const perSecond = (operations * 1000) / durationMs;
      turns.get(competitor)!.push({ perSecond, cpuMicroseconds, latenciesMs: latenciesMs ?? [] });
    }
  }
  return competitors.map((competitor) => {
    const own = turns.get(competitor)!;
    const rates = own.map(({ perSecond }) => perSecond);
    const cpu = own.flatMap(({ cpuMicroseconds }) => cpuMicroseconds ?? []);
    const latencies = own.flatMap(({ latenciesMs }) => latenciesMs);
    return {
      name: competitor.name,
      perSecond: median(rates)!,
      range: [Math.min(...rates), Math.max(...rates)],
      cpuMicroseconds: median(cpu),
      p50Ms: quantile(latencies, 0.5),
      p99Ms: quantile(latencies, 0.99),
      rounds: rates,
    };
  });
}

/** The median of the ratios of two competitors' rates, round by round. */
export const ratioOf = (a: Standing, b: Standing) =>
  median(a.rounds.map((rate, round) => rate / b.rounds[round]!))!;

export const median = (values: readonly number[]) => quantile(values, 0.5);

/** Nearest rank; undefined of nothing. */
export function quantile(values: readonly number[], share: number): number | undefined {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
}
