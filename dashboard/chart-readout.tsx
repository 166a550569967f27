// Above the chart: each line's colour, metric and value, at the cursor or else now. Its height never changes.
import { useEffect, useState } from "preact/hooks";
import { decimalsOf, formatInstant } from "./format.ts";
import { readoutOf } from "./readout.ts";
import type { Track } from "./track.ts";
import type { ZoneWatch } from "./zone-watch.ts";

interface ChartReadoutProps {
  watch: ZoneWatch;
  device: string;
  metrics: readonly string[];
  tracks: readonly Track[] | null;
  atMs: number | null;
}

export function ChartReadout({ watch, device, metrics, tracks, atMs }: ChartReadoutProps) {
  const [, setCount] = useState(0);
  useEffect(() => watch.onRow(device, () => setCount((count) => count + 1)), [watch, device]);
  return (
    <div class="readout" data-testid="chart-readout">
      {metrics.map((metric, index) => {
        const track = tracks?.find((candidate) => candidate.metric === metric);
        const entry = track && readoutOf(track, atMs, decimalsOf(recent(track)));
        return (
          <span key={metric} class="readout-entry">
            <i class={`swatch series-${index + 1}`} aria-hidden="true" />
            <span class="readout-metric">{metric}</span>
            <b>{entry?.value ?? "—"}</b>
            {entry?.spread && <small>{entry.spread}</small>}
          </span>
        );
      })}
      <time>{atMs === null ? "" : formatInstant(atMs)}</time>
    </div>
  );
}

/** Enough values to know how many decimals the metric uses. */
function recent(track: Track): number[] {
  return track.value.slice(-50).filter((value) => value !== null);
}
