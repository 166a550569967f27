// The table of a zone: sortable heads, one row a device, columns of equal width however many there are.
import { useEffect, useState } from "preact/hooks";
import { DeviceRow } from "./device-row.tsx";
import { formatCount } from "./format.ts";
import { isSameKey, type MetricColumn, nextSort, type Sort, type SortKey } from "./table-shape.ts";
import type { ZoneWatch } from "./zone-watch.ts";

interface ZoneTableProps {
  watch: ZoneWatch;
  order: readonly string[];
  columns: readonly MetricColumn[];
  sort: Sort;
  onSort: (sort: Sort) => void;
  onTouch: () => void;
}

/** Rows of the first paint; the rest follow in the next frames. */
const FIRST_ROWS = 80;
const ROWS_PER_FRAME = 300;
/** Beyond this a browser grows slow and an operator filters anyway. */
const ROWS_MAX = 3_000;

export function ZoneTableView({ watch, order, columns, sort, onSort, onTouch }: ZoneTableProps) {
  const rowCount = useGrowingCount(Math.min(order.length, ROWS_MAX));
  const trendMetric = sort.key.by === "metric" ? sort.key.metric : (columns[0]?.metric ?? null);
  const head = (key: SortKey, label: string, className: string) => (
    <SortHead key={label} sortKey={key} label={label} className={className} sort={sort} onSort={onSort} />
  );
  return (
    <div class="table-scroll" onPointerMove={onTouch} onFocusCapture={onTouch}>
      <table class="zone-table" data-testid="zone-table" style={{ "--metrics": columns.length }}>
        <thead>
          <tr>
            {head({ by: "name" }, "Device", "cell-name")}
            {head({ by: "heard" }, "Heard", "cell-heard")}
            {columns.map(({ metric }) => head({ by: "metric", metric }, metric, "cell-value"))}
            <th scope="col" class="cell-trend">
              <span title={`${trendMetric ?? "Nothing"}, since this page was opened`}>
                Trend{trendMetric && ` · ${trendMetric}`}
              </span>
            </th>
          </tr>
        </thead>
        <tbody>
          {order.slice(0, rowCount).map((device) => (
            <DeviceRow
              key={device}
              watch={watch}
              device={device}
              columns={columns}
              trendMetric={trendMetric}
            />
          ))}
        </tbody>
      </table>
      {order.length > ROWS_MAX && (
        <p class="more">
          The first {formatCount(ROWS_MAX)} of {formatCount(order.length)} rows are shown. Filter to see the
          others.
        </p>
      )}
    </div>
  );
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

/** Grows to `target` over some frames, so the first rows are on the screen before the thousandth is made. */
function useGrowingCount(target: number): number {
  const [count, setCount] = useState(FIRST_ROWS);
  const isGrowing = count < target;
  useEffect(() => {
    if (!isGrowing) return;
    const request = requestAnimationFrame(() => setCount(count + ROWS_PER_FRAME));
    return () => cancelAnimationFrame(request);
  }, [count, isGrowing]);
  return Math.min(count, target);
}
