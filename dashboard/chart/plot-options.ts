// Tracks and the page's colours → how uPlot draws them: a line a metric, with a band from min to max where points are windows.
import uPlot from "uplot";
import { decimalsOf, formatTick, formatValue } from "../base/format.ts";
import type { Track } from "./track.ts";
import { valueRange } from "./value-range.ts";

export interface View {
  startMs: number;
  endMs: number;
}

const FONT = "12px system-ui, sans-serif";
const TICK_SPACE_PX = 76;

/** Same shape, same options: the plot must be made anew only when this differs. */
export function plotShape(tracks: readonly Track[]): string {
  return tracks.map(({ metric, windowMs }) => `${metric}\n${windowMs > 0}`).join("\n");
}

export function plotOptions(
  tracks: readonly Track[],
  view: () => View,
  size: { width: number; height: number },
  onCursor: (plot: uPlot) => void,
): uPlot.Options {
  const colours = readColours();
  const series: uPlot.Series[] = [{}];
  const bands: uPlot.Band[] = [];
  const scales: uPlot.Scales = { x: { time: true, range: () => [view().startMs, view().endMs] } };
  const axes: uPlot.Axis[] = [timeAxis(colours)];
  tracks.forEach(({ windowMs }, index) => {
    const scale = `y${index}`;
    const stroke = colours.series[index]!;
    series.push({ scale, stroke, width: 1.75, points: { size: 5, fill: stroke } });
    if (windowMs > 0) {
      const edge = edgeOf(scale, colours.edges[index]!);
      series.push(edge, { ...edge });
      bands.push({ series: [series.length - 1, series.length - 2], fill: colours.bands[index]! });
    }
    scales[scale] = { range: (_plot, low, high) => valueRange(low, high) };
    axes.push(valueAxis(scale, index, tracks.length > 1 ? stroke : colours.text, colours));
  });
  return {
    ...size,
    ms: 1,
    series,
    bands,
    scales,
    axes,
    padding: [12, tracks.length > 1 ? 0 : 12, 0, 0],
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, points: { size: 8, width: 2 } },
    hooks: { setCursor: [onCursor] },
  };
}

/** One aligned table: time, then value or value, low, high of each track. */
export function plotData(tracks: readonly Track[]): uPlot.AlignedData {
  const tables = tracks.map(
    ({ windowMs, at, value, low, high }): uPlot.AlignedData =>
      windowMs > 0 ? [at, value, low, high] : [at, value],
  );
  return tables.length === 1 ? tables[0]! : uPlot.join(tables);
}

interface Colours {
  text: string;
  line: string;
  series: string[];
  bands: string[];
  edges: string[];
}

/** A canvas does not know the page's variables: the browser resolves them on an element, for the theme that holds now. */
function readColours(): Colours {
  const probe = document.body.appendChild(document.createElement("i"));
  const read = (name: string) => {
    probe.style.color = `var(${name})`;
    return getComputedStyle(probe).color;
  };
  const colours = {
    text: read("--muted"),
    line: read("--grid"),
    series: [read("--series-1"), read("--series-2")],
    bands: [read("--band-1"), read("--band-2")],
    edges: [read("--edge-1"), read("--edge-2")],
  };
  probe.remove();
  return colours;
}

/** An edge of the band: where a spike of one reading makes the fill a hair wide, its two sides are what is seen. */
function edgeOf(scale: string, stroke: string): uPlot.Series {
  return { scale, width: 1, stroke, points: { show: false } };
}

function timeAxis(colours: Colours): uPlot.Axis {
  return {
    stroke: colours.text,
    font: FONT,
    space: TICK_SPACE_PX,
    size: 30,
    gap: 6,
    grid: { stroke: colours.line, width: 1 },
    ticks: { stroke: colours.line, width: 1, size: 5 },
    values: (_plot, splits, _axis, _space, stepMs) => splits.map((at) => formatTick(at, stepMs)),
  };
}

function valueAxis(scale: string, index: number, stroke: string, colours: Colours): uPlot.Axis {
  return {
    scale,
    side: index === 0 ? 3 : 1,
    stroke,
    font: FONT,
    gap: 6,
    size: (_plot, values) => Math.max(52, 18 + 7 * Math.max(0, ...(values ?? []).map((text) => text.length))),
    grid: { show: index === 0, stroke: colours.line, width: 1 },
    ticks: { show: false },
    values: (_plot, splits) => {
      const decimals = decimalsOf(splits);
      return splits.map((value) => formatValue(value, decimals));
    },
  };
}
