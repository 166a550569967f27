// The table of a zone: sortable heads, and of its rows those in sight, so that thousands of devices cost no more than a screenful.
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { ZoneWatch } from "../live/zone-watch.ts";
import { DeviceRow } from "./device-row.tsx";
import { type RowWindow, rowsInSight } from "./row-window.ts";
import {
  type ColumnFit,
  isSameKey,
  type MetricColumn,
  nextSort,
  type Sort,
  type SortKey,
} from "./table-shape.ts";
import type { NameShape } from "./use-zone-table.ts";

interface ZoneTableProps {
  watch: ZoneWatch;
  order: readonly string[];
  columns: readonly MetricColumn[];
  names: NameShape;
  fit: ColumnFit;
  sort: Sort;
  onSort: (sort: Sort) => void;
  onTouch: () => void;
  onWidth: (widthPx: number) => void;
}

/** Metrics in a line of a card, where the page is too narrow for a table. */
const CARD_COLUMNS = 3;

export function ZoneTableView(props: ZoneTableProps) {
  const { watch, order, columns, names, fit, sort, onSort, onTouch, onWidth } = props;
  const { scroller, body, probe, sight } = useRowsInSight(order.length, onWidth);
  const { focused, ...focusEvents } = useRowFocus(order, body);
  const trendMetric = sort.key.by === "metric" ? sort.key.metric : (columns[0]?.metric ?? null);
  const hasTrend = fit.hasTrend && trendMetric !== null;
  const head = (key: SortKey, label: string, className: string) => (
    <SortHead key={label} sortKey={key} label={label} className={className} sort={sort} onSort={onSort} />
  );
  const drawn = order
    .slice(sight.start, sight.end)
    .map((device, index) => ({ device, index: sight.start + index }));
  // Whose link has the focus keeps its row, wherever one has scrolled
  const focusedIndex = focused === null ? -1 : order.indexOf(focused);
  if (focusedIndex >= 0 && (focusedIndex < sight.start || focusedIndex >= sight.end)) {
    drawn[focusedIndex < sight.start ? "unshift" : "push"]({ device: focused!, index: focusedIndex });
  }
  const style = {
    "--metrics": columns.length,
    "--lines": Math.ceil(columns.length / CARD_COLUMNS),
    "--name-width": `${names.widthPx}px`,
    "--trend-width": hasTrend ? "132px" : "0px",
  };
  return (
    <div
      class={`table-scroll ${names.hasIds ? "with-ids" : ""}`}
      style={style}
      ref={scroller}
      onPointerMove={onTouch}
      onFocusCapture={onTouch}
    >
      <i class="row-probe" ref={probe} aria-hidden="true" />
      <table class="zone-table" data-testid="zone-table" aria-rowcount={order.length + 1}>
        <thead>
          <tr>
            {head({ by: "name" }, "Device", "cell-name")}
            {head({ by: "heard" }, "Heard", "cell-heard")}
            {columns.map(({ metric }) => head({ by: "metric", metric }, metric, "cell-value"))}
            {hasTrend && (
              <th scope="col" class="cell-trend">
                <span title={`${trendMetric}, since this page was opened`}>Trend · {trendMetric}</span>
              </th>
            )}
          </tr>
        </thead>
        <tbody ref={body} style={{ "--rows": order.length }} {...focusEvents}>
          {drawn.map(({ device, index }) => (
            <DeviceRow
              key={device}
              watch={watch}
              device={device}
              index={index}
              columns={columns}
              hasIds={names.hasIds}
              trendMetric={hasTrend ? trendMetric : null}
            />
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** Which rows the box shows, or the page where the box itself does not scroll. `probe` has a row's height. */
function useRowsInSight(count: number, onWidth: (widthPx: number) => void) {
  const scroller = useRef<HTMLDivElement>(null);
  const body = useRef<HTMLTableSectionElement>(null);
  const probe = useRef<HTMLElement>(null);
  const [sight, setSight] = useState<RowWindow>({ start: 0, end: 0 });
  const look = useRef(() => {});
  look.current = () => {
    if (scroller.current === null) return; // the page has gone, and its observer speaks once more
    const box = scroller.current.getBoundingClientRect();
    const { top } = body.current!.getBoundingClientRect();
    const [fromPx, toPx] = [Math.max(box.top, 0) - top, Math.min(box.bottom, innerHeight) - top];
    const next = rowsInSight(count, probe.current!.offsetHeight || 1, fromPx, Math.max(fromPx, toPx));
    setSight((before) => (before.start === next.start && before.end === next.end ? before : next));
  };
  useLayoutEffect(() => look.current(), [count]);
  useEffect(() => {
    const onScroll = () => look.current();
    const box = scroller.current!;
    const resize = new ResizeObserver(() => {
      onWidth(box.clientWidth);
      look.current();
    });
    resize.observe(box);
    resize.observe(probe.current!);
    // Captured: the box's scrolling does not bubble
    addEventListener("scroll", onScroll, { capture: true, passive: true });
    addEventListener("resize", onScroll);
    return () => {
      resize.disconnect();
      removeEventListener("scroll", onScroll, { capture: true });
      removeEventListener("resize", onScroll);
    };
  }, [onWidth]);
  return { scroller, body, probe, sight };
}

const STEPS: Record<string, (index: number, last: number) => number> = {
  ArrowDown: (index) => index + 1,
  ArrowUp: (index) => index - 1,
  PageDown: (index) => index + 10,
  PageUp: (index) => index - 10,
  Home: () => 0,
  End: (_, last) => last,
};

/** The device whose link has the focus; the arrow keys, page up and down, Home and End move it from row to row. */
function useRowFocus(order: readonly string[], body: { current: HTMLElement | null }) {
  const [focused, setFocused] = useState<string | null>(null);
  const wanted = useRef<string | null>(null);
  useLayoutEffect(() => {
    if (wanted.current === null || wanted.current !== focused) return;
    wanted.current = null;
    body.current?.querySelector<HTMLElement>(`[data-device="${CSS.escape(focused!)}"] a`)?.focus();
  }, [focused, body]);
  const deviceOf = (event: Event) =>
    (event.target as HTMLElement).closest<HTMLElement>("[data-device]")?.dataset.device ?? null;
  return {
    focused,
    onFocusCapture: (event: FocusEvent) => setFocused(deviceOf(event)),
    onBlurCapture: () => setFocused((before) => (wanted.current === null ? null : before)),
    onKeyDown: (event: KeyboardEvent) => {
      const device = deviceOf(event);
      const step = STEPS[event.key];
      if (device === null || step === undefined) return;
      event.preventDefault();
      const index = step(order.indexOf(device), order.length - 1);
      wanted.current = order[Math.max(0, Math.min(order.length - 1, index))] ?? null;
      setFocused(wanted.current);
    },
  };
}

interface SortHeadProps {
  sortKey: SortKey;
  label: string;
  className: string;
  sort: Sort;
  onSort: (sort: Sort) => void;
}

function SortHead({ sortKey, label, className, sort, onSort }: SortHeadProps) {
  const isSorted = isSameKey(sort.key, sortKey);
  return (
    <th
      scope="col"
      class={className}
      aria-sort={isSorted ? (sort.descending ? "descending" : "ascending") : "none"}
    >
      <button type="button" onClick={() => onSort(nextSort(sort, sortKey))} title={label}>
        <span>{label}</span>
        <svg class="arrow" viewBox="0 0 8 8" width="8" height="8" aria-hidden="true">
          <path d={sort.descending ? "M1 2.5h6L4 6.5z" : "M1 5.5h6L4 1.5z"} fill="currentColor" />
        </svg>
      </button>
    </th>
  );
}
