// How far a replay is → a bar on stderr.
import { SingleBar } from "cli-progress";
import type { ReplayOptions } from "./play.ts";

export interface Progress {
  update: NonNullable<ReplayOptions["onProgress"]>;
  stop(): void;
}

const instant = (ms: number) =>
  Number.isFinite(ms) ? new Date(ms).toISOString().slice(0, 16).replace("T", " ") : "";

/** A bar where stderr is a terminal, nothing elsewhere. */
export function showProgress(): Progress | undefined {
  if (!process.stderr.isTTY) return undefined;
  const bar = new SingleBar({
    format: "{bar} {percentage}%  {value}/{total} reports  {recorded}  {eta_formatted} left",
    stream: process.stderr,
    hideCursor: true,
    clearOnComplete: true,
  });
  bar.start(0, 0, { recorded: "" });
  return {
    update: ({ reports, ofReports, arrivedAt }) => {
      bar.setTotal(ofReports ?? reports);
      bar.update(reports, { recorded: instant(arrivedAt) });
    },
    stop: () => bar.stop(),
  };
}
