// The readings every benchmark sends: ten two-decimal metrics, random walks of several roughnesses, 10 s apart.

export const METRICS = 10;
export const REPORT_EVERY_MS = 10_000;
/** When the first report was made; the top of an hour. */
export const START_MS = Date.UTC(2026, 10, 22, 10);

const VARIANTS = 2_160;

/** The metrics of report `n`, as JSON text; the same for every device. */
export function metricsText(n: number): string {
  return TEXTS[n % VARIANTS]!;
}

/** The metrics of report `n`. */
export function metricsOf(n: number): Record<string, number> {
  return JSON.parse(metricsText(n));
}

/** When report `n` was made. */
export const atOf = (n: number) => START_MS + n * REPORT_EVERY_MS;

/** What a benchmark's clock moves by, as `commitEveryMs`, where a fleet's would move by a minute or a quarter of an hour. */
export const CLOCK_STEP_MS = 10;

const REPORTS_AN_HOUR = 3_600_000 / REPORT_EVERY_MS;

/**
 * The receipt clock of report `n`: near the end of the report's hour, one step on after every `commitReports` reports.
 * It must not run ahead of the wall clock with each report: an object plans its alarm by the difference of the two, and
 * would plan anew, a row and some 2 ms of CPU, at each commit.
 */
export function clockOf(n: number, commitReports = REPORTS_AN_HOUR): number {
  const hourEndMs = START_MS + (Math.floor(n / REPORTS_AN_HOUR) + 1) * 3_600_000;
  return hourEndMs - 10_000 + CLOCK_STEP_MS * Math.floor((n % REPORTS_AN_HOUR) / commitReports);
}

const TEXTS = makeTexts();

function makeTexts(): string[] {
  let seed = 7;
  const random = () => {
    seed = (Math.imul(seed, 1664525) + 1013904223) | 0;
    return (seed >>> 0) / 2 ** 32;
  };
  const noise = () => random() + random() + random() + random() - 2;
  const levels = Array.from({ length: METRICS }, (_, metric) => 20 + metric * 7);
  return Array.from({ length: VARIANTS }, (_, n) => {
    const metrics = levels.map((level, metric) => {
      levels[metric] = level + noise() * 0.09 * (metric % 4);
      const value = levels[metric] + noise() * 0.035 * (metric % 3) + Math.sin(n / 60);
      return [`metric_${metric}`, Math.round(value * 100) / 100];
    });
    return JSON.stringify(Object.fromEntries(metrics));
  });
}
