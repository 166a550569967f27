// What happened during a replay, counted → one result.
import { VERDICTS, type Verdict } from "../../schemas/codes.ts";

export type VerdictCounts = Record<Verdict, number>;

export interface ReplayResult {
  /** Reports read from the recording, without the empty ones; acknowledged and not. */
  reports: { read: number; empty: number; acknowledged: number; unacknowledged: number };
  /** `unaccounted`: readings of acknowledged reports for which the server gave no verdict. It ought to be 0. */
  readings: VerdictCounts & { acknowledged: number; unaccounted: number };
  devices: number;
  /** Answered or not; over sockets: connections opened. */
  requests: number;
  retries: number;
  /** Problems as the server listed them, by code; for a request refused whole, by the code of its problem document. */
  problems: Record<string, number>;
  /** From sending to the answer or acknowledgement, of the try that succeeded. */
  latencyMs: { p50: number; p95: number; p99: number; max: number };
  seals: { sealed: number; notFound: number; failed: number };
  readingsPerSecond: number;
  durationMs: number;
  interrupted: boolean;
  /** Why the replay stopped early, if it did. */
  failure?: string;
}

export function countReadings(reports: readonly { metrics: Record<string, number> }[]): number {
  return reports.reduce((sum, report) => sum + Object.keys(report.metrics).length, 0);
}

const noVerdicts = () => Object.fromEntries(VERDICTS.map((verdict) => [verdict, 0])) as VerdictCounts;

/** Value below which `share` of a sorted list lies (nearest rank). */
function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0;
}

const round1 = (value: number) => Math.round(value * 10) / 10;

export class Tally {
  readonly verdicts = noVerdicts();
  readonly problems = new Map<string, number>();
  readonly devices = new Set<string>();
  readonly seals = { sealed: 0, notFound: 0, failed: 0 };
  readonly #latenciesMs: number[] = [];
  read = 0;
  empty = 0;
  acknowledged = 0;
  acknowledgedReadings = 0;
  requests = 0;
  retries = 0;
  failure: string | undefined;

  addAcknowledged(reports: number, readings: number): void {
    this.acknowledged += reports;
    this.acknowledgedReadings += readings;
  }

  addVerdicts(counts: Partial<VerdictCounts>): void {
    for (const verdict of VERDICTS) this.verdicts[verdict] += counts[verdict] ?? 0;
  }

  addProblem(code: string): void {
    this.problems.set(code, (this.problems.get(code) ?? 0) + 1);
  }

  addLatency(latencyMs: number): void {
    this.#latenciesMs.push(latencyMs);
  }

  result(durationMs: number, interrupted: boolean): ReplayResult {
    const sorted = Float64Array.from(this.#latenciesMs).sort() as unknown as readonly number[];
    const judged = VERDICTS.reduce((sum, verdict) => sum + this.verdicts[verdict], 0);
    return {
      reports: {
        read: this.read,
        empty: this.empty,
        acknowledged: this.acknowledged,
        unacknowledged: this.read - this.acknowledged,
      },
      readings: {
        acknowledged: this.acknowledgedReadings,
        ...this.verdicts,
        unaccounted: this.acknowledgedReadings - judged,
      },
      devices: this.devices.size,
      requests: this.requests,
      retries: this.retries,
      problems: Object.fromEntries([...this.problems].sort(([, a], [, b]) => b - a)),
      latencyMs: {
        p50: round1(percentile(sorted, 0.5)),
        p95: round1(percentile(sorted, 0.95)),
        p99: round1(percentile(sorted, 0.99)),
        max: round1(percentile(sorted, 1)),
      },
      seals: { ...this.seals },
      readingsPerSecond: durationMs > 0 ? Math.round((this.acknowledgedReadings * 1000) / durationMs) : 0,
      durationMs: Math.round(durationMs),
      interrupted,
      ...(this.failure === undefined ? {} : { failure: this.failure }),
    };
  }
}

/** Everything read was acknowledged, and every reading of it has a verdict. */
export function isWhole({ reports, readings, failure }: ReplayResult): boolean {
  return reports.unacknowledged === 0 && readings.unaccounted === 0 && failure === undefined;
}
