// The days before now → the server, oldest first, as a gateway that had been out of reach would send them.
import type { RecordedReport } from "../recordings/recording.ts";
import { planBatches } from "../replay/plan-rounds.ts";
import { postReports } from "../replay/post-reports.ts";
import { backoffMs, isTransient, sleep } from "../replay/retry.ts";

/** A day of twelve stations: few requests, each small enough that live ones are not kept waiting behind it. */
const REPORTS_PER_REQUEST = 288;

export interface HistoryOptions {
  url: string;
  gatewayToken: string;
  signal: AbortSignal;
  log(line: string): void;
}

export async function sendHistory(
  reports: readonly RecordedReport[],
  options: HistoryOptions,
): Promise<void> {
  const { url, gatewayToken, signal, log } = options;
  const startedAt = performance.now();
  let stored = 0;
  let known = 0;
  for (const { body } of planBatches(reports, REPORTS_PER_REQUEST)) {
    for (let attempt = 1; !signal.aborted; attempt++) {
      const answer = await postReports(url, gatewayToken, body);
      if (answer.status === 200 && answer.body) {
        stored += answer.body.stored + answer.body.late + answer.body.corrected;
        known += answer.body.duplicate;
      }
      if (!isTransient(answer.status)) {
        if (answer.status !== 200) log(`history refused with ${answer.status}: ${answer.reason}`);
        break;
      }
      await sleep(backoffMs(attempt, answer.retryAfterMs, Math.random()), signal);
    }
  }
  if (signal.aborted) return;
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  log(`history: ${stored} readings new, ${known} known already, in ${seconds} s`);
}
