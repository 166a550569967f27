// All devices of a zone, live.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { DeviceList } from "../base/answers.ts";
import { useApi, useChanges } from "../base/context.ts";
import { formatCount } from "../base/format.ts";
import { alertsLink, deviceLink, fleetLink } from "../base/route.ts";
import { useAnswer } from "../base/use-answer.ts";
import type { Presence } from "../live/presence.ts";
import { useZoneWatch } from "../live/use-zone-watch.ts";
import type { ZoneWatch } from "../live/zone-watch.ts";
import { Awaited } from "../notices.tsx";
import { Shell } from "../shell.tsx";
import { MetricPicker } from "./metric-picker.tsx";
import { fitColumns, type MetricColumn, type RowFilter, type Sort } from "./table-shape.ts";
import { useChosenColumns, useZoneTable } from "./use-zone-table.ts";
import { ZoneTableView } from "./zone-table.tsx";

/** Values a sparkline remembers of each metric of each device. */
const TRAIL_COUNT_MAX = 40;
/** Up to this width of the table's box the stylesheet makes cards of the rows. */
const CARDS_WIDTH_PX = 736;
/** Of the register a zone's page reads one page; it changes when an operator edits it, or by an import. */
const REGISTER_MAX = 1_000;
const REREAD_REGISTER_EVERY_MS = 5 * 60_000;
const SILENT_SHOWN = 12;
const BY_NAME: Sort = { key: { by: "name" }, descending: false };

export function ZonePage({ zone }: { zone: string }) {
  const watch = useZoneWatch(zone, null, TRAIL_COUNT_MAX);
  const [sort, setSort] = useState(BY_NAME);
  const [text, setText] = useState("");
  const [presence, setPresence] = useState<RowFilter["presence"]>("all");
  const filter = useMemo(() => ({ text, presence }), [text, presence]);
  const { table, hold } = useZoneTable(watch, sort, filter);
  const [widthPx, setWidthPx] = useState(0);
  const isNarrow = widthPx <= CARDS_WIDTH_PX;
  const fit = fitColumns(
    isNarrow ? Number.POSITIVE_INFINITY : widthPx,
    table.names.widthPx,
    table.columns.length,
  );
  const { shown, choose, isChosen } = useChosenColumns(zone, table.columns, fit.metricCount);
  const filterBox = useRef<HTMLInputElement>(null);
  useFindKey(filterBox);
  const total = watch.state.devices.size;
  const isAwaited = watch.state.seq === null;
  return (
    <Shell crumbs={[{ label: "Fleet", href: fleetLink() }, { label: zone }]} watch={watch}>
      <div class="page wide">
        <div class="page-head">
          <h1>{zone}</h1>
          <Summary watch={watch} zone={zone} total={total} reporting={table.counts.reporting} />
        </div>
        <div class="tools">
          <input
            type="search"
            ref={filterBox}
            class="filter"
            placeholder="Filter by name, id or model"
            aria-label="Filter devices by name, id or model"
            data-testid="zone-filter"
            value={text}
            onInput={(event) => setText(event.currentTarget.value)}
          />
          <PresenceFilter
            total={total}
            counts={isAwaited ? null : table.counts}
            value={presence}
            onChange={setPresence}
          />
          <SortChoice sort={sort} columns={shown} onSort={setSort} />
          <MetricPicker columns={table.columns} shown={shown} isChosen={isChosen} onChoose={choose} />
        </div>
        {isAwaited ? (
          <AwaitedRows watch={watch} />
        ) : (
          <ZoneTableView
            watch={watch}
            order={table.order}
            columns={shown}
            names={table.names}
            fit={fit}
            sort={sort}
            onSort={setSort}
            onTouch={hold}
            onWidth={setWidthPx}
          />
        )}
        {!isAwaited && table.order.length === 0 && (
          <p class="empty">
            {total > 0 ? "No device matches the filter." : "No device of this zone reports."}
          </p>
        )}
        {!isAwaited && <LeftOutNote watch={watch} />}
        {!isAwaited && <SilentMembers watch={watch} zone={zone} />}
      </div>
    </Shell>
  );
}

interface SummaryProps {
  watch: ZoneWatch;
  zone: string;
  total: number;
  reporting: number;
}

