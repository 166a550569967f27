// Reads the chart's history: one question per metric, all for the same span, each answer a track.
import type { HistoryAnswer, Resolution } from "../../schemas/query.ts";
import type { Api } from "../base/api.ts";
import { type Track, trackOf } from "./track.ts";

export interface HistoryAsked {
  device: string;
  metrics: readonly string[];
  startMs: number;
  endMs: number;
  resolution: Resolution;
  /** More could not be told apart on the chart. */
  maxPoints: number;
}

export interface History {
  tracks: Track[];
  sources: HistorySource[];
}

/** Who answered for one metric, and how finely. */
export type HistorySource = Pick<
  HistoryAnswer,
  "metric" | "source" | "resolution" | "segments" | "bytesRead" | "thinned" | "leftOut"
>;

/**
 * The browser's time zone, whose days are drawn. A zone that is not whole hours from UTC has days of UTC: its own are made
 * of readings, and a year of these may be too many.
 */
function ownZone({ startMs, endMs }: HistoryAsked): { tz?: string } {
  const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
  const isWhole = [startMs, endMs].every((atMs) => new Date(atMs).getTimezoneOffset() % 60 === 0);
  // What a browser calls a zone it does not know, and takes for UTC.
  return isWhole && timeZone !== "Etc/Unknown" ? { tz: timeZone } : {};
}

export async function loadHistory(api: Api, asked: HistoryAsked, signal: AbortSignal): Promise<History> {
  const answers = await Promise.all(
    asked.metrics.map((metric) => {
      const query = new URLSearchParams({
        metric,
        from: String(asked.startMs),
        to: String(asked.endMs),
        resolution: asked.resolution,
        maxPoints: String(asked.maxPoints),
        ...ownZone(asked),
      });
      return api.get<HistoryAnswer>(
        `/v1/devices/${encodeURIComponent(asked.device)}/history?${query}`,
        signal,
      );
    }),
  );
  return { tracks: answers.map((answer) => trackOf(answer, asked.endMs)), sources: answers };
}
