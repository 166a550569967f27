// Beneath the chart: where the points come from, what each is, and what was read for them.
import type { Resolution } from "../../schemas/query.ts";
import { formatBytes, formatCount, formatInstant } from "../base/format.ts";
import type { HistorySource } from "../chart/history.ts";

const RESOLUTIONS: Resolution[] = ["auto", "raw", "1m", "5m", "1h", "1d"];
const TIER_TEXT = {
  hot: "what the device's object keeps",
  warm: "the hourly summaries in the database",
  cold: "the archive",
};
const RESOLUTION_TEXT: Record<Resolution, string> = {
  auto: "as fine as fits",
  raw: "every reading",
  "1m": "1 min",
  "5m": "5 min",
  "1h": "1 h",
  "1d": "1 d",
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
            {entry.resolution === "raw"
              ? "Each reading as it was"
              : `Mean of each ${RESOLUTION_TEXT[entry.resolution]}, its least and greatest as a band`}
            , from {describe(entry)}
            {entry.thinned && ` · drawn from the most telling of ${formatCount(entry.thinned.from)} points`}
            {entry.leftOut !== undefined && (
              <span
                data-testid="left-out"
                title="They came beyond the device's rate. Of each minute the least and the greatest are kept, the others only counted."
              >
                {" · "}
                <b>{formatCount(entry.leftOut)}</b> more readings were thinned
              </span>
            )}
            {entry.bytesRead !== undefined && ` · ${formatBytes(entry.bytesRead)} read`}
          </span>
        ))}
      </p>
      <label class="resolution-choice">
        <span aria-hidden="true">Detail</span>
        <select
          aria-label="Detail"
          value={asked}
          onChange={({ currentTarget }) => onAsk(currentTarget.value as Resolution)}
        >
          {RESOLUTIONS.map((choice) => (
            <option key={choice} value={choice}>
              {RESOLUTION_TEXT[choice]}
            </option>
          ))}
        </select>
      </label>
    </div>
  );
}

function describe({ segments }: HistorySource): string {
  return [...new Set(segments.map(({ source }) => TIER_TEXT[source]))].join(" and ");
}

function segmentText({ source, startMs, endMs }: HistorySource["segments"][number]): string {
  return `${TIER_TEXT[source]}: ${formatInstant(startMs)} – ${formatInstant(endMs)}`;
}
