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
