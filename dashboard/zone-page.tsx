// All devices of a zone, live.
import { useMemo, useState } from "preact/hooks";
import { useChanges } from "./context.ts";
import { formatCount } from "./format.ts";
import { MetricPicker } from "./metric-picker.tsx";
import type { Presence } from "./presence.ts";
import { alertsLink, fleetLink } from "./route.ts";
import { Shell } from "./shell.tsx";
import type { MetricColumn, RowFilter, Sort } from "./table-shape.ts";
import { useChosenColumns, useZoneTable } from "./use-zone-table.ts";
import { useZoneWatch } from "./use-zone-watch.ts";
import { ZoneTableView } from "./zone-table.tsx";
import type { ZoneWatch } from "./zone-watch.ts";

/** Values a sparkline remembers of each metric of each device. */
const TRAIL_COUNT_MAX = 40;
const BY_NAME: Sort = { key: { by: "name" }, descending: false };

export function ZonePage({ zone }: { zone: string }) {
  const watch = useZoneWatch(zone, null, TRAIL_COUNT_MAX);
  const [sort, setSort] = useState(BY_NAME);
  const [text, setText] = useState("");
  const [presence, setPresence] = useState<RowFilter["presence"]>("all");
  const filter = useMemo(() => ({ text, presence }), [text, presence]);
  const { table, hold } = useZoneTable(watch, sort, filter);
  const { shown, choose, isChosen } = useChosenColumns(zone, table.columns);
  const total = watch.state.devices.size;
  return (
    <Shell crumbs={[{ label: "Fleet", href: fleetLink() }, { label: zone }]} watch={watch}>
      <div class="page wide">
        <div class="page-head">
          <h1>{zone}</h1>
          <Summary watch={watch} zone={zone} total={total} connected={table.counts.connected} />
        </div>
        <div class="tools">
          <input
            type="search"
            class="filter"
            placeholder="Filter by name, id or model"
            aria-label="Filter devices by name, id or model"
            data-testid="zone-filter"
            value={text}
            onInput={(event) => setText(event.currentTarget.value)}
          />
          <PresenceFilter total={total} counts={table.counts} value={presence} onChange={setPresence} />
          <SortChoice sort={sort} columns={shown} onSort={setSort} />
          <MetricPicker columns={table.columns} shown={shown} isChosen={isChosen} onChoose={choose} />
        </div>
        <ZoneTableView
          watch={watch}
          order={table.order}
          columns={shown}
          sort={sort}
          onSort={setSort}
          onTouch={hold}
        />
        <EmptyNote watch={watch} total={total} rowCount={table.order.length} />
      </div>
    </Shell>
  );
}

interface SummaryProps {
  watch: ZoneWatch;
  zone: string;
  total: number;
  connected: number;
}

function Summary({ watch, zone, total, connected }: SummaryProps) {
  const missingCount = watch.state.missing.size;
  const alertingCount = watch.state.alerts.size;
  if (watch.state.seq === null) return <p class="summary"> </p>;
  return (
    <p class="summary">
      {formatCount(total)} {total === 1 ? "device" : "devices"} · {formatCount(connected)} connected
      {alertingCount > 0 && (
        <>
          {" · "}
          <a class="alerting" href={alertsLink({ zone })}>
            {formatCount(alertingCount)} alerting
          </a>
        </>
      )}
      {missingCount > 0 && (
        <span title={[...watch.state.missing].slice(0, 50).join(", ")}>
          {" "}
          · {formatCount(missingCount)} did not answer
        </span>
      )}
    </p>
  );
}

function EmptyNote({ watch, total, rowCount }: { watch: ZoneWatch; total: number; rowCount: number }) {
  useChanges((listener) => watch.onConnection(listener), watch);
  if (rowCount > 0) return null;
  if (total > 0) return <p class="empty">No device matches the filter.</p>;
  if (watch.state.seq !== null) return <p class="empty">No devices in this zone.</p>;
  return (
    <p class="empty">
      {watch.connection === "reconnecting" ? "The zone cannot be reached." : "Asking the devices…"}
    </p>
  );
}

const PRESENCES: { id: RowFilter["presence"]; label: string }[] = [
  { id: "all", label: "All" },
  { id: "connected", label: "Connected" },
  { id: "reporting", label: "Reporting" },
  { id: "quiet", label: "Quiet" },
];

interface PresenceFilterProps {
  total: number;
  counts: Record<Presence, number>;
  value: RowFilter["presence"];
  onChange: (value: RowFilter["presence"]) => void;
}

function PresenceFilter({ total, counts, value, onChange }: PresenceFilterProps) {
  return (
    <fieldset class="segments" aria-label="Presence">
      {PRESENCES.map(({ id, label }) => (
        <button key={id} type="button" aria-pressed={value === id} onClick={() => onChange(id)}>
          {label} <span class="tally">{formatCount(id === "all" ? total : counts[id])}</span>
        </button>
      ))}
    </fieldset>
  );
}

/** Where the table is too narrow for heads, the order is chosen here. */
function SortChoice({
  sort,
  columns,
  onSort,
}: {
  sort: Sort;
  columns: MetricColumn[];
  onSort: (sort: Sort) => void;
}) {
  const value = sort.key.by === "metric" ? `m:${sort.key.metric}` : sort.key.by;
  return (
    <label class="sort-choice">
      <span aria-hidden="true">Sort</span>
      <select
        aria-label="Sort by"
        value={value}
        onChange={({ currentTarget }) => {
          const chosen = currentTarget.value;
          if (chosen === "name") onSort(BY_NAME);
          else if (chosen === "heard") onSort({ key: { by: "heard" }, descending: true });
          else onSort({ key: { by: "metric", metric: chosen.slice(2) }, descending: true });
        }}
      >
        <option value="name">Name</option>
        <option value="heard">Last heard</option>
        {columns.map(({ metric }) => (
          <option key={metric} value={`m:${metric}`}>
            {metric}, highest first
          </option>
        ))}
      </select>
    </label>
  );
}
