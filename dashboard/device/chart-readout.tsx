// Above the chart: each line's colour, metric and value, at the cursor or else the newest, and what the value is. Its height never changes.
import { useEffect, useState } from "preact/hooks";
import { decimalsOf } from "../base/format.ts";
import { readoutOf } from "../chart/readout.ts";
import type { Track } from "../chart/track.ts";
import type { ZoneWatch } from "../live/zone-watch.ts";

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
  const entries = metrics.map((metric) => {
    const track = tracks?.find((candidate) => candidate.metric === metric);
    return track === undefined
      ? { metric, value: "—", spread: "", what: "" }
      : readoutOf(track, atMs, decimalsOf(recent(track)), watch.now());
  });
  return (
    <div class="readout" data-testid="chart-readout">
      {entries.map(({ metric, value, spread }, index) => (
        <span key={metric} class="readout-entry">
          <i class={`swatch series-${index + 1}`} aria-hidden="true" />
          <span class="readout-metric">{metric}</span>
          <b>{value}</b>
          {spread && <small title="least and greatest of the window">{spread}</small>}
        </span>
      ))}
      <span class="readout-what">{entries.find(({ what }) => what !== "")?.what}</span>
    </div>
  );
}

/** Enough values to know how many decimals the metric uses. */
function recent(track: Track): number[] {
  return track.value.slice(-50).filter((value) => value !== null);
}
