// One device: who it is, every metric now, and one big chart that moves.
import { useRef } from "preact/hooks";
import type { DeviceEntry, ExtentAnswer, LatestAnswer } from "../../schemas/query.ts";
import { useApi, useChanges } from "../base/context.ts";
import { formatInstant, formatLength } from "../base/format.ts";
import { addressOf, askedFor, chosenFor, type Shown } from "../base/range.ts";
import { type DeviceView, deviceLink, fleetLink, type Route, zoneLink } from "../base/route.ts";
import { useAnswer } from "../base/use-answer.ts";
import { DeviceSearch } from "../fleet/device-search.tsx";
import type { Heard } from "../live/presence.ts";
import { useZoneWatch } from "../live/use-zone-watch.ts";
import type { ZoneWatch } from "../live/zone-watch.ts";
import { Age, Awaited, Failure, PresenceLamp, PresenceWords } from "../notices.tsx";
import { type Crumb, Shell } from "../shell.tsx";
import { DeviceAlerts } from "./device-alerts.tsx";
import { DeviceChart } from "./device-chart.tsx";
import { COMPARED_MAX, MetricTiles, type NewestReading } from "./metric-tiles.tsx";
import { RangeBar } from "./range-bar.tsx";

/** Readings remembered of each metric: enough to bridge the time history takes to arrive. */
const TRAIL_COUNT_MAX = 600;
/** The register changes when an operator edits it; the stream tells the rest. */
const REREAD_EVERY_MS = 60_000;
/** What an import brings is not announced. */
const REREAD_EXTENT_EVERY_MS = 10 * 60_000;

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
  const extent = useAnswer(
    `${path}/extent`,
    (signal) => api.get<ExtentAnswer>(`${path}/extent`, signal),
    REREAD_EXTENT_EVERY_MS,
  );
  const zone = entry.answer?.zone ?? latest.answer?.zone ?? null;
  const watch = useZoneWatch(zone, device, TRAIL_COUNT_MAX);
  useChanges((listener) => watch.onRow(device, listener), watch);

  const heard: Heard | null = watch.row(device) ?? latest.answer;
  const isAwaited =
    latest.isAwaited || (extent.isAwaited && Object.keys(latest.answer?.metrics ?? {}).length === 0);
  const metrics = newestOf(extent.answer?.metrics, latest.answer?.metrics, watch.row(device)?.metrics);
  const selected = selectedOf(route.metrics, metrics);
  const newestAtMs = newestAt(selected, metrics);
  const oldestAtMs = extent.answer?.fromMs ?? entry.answer?.firstSeenAt ?? null;
  const chosen = useChosen(selected, newestAtMs, isAwaited, () => heard?.reportEveryMs ?? null, watch);
  const shown = askedFor(route) ?? chosen;
  const show = (view: DeviceView) =>
    location.replace(deviceLink(device, { metrics: selected, ...(shown && addressOf(shown)), ...view }));

  const crumbs = [
    { label: "Fleet", href: fleetLink() },
    ...(zone ? [{ label: zone, href: zoneLink(zone) }] : []),
    { label: entry.answer?.name ?? device },
  ];
  const failed = [entry, latest, extent].find(({ error }) => error !== null && error.status !== 404);
  // 400: what is in the address cannot be an id
  if ((entry.error?.status === 404 || entry.error?.status === 400) && latest.answer === null) {
    return <UnknownDevice crumbs={crumbs} device={device} />;
  }
  return (
    <Shell crumbs={crumbs} watch={watch}>
      <div class="page wide">
        <DeviceHead
          device={device}
          entry={entry.answer}
          zone={zone}
          watch={watch}
          heard={heard}
          newestAtMs={newestAt(Object.keys(metrics), metrics)}
        />
        {failed && <Failure error={failed.error!} onRetry={failed.reload} />}
        <DeviceAlerts alerts={watch.alerts(device)} />
        {isAwaited && <Awaited kind="tile" count={6} text="Reading what the device has…" />}
        <MetricTiles
          watch={watch}
          device={device}
          metrics={metrics}
          selected={selected}
          onSelect={(chosenMetrics) => show({ metrics: chosenMetrics })}
        />
        {shown === null || newestAtMs === null ? (
          !isAwaited && <p class="empty">No readings yet: none were reported, and none imported.</p>
        ) : (
          <>
            <RangeBar
              shown={shown}
              nowMs={watch.now()}
              oldestAtMs={oldestAtMs}
              newestAtMs={newestAtMs}
              onShow={(next) => show(addressOf(next))}
            />
            <DeviceChart
              watch={watch}
              device={device}
              metrics={selected}
              shown={shown}
              nothing={
                <>No readings in this range. The newest is from {formatInstant(newestAtMs, watch.now())}.</>
              }
            />
          </>
        )}
      </div>
    </Shell>
  );
}

