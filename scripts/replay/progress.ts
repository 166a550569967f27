// How far a replay is → a line on stderr.
import { type ShownProgress, showProgress } from "../command/progress.ts";
import type { ReplayOptions } from "./play.ts";

const instant = (ms: number) =>
  Number.isFinite(ms) ? new Date(ms).toISOString().slice(0, 16).replace("T", " ") : "";

/** Time left, taking the rest as fast as what is done: minutes and seconds; empty while nobody can say. */
export function leftText(elapsedMs: number, done: number, total: number): string {
  if (done <= 0 || total <= done) return "";
  const seconds = Math.ceil((elapsedMs / 1_000 / done) * (total - done));
  return seconds < 60 ? `${seconds} s left` : `${Math.floor(seconds / 60)} min ${seconds % 60} s left`;
}

export interface ReplayProgress extends Pick<ShownProgress, "stop"> {
  update: NonNullable<ReplayOptions["onProgress"]>;
}

/** Shown from the first moment on: a large recording is measured before it is played. */
export function showReplay(file: string): ReplayProgress {
  const shown = showProgress();
  const startedAtMs = performance.now();
  shown.update({ what: `reading ${file}`, done: 0 });
  return {
    update: ({ reports, ofReports = 0, arrivedAt }) => {
      const notes = [instant(arrivedAt), leftText(performance.now() - startedAtMs, reports, ofReports)];
      const note = notes.filter((text) => text !== "").join("  ");
      shown.update({ what: `playing ${file}`, done: reports, total: ofReports, unit: "reports", note });
    },
    stop: () => shown.stop(),
  };
}
