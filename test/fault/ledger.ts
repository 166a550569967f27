// What was sent and what was acknowledged → what every tier must hold: the model, said as plainly as can be.

export interface Report {
  device: string;
  at: number;
  metrics: Record<string, number>;
}

interface Entry {
  value: number;
  /** A sending of it may still be on its way on a line that was cut, and arrive at any time. */
  inDoubt: boolean;
}

export interface Hour {
  count: number;
  sum: number;
  min: number;
  max: number;
}

export const HOUR_MS = 3_600_000;

export class Ledger {
  readonly #devices = new Map<string, Map<string, Map<number, Entry>>>();
  readonly #receivedAt = new Map<string, number>();
  /** Readings that were sent and must not be there, as `device/metric/at`. */
  readonly #forbidden = new Set<string>();
  /** Readings in reports that were acknowledged, repetitions and corrections among them. */
  acknowledged = 0;
  /** Readings that were sent, each (device, metric, at) once. */
  distinct = 0;
  /** What was done for a void token all the same, in words. */
  readonly accepted: string[] = [];

  /**
   * Notes a report as about to be sent for the first time, and gives it as it may be sent: a reading in doubt is not
   * corrected, for its old value could arrive after the new one, and nobody could tell what should then hold.
   */
  take({ device, at, metrics }: Report): Report {
    const sent: Report = { device, at, metrics: {} };
    for (const [metric, value] of Object.entries(metrics)) {
      const entries = this.#entriesOf(device, metric);
      const known = entries.get(at);
      if (known === undefined) this.distinct += 1;
      const kept = known?.inDoubt ? known : { value, inDoubt: false };
      entries.set(at, kept);
      sent.metrics[metric] = kept.value;
      this.#forbidden.delete(nameOf(device, metric, at));
    }
    return sent;
  }

  /** Notes a report that is sent and must not be taken: its token is void. */
  forbid({ device, at, metrics }: Report): void {
    for (const metric of Object.keys(metrics)) this.#forbidden.add(nameOf(device, metric, at));
  }

  /** A report that was sent once, of instants of which nothing was said before, was refused and is given up: it must not be there. */
  giveUp(report: Report): void {
    for (const metric of Object.keys(report.metrics)) {
      if (this.#entriesOf(report.device, metric).delete(report.at)) this.distinct -= 1;
    }
    this.forbid(report);
  }

  isForbidden(device: string, metric: string, at: number): boolean {
    return this.#forbidden.has(nameOf(device, metric, at));
  }

  /** A line was cut, or an answer never came, with these on it. */
  doubt(reports: readonly Report[]): void {
    for (const { device, at, metrics } of reports) {
      for (const metric of Object.keys(metrics)) this.#entriesOf(device, metric).get(at)!.inDoubt = true;
    }
  }

  /** The runtime is dead, and with it all that was on its way. */
  endDoubts(): void {
    for (const metrics of this.#devices.values())
      for (const entries of metrics.values()) for (const entry of entries.values()) entry.inDoubt = false;
  }

  /** The device was deleted, and begins a new life of which nothing is known. */
  forget(device: string): void {
    for (const entries of this.#devices.get(device)?.values() ?? []) this.distinct -= entries.size;
    this.#devices.delete(device);
    this.#receivedAt.delete(device);
  }

  /** They were taken, when it was `clockMs` for the server. */
  acknowledge(reports: readonly Report[], clockMs: number): void {
    for (const { device, metrics } of reports) {
      this.acknowledged += Object.keys(metrics).length;
      this.#receivedAt.set(device, Math.max(clockMs, this.#receivedAt.get(device) ?? 0));
    }
  }

  get devices(): string[] {
    return [...this.#devices.keys()].filter((device) => this.metricsOf(device).length > 0);
  }

  metricsOf(device: string): string[] {
    const metrics = [...(this.#devices.get(device) ?? [])];
    return metrics.filter(([, entries]) => entries.size > 0).map(([metric]) => metric);
  }

  /** `[at, value]`, ascending. */
  readings(device: string, metric: string): [at: number, value: number][] {
    return [...this.#entriesOf(device, metric)]
      .map(([at, { value }]): [number, number] => [at, value])
      .sort(([a], [b]) => a - b);
  }

  hours(device: string, metric: string): Map<number, Hour> {
    const hours = new Map<number, Hour>();
    for (const [at, value] of this.readings(device, metric)) {
      const startMs = Math.floor(at / HOUR_MS) * HOUR_MS;
      const hour = hours.get(startMs) ?? { count: 0, sum: 0, min: value, max: value };
      hour.count += 1;
      hour.sum += value;
      hour.min = Math.min(hour.min, value);
      hour.max = Math.max(hour.max, value);
      hours.set(startMs, hour);
    }
    return hours;
  }

  receivedAt(device: string): number {
    return this.#receivedAt.get(device)!;
  }

  #entriesOf(device: string, metric: string): Map<number, Entry> {
    const metrics = this.#devices.get(device) ?? new Map<string, Map<number, Entry>>();
    this.#devices.set(device, metrics);
    const entries = metrics.get(metric) ?? new Map<number, Entry>();
    metrics.set(metric, entries);
    return entries;
  }
}

const nameOf = (device: string, metric: string, at: number) => `${device}/${metric}/${at}`;
