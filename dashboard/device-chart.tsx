// The chart of a device: history is read, then it moves as readings arrive.
import { useEffect, useRef, useState } from "preact/hooks";
import type { Resolution } from "../schemas/query.ts";
import { ChartReadout } from "./chart-readout.tsx";
import { useApi } from "./context.ts";
import { loadHistory } from "./history.ts";
import { HistorySources } from "./history-sources.tsx";
import { Failure } from "./notices.tsx";
import { Plot } from "./plot.ts";
import { type ChartRange, moveEveryMs, rereadEveryMs, viewOf } from "./range.ts";
import { onTheme } from "./theme.ts";
import { appendReading, type Track } from "./track.ts";
import { useAnswer } from "./use-answer.ts";
import type { ZoneWatch } from "./zone-watch.ts";

/** A line that goes up and down within a pixel takes two points of it. */
const POINTS_PER_PIXEL = 2;
/** A narrow chart may be turned, or widened. */
const POINTS_MIN = 1_000;

interface DeviceChartProps {
  watch: ZoneWatch;
  device: string;
  metrics: readonly string[];
  range: ChartRange;
}

export function DeviceChart({ watch, device, metrics, range }: DeviceChartProps) {
  const api = useApi();
  const [resolution, setResolution] = useState<Resolution>("auto");
  const view = () => viewOf(range.spanMs, watch.now(), newestAt(watch, device, metrics));
  const key = metrics.length === 0 ? null : JSON.stringify([device, metrics, range.id, resolution]);
  const { answer, error, isLoading, reload } = useAnswer(
    key,
    (signal) => {
      // The range asked for is half-open: a millisecond more takes in the newest reading.
      const endMs = Math.ceil(view().endMs) + 1;
      const maxPoints = Math.max(POINTS_MIN, POINTS_PER_PIXEL * (host.current?.clientWidth ?? 0));
      const asked = { device, metrics, startMs: endMs - range.spanMs, endMs, resolution, maxPoints };
      return loadHistory(api, asked, signal);
    },
    rereadEveryMs(range.spanMs),
  );
  const tracks = answer?.tracks ?? null;
  const { host, plot, cursorAtMs } = usePlot(view);

  useReloadAfterLoss(watch, reload);
  useLiveReadings(watch, device, tracks, plot);
  useEffect(() => {
    const timer = setInterval(() => plot.current?.drawSoon(), moveEveryMs(range.spanMs));
    plot.current?.drawSoon();
    return () => clearInterval(timer);
  }, [plot, range]);

  return (
    <section class="chart-card" aria-label={`History of ${metrics.join(" and ")}`}>
      <ChartReadout watch={watch} device={device} metrics={metrics} tracks={tracks} atMs={cursorAtMs} />
      <div class="chart-frame">
        <div
          class="chart"
          data-testid="chart"
          data-points="0"
          ref={host}
          role="img"
          aria-label={`${metrics.join(" and ")}, the last ${range.label}. Arrow keys read the points.`}
          // biome-ignore lint/a11y/noNoninteractiveTabindex: the arrow keys move the cursor along the line
          tabIndex={0}
          onKeyDown={(event) => moveCursor(plot.current, event)}
          onBlur={() => plot.current?.clearCursor()}
        />
        <ChartNote isLoading={isLoading} tracks={tracks} />
      </div>
      {error && <Failure error={error} onRetry={reload} />}
      <HistorySources sources={answer?.sources ?? []} asked={resolution} onAsk={setResolution} />
    </section>
  );
}

function ChartNote({ isLoading, tracks }: { isLoading: boolean; tracks: Track[] | null }) {
  if (tracks === null) return <p class="chart-note">{isLoading ? "Reading history…" : ""}</p>;
  if (tracks.every(({ pointCount }) => pointCount === 0))
    return <p class="chart-note">No readings in this range.</p>;
  return null;
}

/** The plot lives as long as its host element; `view` may change, the plot asks the newest. */
function usePlot(view: () => { startMs: number; endMs: number }) {
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<Plot | null>(null);
  const newestView = useRef(view);
  newestView.current = view;
  const [cursorAtMs, setCursorAtMs] = useState<number | null>(null);
  useEffect(() => {
    const made = new Plot(host.current!, () => newestView.current(), setCursorAtMs);
    plot.current = made;
    const offTheme = onTheme(() => made.rebuild());
    return () => {
      offTheme();
      made.destroy();
    };
  }, []);
  return { host, plot, cursorAtMs };
}

/** Puts each reading on the track it belongs to: those seen while history was on its way, then those that arrive. */
function useLiveReadings(
  watch: ZoneWatch,
  device: string,
  tracks: Track[] | null,
  plot: { current: Plot | null },
): void {
  const [, setHasPoints] = useState(false);
  useEffect(() => {
    for (const track of tracks ?? []) {
      const seen = watch.trail(device, track.metric);
      for (const [index, at] of seen?.at.entries() ?? []) appendReading(track, at, seen!.values[index]!);
    }
    plot.current?.setTracks(tracks ?? []);
    const tellPoints = () => setHasPoints(tracks?.some(({ pointCount }) => pointCount > 0) ?? false);
    tellPoints();
    return watch.onChange(({ readings }) => {
      let hasMoved = false;
      for (const { device: from, metric, reading } of readings) {
        const track = from === device ? tracks?.find((candidate) => candidate.metric === metric) : undefined;
        if (track && appendReading(track, reading.at, reading.value)) hasMoved = true;
      }
      if (!hasMoved) return;
      plot.current?.drawSoon();
      tellPoints();
    });
  }, [watch, device, tracks, plot]);
}

/** What happened while the stream was away is in the history. */
function useReloadAfterLoss(watch: ZoneWatch, reload: () => void): void {
  useEffect(() => {
    let wasLost = false;
    return watch.onConnection(() => {
      if (watch.connection === "live" && wasLost) reload();
      wasLost = watch.connection === "reconnecting" || watch.connection === "paused";
    });
  }, [watch, reload]);
}

function newestAt(watch: ZoneWatch, device: string, metrics: readonly string[]): number | null {
  const seen = watch.row(device)?.metrics ?? {};
  const instants = metrics.map((metric) => seen[metric]?.at ?? 0);
  return instants.length === 0 ? null : Math.max(...instants);
}

const STEPS: Record<string, number> = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10 };

function moveCursor(plot: Plot | null, event: KeyboardEvent): void {
  const step = STEPS[event.key];
  if (event.key === "Escape") plot?.clearCursor();
  else if (step !== undefined) plot?.stepCursor(step);
  else return;
  event.preventDefault();
}
