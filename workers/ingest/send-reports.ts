// Grouped reports → each device's object, a bounded number at once, and their verdicts in the order of the request.
import type { GroupedReports } from "../../core/decode/group-reports.ts";
import type { ReadingProblem } from "../../schemas/codes.ts";
import { PROBLEMS_LISTED_MAX } from "../../schemas/limits.ts";
import type { PackedReports, Verdicts } from "../../schemas/message.ts";
import type { TelemetryAnswer } from "../../schemas/reading.ts";
import type { IngestEnv } from "./env.ts";

/** Objects called at once for one request: enough to hide their fsyncs, few enough to be fair to other requests. */
const CONCURRENT_DEVICES = 50;
/** An object that was moved or updated answers the second try; more tries are the device's. */
const TRIES = 2;

export interface SendOutcome extends Verdicts {
  /** Some device's object could not be reached: nothing of its reports is certain, and all may be sent again. */
  unavailable: boolean;
}

/** Sends and gathers. Never throws for one device's sake: its reports are refused as `unavailable`, the others stand. */
export async function sendReports(
  env: IngestEnv,
  tenant: string,
  grouped: GroupedReports,
  now: number,
): Promise<SendOutcome> {
  const outcome: SendOutcome = {
    counts: [0, 0, 0, 0, 0, grouped.refused],
    problems: grouped.problems,
    unavailable: false,
  };
  const waiting = [...grouped.devices];
  const lane = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const [device, packer] = next;
      try {
        const verdicts = await send(env, `${tenant}/${device}`, packer.finish(), now);
        for (let i = 0; i < verdicts.counts.length; i++) outcome.counts[i]! += verdicts.counts[i]!;
        outcome.problems.push(...verdicts.problems);
      } catch (error) {
        console.error("device object did not answer", { tenant, device, error: (error as Error).message });
        outcome.unavailable = true;
        outcome.problems.push(unavailable(packer.finish().rows[0]!, device));
        outcome.counts[5]! += packer.readingCount;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(CONCURRENT_DEVICES, waiting.length) }, lane));
  outcome.problems = outcome.problems.sort((a, b) => a.index - b.index).slice(0, PROBLEMS_LISTED_MAX);
  return outcome;
}

async function send(env: IngestEnv, name: string, reports: PackedReports, now: number) {
  for (let attempt = 1; ; attempt++) {
    try {
      return await env.DEVICE.getByName(name).report(reports, now);
    } catch (error) {
      if (attempt >= TRIES || !(error as { retryable?: boolean }).retryable) throw error;
    }
  }
}

const unavailable = (index: number, device: string): ReadingProblem => ({
  index,
  code: "unavailable",
  message: `the object of ${device} is away; send its reports again`,
});

/** The contract's answer. */
export function answerOf({ counts, problems }: Verdicts): TelemetryAnswer {
  const [stored, duplicate, corrected, late, quarantined, refused] = counts as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  return { stored, duplicate, corrected, late, quarantined, refused, problems };
}
