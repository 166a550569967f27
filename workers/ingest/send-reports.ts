// Grouped reports → each device's object, a bounded number at once, and their verdicts in the order of the request.
import { countReadings, type GroupedReports, listProblems } from "../../core/decode/group-reports.ts";
import { withRefusal } from "../../core/device/allowance.ts";
import { forEachReport } from "../../core/report/pack.ts";
import type { Caller } from "../../core/token/verify.ts";
import { addCounts, named, noVerdicts, placeOf } from "../../core/verdicts.ts";
import { type LimitCode, type ReadingCode, type ReadingProblem, VERDICTS } from "../../schemas/codes.ts";
import { PROBLEMS_LISTED_MAX } from "../../schemas/limits.ts";
import type {
  EachVerdict,
  PackedReports,
  ReportAnswer,
  VerdictCounts,
  Verdicts,
} from "../../schemas/message.ts";
import type { ReadingVerdict, TelemetryAnswer } from "../../schemas/reading.ts";
import type { DeviceToken } from "../../schemas/token.ts";
import { wallMs } from "../clock.ts";
import { inLanes } from "../lanes.ts";
import { learnQuota, refillReadings, spendReadings } from "../readings-quota.ts";
import { lifeOf } from "../token-note.ts";
import type { IngestEnv } from "./env.ts";
import { spentDevices } from "./spent-devices.ts";

/** Objects called at once for one request: enough to hide their fsyncs, few enough to be fair to other requests. */
const CONCURRENT_DEVICES = 50;
/** An object that was moved or updated answers the second try; more tries are the device's. */
const TRIES = 2;

/** What came of a request's reports, all devices together. */
export interface SendOutcome extends Omit<Verdicts, "each"> {
  /** Some device's object could not be reached: nothing of its reports is certain, and all may be sent again. */
  unavailable: boolean;
  /** Indices of the reports that came too fast, in no order. */
  limited: number[];
  /** When all of those may be sent again; 0 when there are none. */
  retryAfterMs: number;
  /** How many readings came beyond their devices' rates and are thinned. */
  thinned: number;
  /** Why the first of them was refused; undefined when there are none. */
  limitCode: LimitCode | undefined;
  /** Some device said that the token was revoked, and took nothing. */
  isVoid: boolean;
  /** How long the devices are asked to send no more, the longest of theirs; 0: they are not. */
  slowDownMs: number;
  /** The verdict on each reading, in no order, where `GroupedReports.each` asks for them. */
  each: ReadingVerdict[] | undefined;
}

/**
 * Sends reports to their devices' objects, at most 50 at once, and returns what came of all; when the tenant has sent
 * all it may, sends none, and none of a device that has sent all it may for the moment. Never throws for one device: the
 * reports of one that is away are refused as `unavailable`, the others stand.
 */
export async function sendReports(
  env: IngestEnv,
  caller: Caller,
  grouped: GroupedReports,
  now: number,
): Promise<SendOutcome> {
  const outcome: SendOutcome = {
    counts: [0, 0, 0, 0, 0, grouped.refused],
    problems: grouped.problems,
    unavailable: false,
    limited: [],
    retryAfterMs: 0,
    thinned: 0,
    limitCode: undefined,
    isVoid: false,
    slowDownMs: 0,
    each: grouped.each,
  };
  const wantsEach = grouped.each !== undefined;
  const { tenant, device: isDevices } = caller;
  const token: DeviceToken = { ...lifeOf(caller), ...(isDevices === undefined ? { isGateway: true } : {}) };
  await refillReadings(env.TENANT, tenant);
  const readings = countReadings(grouped);
  const retryAfterMs = spendReadings(tenant, readings);
  if (retryAfterMs > 0) return refuseAll(outcome, tenant, grouped, { readings, retryAfterMs });
  await inLanes([...grouped.devices], CONCURRENT_DEVICES, async ([device, packer]) => {
    const reports: PackedReports = wantsEach ? { ...packer.finish(), wantsEach } : packer.finish();
    const refusal = spentDevices.refuse(tenant, device, reports, wallMs());
    if (refusal !== undefined) return noteAnswer(outcome, reports, withRefusal(noVerdicts(), refusal));
    try {
      const answer = await send(env, `${tenant}/${device}`, reports, now, token);
      if (answer.isVoid) {
        outcome.isVoid = true;
        outcome.problems.push(revokedFor(reports.rows[0]!, device));
        outcome.counts[placeOf("refused")]! += packer.readingCount;
        tell(outcome, reports, undefined, "token_revoked");
        return;
      }
      noteAnswer(outcome, reports, answer);
      learnQuota(tenant, answer.readingsPerSecond ?? null);
    } catch (error) {
      console.error("device object did not answer", { tenant, device, error: (error as Error).message });
      outcome.unavailable = true;
      outcome.problems.push(unavailable(reports.rows[0]!, device));
      tell(outcome, reports, undefined, "unavailable");
      outcome.counts[placeOf("refused")]! += packer.readingCount;
    }
  });
  outcome.problems = listProblems(outcome.problems, grouped.notes);
  return outcome;
}

