// Beneath the chart: which tier answered, how finely, and what was read for it.
import type { Resolution } from "../schemas/query.ts";
import { formatBytes, formatInstant } from "./format.ts";
import type { HistorySource } from "./history.ts";

const RESOLUTIONS: Resolution[] = ["auto", "raw", "1m", "5m", "1h", "1d"];
const TIER_TEXT = {
  hot: "the device's own object",
  warm: "D1 rollups",
  cold: "Parquet on R2",
  mixed: "several tiers",
};

interface HistorySourcesProps {
  sources: readonly HistorySource[];
  /** The resolution asked for; the answer's own is in `sources`. */
  asked: Resolution;
  onAsk: (resolution: Resolution) => void;
}

export function HistorySources({ sources, asked, onAsk }: HistorySourcesProps) {
  const [first] = sources;
  return (
    <div class="chart-foot">
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
            {entry.thinned && ` · the most telling of ${entry.thinned.from} points`}
            {entry.bytesRead !== undefined && ` · ${formatBytes(entry.bytesRead)} read`}
          </span>
        ))}
      </p>
      <label class="resolution-choice">
        <span aria-hidden="true">Resolution</span>
        <select
          aria-label="Resolution"
          value={asked}
          onChange={({ currentTarget }) => onAsk(currentTarget.value as Resolution)}
        >
          {RESOLUTIONS.map((choice) => (
            <option key={choice} value={choice}>
              {choice}
            </option>
          ))}
        </select>
      </label>
    </div>
  );
}

function describe({ source, segments }: HistorySource): string {
  if (source !== "mixed") return TIER_TEXT[source];
  return [...new Set(segments.map((segment) => segment.source))].join(" + ") || TIER_TEXT.mixed;
}

function segmentText({ source, startMs, endMs }: HistorySource["segments"][number]): string {
  return `${source}: ${formatInstant(startMs)} – ${formatInstant(endMs)}`;
}
