// Beneath the chart: which tier answered, how finely, and what was read for it.
import { formatBytes, formatInstant } from "./format.ts";
import type { HistorySource } from "./history.ts";

const TIER_TEXT = {
  hot: "the device's own object",
  warm: "D1 rollups",
  cold: "Parquet on R2",
  mixed: "several tiers",
};

export function HistorySources({ sources }: { sources: readonly HistorySource[] }) {
  const [first] = sources;
  return (
    <p
      class="source"
      data-testid="history-source"
      data-source={first?.source}
      data-resolution={first?.resolution}
    >
      {sources.map((entry) => (
        <span key={entry.metric} title={entry.segments.map(segmentText).join("\n")}>
          {sources.length > 1 && `${entry.metric}: `}
          {entry.resolution === "raw" ? "raw readings" : `${entry.resolution} windows, mean with min–max`}{" "}
          from <b>{entry.source}</b> ({describe(entry)})
          {entry.bytesRead !== undefined && ` · ${formatBytes(entry.bytesRead)} read`}
        </span>
      ))}
    </p>
  );
}

function describe({ source, segments }: HistorySource): string {
  if (source !== "mixed") return TIER_TEXT[source];
  return [...new Set(segments.map((segment) => segment.source))].join(" + ") || TIER_TEXT.mixed;
}

function segmentText({ source, startMs, endMs }: HistorySource["segments"][number]): string {
  return `${source}: ${formatInstant(startMs)} – ${formatInstant(endMs)}`;
}
