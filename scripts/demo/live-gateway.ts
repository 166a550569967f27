// Live reports of several stations → one HTTPS request at a time, kept while the server is away.
import type { RecordedReport } from "../recordings/recording.ts";
import { planBatches } from "../replay/plan-rounds.ts";
import { postReports } from "../replay/post-reports.ts";
import { backoffMs, isTransient, sleep } from "../replay/retry.ts";

/** What the gateway remembers through an outage: five minutes of six stations. The oldest goes first. */
const KEPT_REPORTS_MAX = 900;

export class LiveGateway {
  readonly #url: string;
  readonly #token: string;
  readonly #signal: AbortSignal;
  #waiting: RecordedReport[] = [];
  #sending = false;

  constructor(url: string, token: string, signal: AbortSignal) {
    this.#url = url;
    this.#token = token;
    this.#signal = signal;
  }

  /** Takes reports and returns at once. */
  push(reports: readonly RecordedReport[]): void {
    this.#waiting.push(...reports);
    this.#waiting.splice(0, Math.max(0, this.#waiting.length - KEPT_REPORTS_MAX));
    if (!this.#sending) void this.#sendAll();
  }

  async #sendAll(): Promise<void> {
    this.#sending = true;
    while (this.#waiting.length > 0 && !this.#signal.aborted) {
      const [batch] = planBatches(this.#waiting.splice(0), KEPT_REPORTS_MAX);
      for (let attempt = 1; batch && !this.#signal.aborted; attempt++) {
        const { status, retryAfterMs } = await postReports(this.#url, this.#token, batch.body);
        if (!isTransient(status)) break;
        await sleep(backoffMs(attempt, retryAfterMs, Math.random()), this.#signal);
      }
    }
    this.#sending = false;
  }
}
