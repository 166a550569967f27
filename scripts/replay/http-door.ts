// The gateway door: rounds of reports → `POST /v1/telemetry`, each batch repeated until it is acknowledged.
import { LIMIT_CODES } from "../../schemas/codes.ts";
import { PROBLEMS_LISTED_MAX } from "../../schemas/limits.ts";
import type { TelemetryAnswer } from "../../schemas/reading.ts";
import type { RecordedReport } from "../recordings/recording.ts";
import { CLOCK_HEADER, type Door, type DoorContext, ReplayFailure } from "./door.ts";
import { type Batch, planBatches, planRounds, type RoundPlan } from "./plan-rounds.ts";
import { type Answer, limitedOf, postReports } from "./post-reports.ts";
import { backoffMs, isTransient, sleep } from "./retry.ts";
import { countReadings } from "./tally.ts";

export function httpDoor(context: DoorContext, plan: RoundPlan): Door {
  const { tally, signal } = context;

  /** One try; the latency counts only where it succeeded. */
  async function tryOnce(batch: Batch): Promise<Answer> {
    const startedAt = performance.now();
    tally.requests++;
    const clock = context.clockFollows
      ? { [CLOCK_HEADER]: String(Math.floor(batch.newestArrivedAt)) }
      : undefined;
    const answer = await postReports(context.url, await context.tokens.gateway(), batch.body, clock);
    if (answer.body) tally.addLatency(performance.now() - startedAt);
    return answer;
  }

  /** Sends a batch until nothing of it is left that a repetition could help. */
  async function send(batch: Batch): Promise<void> {
    let waiting: Batch | undefined = batch;
    let failingSince: number | undefined;
    for (let attempt = 1; waiting && !signal.aborted; attempt++) {
      const answer: Answer = await tryOnce(waiting);
      const left: RecordedReport[] = settle(waiting.reports, answer);
      if (left.length === 0) break;
      failingSince ??= performance.now();
      if (performance.now() - failingSince > context.retryForMs) {
        throw new ReplayFailure(`no luck for ${context.retryForMs / 1000} s: ${answer.reason}`);
      }
      tally.retries++;
      await sleep(backoffMs(attempt, answer.retryAfterMs, Math.random()), signal);
      // The same reports in the same bytes, or those of the devices that were out of reach.
      waiting = left === waiting.reports ? waiting : planBatches(left, left.length)[0];
    }
    context.onProgress(batch.reports.length, batch.newestArrivedAt);
  }

  /** Books an answer and returns the reports to send again. */
  function settle(reports: RecordedReport[], answer: Answer): RecordedReport[] {
    if (answer.body) return settleVerdicts(reports, answer.body, answer.status);
    if (isTransient(answer.status)) return reports;
    if (answer.status === 401 || answer.status === 403 || answer.status === 404) {
      throw new ReplayFailure(`${context.url} answered ${answer.status}: ${answer.reason}`);
    }
    tally.addProblem(answer.code ?? `http_${answer.status}`);
    return [];
  }

  /**
   * Each device out of reach is named by one problem, and all its reports have to go again, as have those that came too fast;
   * the other verdicts stand.
   */
  function settleVerdicts(
    reports: RecordedReport[],
    answer: TelemetryAnswer,
    status: number,
  ): RecordedReport[] {
    // A cut list may hide a device: then all go again, and what was stored comes back as duplicate.
    if (status === 503 && answer.problems.length >= PROBLEMS_LISTED_MAX) return reports;
    const away = answer.problems.flatMap(({ code, index }) =>
      code === "unavailable" ? [reports[index]?.device] : [],
    );
    const limited = new Set(limitedOf(reports, answer));
    const again = reports.filter((report) => away.includes(report.device) || limited.has(report));
    const againReadings = countReadings(again);
    tally.addVerdicts({ ...answer, refused: answer.refused - againReadings });
    for (const { code } of answer.problems) if (!isMendedByTime(code)) tally.addProblem(code);
    tally.addAcknowledged(reports.length - again.length, countReadings(reports) - againReadings);
    return again;
  }

  const isMendedByTime = (code: string) =>
    code === "unavailable" || (LIMIT_CODES as readonly string[]).includes(code);

  return {
    async play(reports) {
      for await (const round of planRounds(reports, plan)) {
        await context.pace(round.newestArrivedAt, signal);
        if (signal.aborted) return;
        await Promise.all(
          round.lanes.map(async (batches) => {
            for (const batch of batches) await send(batch);
          }),
        );
      }
    },
  };
}
