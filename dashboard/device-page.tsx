// One device: who it is, every metric now, and one big chart that moves.
import type { LatestReading } from "../schemas/live.ts";
import type { DeviceEntry, LatestAnswer } from "../schemas/query.ts";
import { useApi, useChanges } from "./context.ts";
import { DeviceAlerts } from "./device-alerts.tsx";
import { DeviceChart } from "./device-chart.tsx";
import { COMPARED_MAX, MetricTiles } from "./metric-tiles.tsx";
import { Age, Failure, PresenceLamp } from "./notices.tsx";
import { RANGES, rangeOf } from "./range.ts";
import { deviceLink, fleetLink, type Route, zoneLink } from "./route.ts";
import { type Crumb, Shell } from "./shell.tsx";
import { useAnswer } from "./use-answer.ts";
import { useZoneWatch } from "./use-zone-watch.ts";
import type { ZoneWatch } from "./zone-watch.ts";

/** Readings remembered of each metric: enough to bridge the time history takes to arrive. */
const TRAIL_COUNT_MAX = 600;
/** The register changes when an operator edits it; the stream tells the rest. */
const REREAD_EVERY_MS = 60_000;

export function DevicePage({ route }: { route: Extract<Route, { page: "device" }> }) {
  const { device } = route;
  const api = useApi();
  const path = `/v1/devices/${encodeURIComponent(device)}`;
  const entry = useAnswer(path, (signal) => api.get<DeviceEntry>(path, signal), REREAD_EVERY_MS);
  const latest = useAnswer(
    `${path}/latest`,
    (signal) => api.get<LatestAnswer>(`${path}/latest`, signal),
    REREAD_EVERY_MS,
  );
  const zone = entry.answer?.zone ?? latest.answer?.zone ?? null;
  const watch = useZoneWatch(zone, device, TRAIL_COUNT_MAX);
  useChanges((listener) => watch.onRow(device, listener), watch);

  const heard = watch.row(device) ?? latest.answer;
  const metrics = newestOf(latest.answer?.metrics, watch.row(device)?.metrics);
  const selected = selectedOf(route.metrics, metrics);
  const range = rangeOf(route.range);
  const show = (view: { metrics?: string[]; range?: string }) =>
    location.replace(deviceLink(device, { metrics: selected, range: range.id, ...view }));

  const crumbs = [
    { label: "Fleet", href: fleetLink() },
    ...(zone ? [{ label: zone, href: zoneLink(zone) }] : []),
    { label: entry.answer?.name ?? device },
  ];
  const error = entry.error ?? (latest.error?.status === 404 ? null : latest.error);
  if (entry.error?.status === 404 && latest.answer === null) {
    return <UnknownDevice crumbs={crumbs} message={entry.error.message} />;
  }
  return (
    <Shell crumbs={crumbs} watch={watch}>
      <div class="page wide">
        <DeviceHead device={device} entry={entry.answer} zone={zone} watch={watch} heard={heard} />
        {error && <Failure error={error} onRetry={entry.error ? entry.reload : latest.reload} />}
        <DeviceAlerts alerts={watch.alerts(device)} />
        <MetricTiles
          watch={watch}
          device={device}
          metrics={metrics}
          selected={selected}
          onSelect={(chosen) => show({ metrics: chosen })}
        />
        {selected.length === 0 && <p class="empty">{latest.isLoading ? " " : "No readings yet."}</p>}
        <div class={selected.length === 0 ? "hidden" : ""}>
          <div class="tools">
            <fieldset class="segments" aria-label="Range">
              {RANGES.map(({ id, label }) => (
                <button
                  key={id}
                  type="button"
                  data-range={id}
                  aria-pressed={id === range.id}
                  onClick={() => show({ range: id })}
                >
                  {label}
                </button>
              ))}
            </fieldset>
          </div>
          <DeviceChart watch={watch} device={device} metrics={selected} range={range} />
        </div>
      </div>
    </Shell>
  );
}

function UnknownDevice({ crumbs, message }: { crumbs: Crumb[]; message: string }) {
  return (
    <Shell crumbs={crumbs}>
      <p class="empty">
        {message} <a href={fleetLink()}>Back to the fleet</a>
      </p>
    </Shell>
  );
}

interface DeviceHeadProps {
  device: string;
  entry: DeviceEntry | null;
  zone: string | null;
  watch: ZoneWatch;
  heard: { connected: boolean; lastReceivedAt: number | null } | null;
}

function DeviceHead({ device, entry, zone, watch, heard }: DeviceHeadProps) {
  return (
    <div class="page-head">
      <h1 data-testid="device-title">{entry?.name ?? device}</h1>
      <p class="summary facts">
        {heard && (
          <span>
            <PresenceLamp watch={watch} connected={heard.connected} lastReceivedAt={heard.lastReceivedAt} />
            {heard.connected ? "connected" : "not connected"}, heard{" "}
            <Age watch={watch} lastReceivedAt={heard.lastReceivedAt} />
          </span>
        )}
        {entry?.name && entry.name !== device && <span>{device}</span>}
        {entry?.model && <span>{entry.model}</span>}
        {zone && <a href={zoneLink(zone)}>{zone}</a>}
        {entry?.location && (
          <span>
            {entry.location.latitude.toFixed(4)}, {entry.location.longitude.toFixed(4)}
          </span>
        )}
      </p>
    </div>
  );
}

/** The stream's readings over the ones first fetched, whichever is newer by the device's clock. */
function newestOf(
  fetched: Readonly<Record<string, LatestReading>> = {},
  streamed: Readonly<Record<string, LatestReading>> = {},
): Record<string, LatestReading> {
  const newest = { ...fetched };
  for (const [metric, reading] of Object.entries(streamed)) {
    if (!newest[metric] || reading.at >= newest[metric].at) newest[metric] = reading;
  }
  return newest;
}

/** The metrics the address names, else the first there is. */
function selectedOf(asked: readonly string[], metrics: Readonly<Record<string, LatestReading>>): string[] {
  if (asked.length > 0) return asked.slice(0, COMPARED_MAX);
  return Object.keys(metrics).slice(0, 1);
}
