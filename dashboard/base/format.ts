// Numbers, ages and instants → what an operator reads. Widths stay steady while values move.

const formatters = new Map<number, Intl.NumberFormat>();

/** Decimals that fit a metric: as many as its values use, no more than their size makes meaningful. */
export function decimalsOf(values: Iterable<number>): number {
  let used = 0;
  let largest = 0;
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    largest = Math.max(largest, Math.abs(value));
    if (used < 4) used = Math.max(used, decimalsUsed(value));
  }
  return Math.min(used, largest >= 100 ? 1 : largest >= 1 ? 2 : largest >= 0.1 ? 3 : 4);
}

/** `21.50`, `1013.2`, `12,345`, `12.35 M`, `3.2e-7`; without `decimals` it is chosen from the value alone. */
export function formatValue(value: number, decimals = decimalsOf([value])): string {
  const size = Math.abs(value);
  if (!Number.isFinite(value)) return "—";
  if (size >= 1e15 || (size > 0 && size < 5e-5)) return value.toExponential(2);
  if (size >= 1e12) return `${fixed(value / 1e12, 2)} T`;
  if (size >= 1e9) return `${fixed(value / 1e9, 2)} G`;
  if (size >= 1e7) return `${fixed(value / 1e6, 2)} M`;
  return fixed(value, decimals);
}

/** `now`, `12 s ago`, `5 min ago`, `3 h ago`, `9 d ago`, `9 y ago`; `never` for null. */
export function formatAge(ageMs: number | null): string {
  if (ageMs === null) return "never";
  const seconds = Math.floor(ageMs / 1000);
  if (seconds < 5) return "now";
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 2 * 86_400) return `${Math.floor(seconds / 3600)} h ago`;
  const days = Math.floor(seconds / 86_400);
  return days < 2 * 365 ? `${days} d ago` : `${Math.floor(days / 365.25)} y ago`;
}

/** `800 ms`, `10 s`, `5 min`, `1.5 h`, `2 d`: a length of time, to two figures or so. */
export function formatLength(lengthMs: number): string {
  const [unit, unitMs] = LENGTHS.find(([, ms]) => lengthMs >= 0.95 * ms) ?? LENGTHS.at(-1)!;
  const count = lengthMs / unitMs;
  return `${count < 9.5 ? Number(count.toFixed(1)) : Math.round(count)} ${unit}`;
}

const LENGTHS: [unit: string, ms: number][] = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["min", 60_000],
  ["s", 1_000],
  ["ms", 1],
];

/** `1,204`: a count of things. */
export function formatCount(count: number): string {
  return fixed(count, 0);
}

export function formatBytes(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  if (bytes < 1e6) return `${(bytes / 1e3).toFixed(1)} KB`;
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

const MONTH_MS_MIN = 28 * 86_400_000;

/** A tick of a time axis whose ticks are `stepMs` apart, in the viewer's time zone: a clock, or the day or month it begins. */
export function formatTick(atMs: number, stepMs: number): string {
  const date = new Date(atMs);
  if (stepMs >= MONTH_MS_MIN) return `${MONTHS[date.getMonth()]} ${date.getFullYear()}`;
  const isMidnight = date.getHours() === 0 && date.getMinutes() === 0 && date.getSeconds() === 0;
  if (isMidnight || stepMs >= 86_400_000) return `${date.getDate()} ${MONTHS[date.getMonth()]}`;
  const clock = `${two(date.getHours())}:${two(date.getMinutes())}`;
  return stepMs < 60_000 ? `${clock}:${two(date.getSeconds())}` : clock;
}

/** `22 Nov 14:05:09`, in the viewer's time zone; `22 Nov 2017 14:05:09` when that is another year than `nowMs` is in. */
export function formatInstant(atMs: number, nowMs = atMs): string {
  const date = new Date(atMs);
  const clock = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(":");
  return `${formatDay(atMs, nowMs)} ${clock}`;
}

/** `22 Nov`, or `22 Nov 2017` when that is another year than `nowMs` is in. */
export function formatDay(atMs: number, nowMs = atMs): string {
  const date = new Date(atMs);
  const year = date.getFullYear() === new Date(nowMs).getFullYear() ? "" : ` ${date.getFullYear()}`;
  return `${date.getDate()} ${MONTHS[date.getMonth()]}${year}`;
}

/** `2026-11-22`, the day in the viewer's time zone, as a date field has it. */
export function dateField(atMs: number): string {
  const date = new Date(atMs);
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

/** `22 Nov 2026 14:05`, in the viewer's time zone: of what may be a year away. */
export function formatDated(atMs: number): string {
  const date = new Date(atMs);
  const clock = `${two(date.getHours())}:${two(date.getMinutes())}`;
  return `${date.getDate()} ${MONTHS[date.getMonth()]} ${date.getFullYear()} ${clock}`;
}

function fixed(value: number, decimals: number): string {
  let formatter = formatters.get(decimals);
  if (!formatter) {
    formatter = new Intl.NumberFormat("en", {
      minimumFractionDigits: decimals,
      maximumFractionDigits: decimals,
      useGrouping: "min2",
    });
    formatters.set(decimals, formatter);
  }
  const text = formatter.format(value);
  // A true minus is as wide as a digit, so a column does not jump; "-0" is zero.
  return /^-[0.,]*$/.test(text) ? text.slice(1) : text.replace("-", "−");
}

function decimalsUsed(value: number): number {
  for (let decimals = 0; decimals < 4; decimals++) {
    const scale = 10 ** decimals;
    if (Math.abs(Math.round(value * scale) / scale - value) < 1e-9 * Math.max(1, Math.abs(value)))
      return decimals;
  }
  return 4;
}

function two(part: number): string {
  return String(part).padStart(2, "0");
}