function Summary({ watch, zone, total, reporting }: SummaryProps) {
  const { missing, alerts, leftOut } = watch.state;
  const missingCount = missing.size + leftOut.missing;
  const alertingCount = alerts.size;
  if (watch.state.seq === null) return <p class="summary"> </p>;
  return (
    <p class="summary">
      {leftOut.devices > 0 && `${formatCount(total)} of `}
      {countOf(total + leftOut.devices, "device")} · {formatCount(reporting)} reporting
      {alertingCount > 0 && (
        <>
          {" · "}
          <a class="alerting" href={alertsLink({ zone })}>
            {formatCount(alertingCount)}
            {leftOut.alerts > 0 && "+"} alerting
          </a>
        </>
      )}
      {missingCount > 0 && (
        <span title={[...missing].slice(0, 50).join(", ")}>
          {" "}
          · {formatCount(missingCount)} did not answer
        </span>
      )}
    </p>
  );
}

function AwaitedRows({ watch }: { watch: ZoneWatch }) {
  useChanges((listener) => watch.onConnection(listener), watch);
  const isAway = watch.connection === "reconnecting";
  const text = isAway ? "The zone cannot be reached. Trying again…" : "Asking the devices of this zone…";
  return <Awaited kind="row" count={8} text={text} />;
}

/** What the stream has no room for: said, for it is not seen. */
function LeftOutNote({ watch }: { watch: ZoneWatch }) {
  const { devices, leftOut } = watch.state;
  let cutCount = 0;
  for (const { metricsLeftOut } of devices.values()) if (metricsLeftOut !== undefined) cutCount++;
  const parts = [
    leftOut.devices > 0 &&
      `${countOf(leftOut.devices, "device")} that reported longest ago, until the next report`,
    cutCount > 0 && `metrics (…) of ${countOf(cutCount, "device")}, which the device's own page has`,
    leftOut.alerts > 0 &&
      `${countOf(leftOut.alerts, "alert")}, the least severe, which the list of alerts has`,
  ].filter((part) => part !== false);
  if (parts.length === 0) return null;
  return (
    <p class="silent-members" data-testid="left-out">
      Left out, for there is no room: {parts.join("; ")}.
    </p>
  );
}

const countOf = (count: number, noun: string) => `${formatCount(count)} ${noun}${count === 1 ? "" : "s"}`;

/** Devices the register has in this zone that never reported: the live view does not know them. */
function SilentMembers({ watch, zone }: { watch: ZoneWatch; zone: string }) {
  const api = useApi();
  const path = `/v1/devices?${new URLSearchParams({ zone, limit: String(REGISTER_MAX) })}`;
  const { answer } = useAnswer(path, (signal) => api.get<DeviceList>(path, signal), REREAD_REGISTER_EVERY_MS);
  const { devices, missing, leftOut } = watch.state;
  const silent = (answer?.devices ?? []).filter(({ device }) => !devices.has(device) && !missing.has(device));
  if (silent.length === 0 || leftOut.devices + leftOut.missing > 0) return null; // or it is one of those
  const shown = silent.slice(0, SILENT_SHOWN);
  return (
    <p class="silent-members" data-testid="silent-members">
      {silent.length === 1 ? "One more device" : `${formatCount(silent.length)} more devices`} of this zone
      never reported; what was imported of {silent.length === 1 ? "it" : "them"} is on{" "}
      {silent.length === 1 ? "its page" : "their pages"}:{" "}
      {shown.map(({ device, name }, index) => (
        <span key={device}>
          {index > 0 && ", "}
          <a href={deviceLink(device)}>{name ?? device}</a>
        </span>
      ))}
      {silent.length > shown.length && " …"}
    </p>
  );
}

/** Only rows in sight are on the page: to find one, the browser's own search is no help, and the filter is. Again: the browser's. */
function useFindKey(box: { current: HTMLInputElement | null }): void {
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      const isFind =
        event.key === "f" && (event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey;
      if (!isFind || document.activeElement === box.current) return;
      event.preventDefault();
      box.current?.select();
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, [box]);
}

const PRESENCES: { id: RowFilter["presence"]; label: string }[] = [
  { id: "all", label: "All" },
  { id: "reporting", label: "Reporting" },
  { id: "connected", label: "Connected, quiet" },
  { id: "quiet", label: "Quiet" },
];

interface PresenceFilterProps {
  total: number;
  /** Null: not known yet. */
  counts: Record<Presence, number> | null;
  value: RowFilter["presence"];
  onChange: (value: RowFilter["presence"]) => void;
}

function PresenceFilter({ total, counts, value, onChange }: PresenceFilterProps) {
  return (
    <fieldset class="segments" aria-label="Presence">
      {PRESENCES.map(({ id, label }) => (
        <button key={id} type="button" aria-pressed={value === id} onClick={() => onChange(id)}>
          {label} <span class="tally">{counts && formatCount(id === "all" ? total : counts[id])}</span>
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
