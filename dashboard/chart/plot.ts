// The chart on the page: keeps a uPlot in step with its tracks, the passing of time, the size of its host and the theme.
import uPlot from "uplot";
import { plotData, plotOptions, plotShape, type View } from "./plot-options.ts";
import { dropBefore, type Track } from "./track.ts";

export class Plot {
  readonly #host: HTMLElement;
  readonly #view: () => View;
  readonly #onCursor: (atMs: number | null) => void;
  readonly #resize: ResizeObserver;
  #uplot: uPlot | null = null;
  #shape = "";
  #tracks: readonly Track[] = [];
  #frame = 0;

  /** `view`: the span to show now. `onCursor`: the instant pointed at, null when none. */
  constructor(host: HTMLElement, view: () => View, onCursor: (atMs: number | null) => void) {
    this.#host = host;
    this.#view = view;
    this.#onCursor = onCursor;
    this.#resize = new ResizeObserver(() => this.#uplot?.setSize(this.#size()));
    this.#resize.observe(host);
  }

  setTracks(tracks: readonly Track[]): void {
    this.#tracks = tracks;
    if (plotShape(tracks) !== this.#shape) this.rebuild();
    else this.#draw();
  }

  /** Draws in the next frame, once, however often it is asked. */
  drawSoon(): void {
    if (this.#frame !== 0) return;
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0;
      this.#draw();
    });
  }

  /** Makes the plot anew: other metrics, other kind of points, other colours. */
  rebuild(): void {
    this.#uplot?.destroy();
    this.#uplot = null;
    this.#shape = plotShape(this.#tracks);
    if (this.#tracks.length > 0) {
      const options = plotOptions(this.#tracks, this.#view, this.#size(), (plot) => this.#tellCursor(plot));
      this.#uplot = new uPlot(options, plotData(this.#tracks), this.#host);
    }
    this.#draw();
  }

  /** Moves the cursor by points, as the arrow keys do. */
  stepCursor(step: number): void {
    const plot = this.#uplot;
    const instants = plot?.data[0];
    if (!plot || !instants || instants.length === 0) return;
    const index = (plot.cursor.idx ?? (step < 0 ? instants.length : -1)) + step;
    const atMs = instants[Math.max(0, Math.min(instants.length - 1, index))]!;
    plot.setCursor({ left: plot.valToPos(atMs, "x"), top: 0 });
  }

  clearCursor(): void {
    this.#uplot?.setCursor({ left: -10, top: -10 });
  }

  destroy(): void {
    cancelAnimationFrame(this.#frame);
    this.#resize.disconnect();
    this.#uplot?.destroy();
  }

  #draw(): void {
    const { startMs } = this.#view();
    let pointCount = 0;
    for (const track of this.#tracks) {
      dropBefore(track, startMs);
      pointCount += track.pointCount;
    }
    this.#uplot?.setData(plotData(this.#tracks));
    this.#host.dataset.points = String(pointCount);
  }

  #tellCursor(plot: uPlot): void {
    const { left = -1, idx } = plot.cursor;
    const atMs = left < 0 || idx === null || idx === undefined ? null : (plot.data[0][idx] ?? null);
    this.#onCursor(atMs);
  }

  #size(): { width: number; height: number } {
    return { width: this.#host.clientWidth, height: this.#host.clientHeight };
  }
}