/** What the page shows unless the address says otherwise: decided once, when it is known what there is. */
function useChosen(
  selected: readonly string[],
  newestAtMs: number | null,
  isAwaited: boolean,
  everyMs: () => number | null,
  watch: ZoneWatch,
): Shown | null {
  const chosen = useRef<{ metrics: string; shown: Shown } | null>(null);
  const metrics = selected.join("\n");
  if (newestAtMs === null || isAwaited) return null;
  if (chosen.current?.metrics !== metrics) {
    chosen.current = { metrics, shown: chosenFor(newestAtMs, everyMs(), watch.now()) };
  }
  return chosen.current.shown;
}

/** There is none of this id: perhaps it is a name, or a part of one. */
function UnknownDevice({ crumbs, device }: { crumbs: Crumb[]; device: string }) {
  return (
    <Shell crumbs={crumbs}>
      <div class="page unknown-device" data-testid="unknown-device">
        <h1>No device has the id “{device}”</h1>
        <p>Devices are opened by their id. Search by name or by a part of the id:</p>
        <DeviceSearch text={device} />
        <p>
          <a href={fleetLink()}>All devices</a>
        </p>
      </div>
    </Shell>
  );
}

interface DeviceHeadProps {
  device: string;
  entry: DeviceEntry | null;
  zone: string | null;
  watch: ZoneWatch;
  heard: Heard | null;
  newestAtMs: number | null;
}

function DeviceHead({ device, entry, zone, watch, heard, newestAtMs }: DeviceHeadProps) {
  return (
    <div class="page-head">
      <h1 data-testid="device-title">{entry?.name ?? device}</h1>
      <p class="summary facts">
        {heard && (
          <span data-testid="presence">
            <PresenceLamp watch={watch} heard={heard} />
            <PresenceWords watch={watch} heard={heard} />
            {heard.reportEveryMs && `, every ${formatLength(heard.reportEveryMs)}`}
          </span>
        )}
        {newestAtMs !== null && (
          <span title={formatInstant(newestAtMs, watch.now())} data-testid="newest-reading">
            newest reading <Age watch={watch} atMs={newestAtMs} />
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

/** Of each metric the newest by the device's clock; of equals the one named last, which is the fresher. */
function newestOf(
  ...sources: (Readonly<Record<string, NewestReading>> | undefined)[]
): Record<string, NewestReading> {
  const newest: Record<string, NewestReading> = {};
  for (const source of sources.toReversed()) {
    for (const [metric, reading] of Object.entries(source ?? {})) {
      if (!newest[metric] || reading.at > newest[metric].at) newest[metric] = reading;
    }
  }
  return newest;
}

function newestAt(names: readonly string[], metrics: Readonly<Record<string, NewestReading>>): number | null {
  const instants = names.flatMap((metric) => metrics[metric]?.at ?? []);
  return instants.length === 0 ? null : instants.reduce((a, b) => Math.max(a, b));
}

/** The metrics the address names, else the first there is. */
function selectedOf(asked: readonly string[], metrics: Readonly<Record<string, NewestReading>>): string[] {
  if (asked.length > 0) return asked.slice(0, COMPARED_MAX);
  return Object.keys(metrics).slice(0, 1);
}
