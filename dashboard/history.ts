// Reads the chart's history: one question per metric, all for the same span, each answer a track.
import type { HistoryAnswer, Resolution } from "../schemas/query.ts";
import type { Api } from "./api.ts";
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
  "metric" | "source" | "resolution" | "segments" | "bytesRead" | "thinned"
>;

export async function loadHistory(api: Api, asked: HistoryAsked, signal: AbortSignal): Promise<History> {
  const answers = await Promise.all(
    asked.metrics.map((metric) => {
      const query = new URLSearchParams({
        metric,
        from: String(asked.startMs),
        to: String(asked.endMs),
        resolution: asked.resolution,
        maxPoints: String(asked.maxPoints),
      });
      return api.get<HistoryAnswer>(
        `/v1/devices/${encodeURIComponent(asked.device)}/history?${query}`,
        signal,
      );
    }),
  );
  return { tracks: answers.map((answer) => trackOf(answer, asked.endMs)), sources: answers };
}