/** Adds a device's answer to what came of the request. */
function noteAnswer(outcome: SendOutcome, reports: PackedReports, answer: ReportAnswer): void {
  const { counts, problems, each, limited, thinned = 0, slowDownMs = 0 } = answer;
  addCounts(outcome.counts, counts);
  outcome.thinned += thinned;
  outcome.problems.push(...problems);
  if (limited !== undefined) noteLimited(outcome, reports, limited);
  tell(outcome, reports, each, limited?.code ?? "unavailable");
  outcome.slowDownMs = Math.max(outcome.slowDownMs, slowDownMs);
  // Of 20,000 devices with a hundred each only the first hundred are told.
  if (outcome.problems.length > 10 * PROBLEMS_LISTED_MAX)
    outcome.problems = listProblems(outcome.problems, []);
}

/** Refuses all reports of a tenant that has sent all it may in a second. */
function refuseAll(
  outcome: SendOutcome,
  tenant: string,
  { devices, notes }: GroupedReports,
  { readings, retryAfterMs }: { readings: number; retryAfterMs: number },
): SendOutcome {
  const code = "quota_readings";
  for (const packer of devices.values()) {
    const reports = packer.finish();
    noteLimited(outcome, reports, { taken: 0, retryAfterMs, code });
    tell(outcome, reports, undefined, code);
  }
  const index = outcome.limited.reduce((least, own) => Math.min(least, own));
  const message = `tenant ${tenant} has sent all it may in a second (PUT /v1/tenant, limits.readingsPerSecond); send the same again in ${retryAfterMs} ms`;
  outcome.counts[placeOf("refused")]! += readings;
  outcome.problems = listProblems([...outcome.problems, { index, code, message, retryAfterMs }], notes);
  return outcome;
}

type Limited = NonNullable<ReportAnswer["limited"]>;

function noteLimited(
  outcome: SendOutcome,
  reports: PackedReports,
  { taken, retryAfterMs, code }: Limited,
): void {
  forEachReport(reports, (index, _at, _receivedAt, _shape, _valuesAt, nth) => {
    if (nth >= taken) outcome.limited.push(index);
  });
  outcome.retryAfterMs = Math.max(outcome.retryAfterMs, retryAfterMs);
  outcome.limitCode ??= code;
}

async function send(
  env: IngestEnv,
  name: string,
  reports: PackedReports,
  now: number,
  token: DeviceToken,
): Promise<ReportAnswer> {
  const unasked = spentDevices.takeUnasked(name);
  for (let attempt = 1; ; attempt++) {
    try {
      const askedAtMs = wallMs();
      // The types of calls forget that a tuple is one.
      const { counts, ...answer } = await env.DEVICE.getByName(name).report(reports, now, token, unasked);
      spentDevices.note(name, answer.spent, askedAtMs, wallMs());
      return { counts: counts as VerdictCounts, ...answer };
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

const revokedFor = (index: number, device: string): ReadingProblem => ({
  index,
  code: "token_revoked",
  message: `the token was revoked, and nothing of ${device} is taken with it; send its reports again with a new one`,
});

/** Lists what became of each reading of a device's reports, where that was asked for; `others`: why those after `each` were not taken. */
function tell(
  outcome: SendOutcome,
  reports: PackedReports,
  each: readonly EachVerdict[] | undefined,
  others: ReadingCode,
): void {
  if (outcome.each !== undefined) outcome.each.push(...eachOf(reports, each ?? [], others));
}

/** Returns the answer of `POST /v1/telemetry`; sorts `each`. */
export const answerOf = ({ counts, problems, thinned, each }: SendOutcome): TelemetryAnswer => ({
  ...named(counts),
  problems,
  ...(thinned === 0 ? {} : { thinned }),
  ...(each === undefined ? {} : { verdicts: each.sort((a, b) => a.index - b.index) }),
});

/** Returns what became of each reading of a device's reports: `each` of the first, and `others` of those after them. */
function* eachOf(
  reports: PackedReports,
  each: readonly EachVerdict[],
  others: ReadingCode,
): Generator<ReadingVerdict> {
  const readings: { index: number; metric: string }[] = [];
  forEachReport(reports, (index, _at, _receivedAt, shape) => {
    for (const name of shape) readings.push({ index, metric: reports.names[name]! });
  });
  for (const [i, reading] of readings.entries()) {
    const found = each[i] ?? others;
    if (isVerdict(found)) yield { ...reading, verdict: found };
    else yield { ...reading, verdict: "refused", code: found };
  }
}

const isVerdict = (found: EachVerdict): found is Exclude<EachVerdict, ReadingCode> =>
  (VERDICTS as readonly string[]).includes(found);

/** Returns the half-open ranges that indices make, in their order. Sorts them. */
export function rangesOf(indices: number[]): [from: number, to: number][] {
  const ranges: [number, number][] = [];
  for (const index of indices.sort((a, b) => a - b)) {
    const last = ranges.at(-1);
    if (last?.[1] === index) last[1] = index + 1;
    else ranges.push([index, index + 1]);
  }
  return ranges;
}
