// The chart of a device: history is read, then it moves as readings arrive, unless it shows the past.
import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { Resolution } from "../../schemas/query.ts";
import { useApi } from "../base/context.ts";
import { formatDay } from "../base/format.ts";
import { lengthOf, moveEveryMs, RANGES, rereadEveryMs, type Shown, spanOf } from "../base/range.ts";
import { onTheme } from "../base/theme.ts";
import { useAnswer } from "../base/use-answer.ts";
import { loadHistory } from "../chart/history.ts";
import { Plot } from "../chart/plot.ts";
import { appendReading, type Track } from "../chart/track.ts";
import type { ZoneWatch } from "../live/zone-watch.ts";
import { Failure } from "../notices.tsx";
import { ChartReadout } from "./chart-readout.tsx";
import { HistorySources } from "./history-sources.tsx";

/** A line that goes up and down within a pixel takes two points of it. */
const POINTS_PER_PIXEL = 2;
/** A narrow chart may be turned, or widened. */
const POINTS_MIN = 1_000;

interface DeviceChartProps {
  watch: ZoneWatch;
  device: string;
  metrics: readonly string[];
  shown: Shown;
  /** Said where there is nothing to draw. */
  nothing: ComponentChildren;
}

export function DeviceChart({ watch, device, metrics, shown, nothing }: DeviceChartProps) {
  const api = useApi();
  const [resolution, setResolution] = useState<Resolution>("auto");
  const spanMs = lengthOf(shown);
  const isLive = shown.kind === "live";
  const view = () => spanOf(shown, watch.now(), newestAt(watch, device, metrics));
  const key = metrics.length === 0 ? null : JSON.stringify([device, metrics, shown, resolution]);
  const { answer, error, isLoading, reload } = useAnswer(
    key,
    (signal) => {
      // The range asked for is half-open: a millisecond more takes in the newest reading.
      const endMs = Math.ceil(view().endMs) + (isLive ? 1 : 0);
      const maxPoints = Math.max(POINTS_MIN, POINTS_PER_PIXEL * (host.current?.clientWidth ?? 0));
      const asked = { device, metrics, startMs: endMs - spanMs, endMs, resolution, maxPoints };
      return loadHistory(api, asked, signal);
    },
    rereadEveryMs(spanMs),
  );
  const tracks = answer?.tracks ?? null;
  const { host, plot, cursorAtMs } = usePlot(view);

  useReloadAfterLoss(watch, reload);
  useLiveReadings(watch, device, tracks, plot, isLive);
  useEffect(() => {
    const timer = setInterval(() => plot.current?.drawSoon(), moveEveryMs(spanMs));
    plot.current?.drawSoon();
    return () => clearInterval(timer);
  }, [plot, spanMs]);

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
          aria-label={`${metrics.join(" and ")}, ${inWords(shown, watch.now())}. Arrow keys read the points.`}
          // biome-ignore lint/a11y/noNoninteractiveTabindex: the arrow keys move the cursor along the line
          tabIndex={0}
          onKeyDown={(event) => moveCursor(plot.current, event)}
          onBlur={() => plot.current?.clearCursor()}
        />
        <ChartNote isLoading={isLoading} tracks={tracks} nothing={nothing} />
      </div>
      {error && <Failure error={error} onRetry={reload} />}
      <HistorySources sources={answer?.sources ?? []} asked={resolution} onAsk={setResolution} />
    </section>
  );
}

interface ChartNoteProps {
  isLoading: boolean;
  tracks: Track[] | null;
  nothing: ComponentChildren;
}

function ChartNote({ isLoading, tracks, nothing }: ChartNoteProps) {
  if (tracks === null) return <p class="chart-note">{isLoading ? "Reading history…" : ""}</p>;
  if (tracks.every(({ pointCount }) => pointCount === 0)) return <p class="chart-note">{nothing}</p>;
  return null;
}

function inWords(shown: Shown, nowMs: number): string {
  if (shown.kind === "live") return `the last ${RANGES.find(({ id }) => id === shown.id)?.label}`;
  return `${formatDay(shown.startMs, nowMs)} to ${formatDay(shown.endMs - 1, nowMs)}`;
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
  isLive: boolean,
): void {
  const [, setHasPoints] = useState(false);
  useEffect(() => {
    for (const track of isLive ? (tracks ?? []) : []) {
      const seen = watch.trail(device, track.metric);
      for (const [index, at] of seen?.at.entries() ?? []) appendReading(track, at, seen!.values[index]!);
    }
    plot.current?.setTracks(tracks ?? []);
    const tellPoints = () => setHasPoints(tracks?.some(({ pointCount }) => pointCount > 0) ?? false);
    tellPoints();
    if (!isLive) return;
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
  }, [watch, device, tracks, plot, isLive]);
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
