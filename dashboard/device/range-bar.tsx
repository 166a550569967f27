// Above the chart: which span of time it shows, how to move to another, and where the device's readings are.
import { dateField, formatDay } from "../base/format.ts";
import { lengthOf, paged, RANGES, type Shown, spanOf, upTo } from "../base/range.ts";

interface RangeBarProps {
  shown: Shown;
  nowMs: number;
  /** Where the device's readings begin, as far as that is known. */
  oldestAtMs: number | null;
  newestAtMs: number;
  onShow: (shown: Shown) => void;
}

export function RangeBar({ shown, nowMs, oldestAtMs, newestAtMs, onShow }: RangeBarProps) {
  const { startMs, endMs } = spanOf(shown, nowMs, newestAtMs);
  const all = { kind: "past", startMs: oldestAtMs ?? newestAtMs, endMs: newestAtMs + 1 } as const;
  const isAll = shown.kind === "past" && startMs <= all.startMs && endMs >= all.endMs;
  const isNewestShown = startMs <= newestAtMs && newestAtMs < endMs;
  const [firstDay, lastDay] = [dateField(startMs), dateField(endMs - 1)];
  const showDays = (from: string, to: string) => {
    const [fromMs, toMs] = [dayStart(from, 0), dayStart(to, 1)];
    // A year that is being typed begins as the year 2
    if (fromMs >= 0 && fromMs < toMs) onShow({ kind: "past", startMs: fromMs, endMs: toMs });
  };
  return (
    <div class="tools range-bar" data-testid="range-bar" data-shown={shown.kind}>
      <fieldset class="segments" aria-label="Range">
        {RANGES.map((range) => (
          <button
            key={range.id}
            type="button"
            data-range={range.id}
            aria-pressed={lengthOf(shown) === range.spanMs}
            onClick={() =>
              onShow(upTo(shown.kind === "live" ? Math.min(nowMs, newestAtMs + 1) : endMs, range, nowMs))
            }
          >
            {range.label}
          </button>
        ))}
        {oldestAtMs !== null && (
          <button
            type="button"
            data-range="all"
            aria-pressed={isAll}
            title={`${formatDay(oldestAtMs, nowMs)} – ${formatDay(newestAtMs, nowMs)}`}
            onClick={() => onShow(all)}
          >
            All
          </button>
        )}
      </fieldset>
      <div class="segments pager">
        <button
          type="button"
          aria-label="Earlier"
          title="Earlier"
          disabled={oldestAtMs !== null && startMs <= oldestAtMs}
          onClick={() => onShow(paged(shown, -1, nowMs))}
        >
          ‹
        </button>
        <button
          type="button"
          aria-label="Later"
          title="Later"
          disabled={shown.kind === "live" || endMs > Math.max(nowMs, newestAtMs)}
          onClick={() => onShow(paged(shown, 1, nowMs))}
        >
          ›
        </button>
        {!isNewestShown && (
          <button
            type="button"
            data-testid="to-newest"
            onClick={() => onShow(upTo(newestAtMs + 1, nearestRange(lengthOf(shown)), nowMs))}
          >
            Newest data
          </button>
        )}
      </div>
      <div class="days">
        <input
          type="date"
          aria-label="First day"
          value={firstDay}
          onChange={({ currentTarget: { value } }) => showDays(value, value > lastDay ? value : lastDay)}
        />
        <span aria-hidden="true">–</span>
        <input
          type="date"
          aria-label="Last day"
          value={lastDay}
          onChange={({ currentTarget: { value } }) => showDays(value < firstDay ? value : firstDay, value)}
        />
      </div>
    </div>
  );
}

/** Midnight, in the viewer's time zone, of the day a date field has or so many days after; NaN for an empty field. */
function dayStart(field: string, daysLater: number): number {
  const [year, month, day] = field.split("-").map(Number);
  return new Date(year!, month! - 1, day! + daysLater).getTime();
}

const nearestRange = (spanMs: number) => RANGES.find((range) => range.spanMs >= spanMs) ?? RANGES.at(-1)!;
