// How many reports a device may still send → which of a request are taken, and when the others may come again.
import type { LimitCode, ReadingProblem } from "../../schemas/codes.ts";
import type {
  PackedReports,
  ReportAnswer,
  SpentAllowance,
  VerdictCounts,
  Verdicts,
} from "../../schemas/message.ts";
import { countReports, forEachReport, splitReports } from "../report/pack.ts";
import { placeOf } from "../verdicts.ts";
import type { DeviceState } from "./state.ts";

/** What a device may send. */
export interface ReportRate {
  /** Null: as many as it likes. */
  perSecond: number | null;
  /** How many may come at once after a rest. */
  burst: number;
}

/** Which reports are taken. */
export interface Admission {
  /** The reports that are taken, the first of those that came; null: none. */
  taken: PackedReports | null;
  /** Why the others are not; null: all are taken. */
  refusal: Refusal | null;
  /** Readings of the reports that are thinned: they are taken, and marked as beyond the rate. */
  thinned: number;
}

/** What is said of reports that are more than somebody may send. */
export interface Refusal {
  /** How many reports of the request were taken: those after them may be sent again. */
  taken: number;
  /** Readings of the others. */
  readings: number;
  /** When all of the others may be sent, or as many as the burst has. */
  retryAfterMs: number;
  code: LimitCode;
  problem: ReadingProblem;
}

/** Returns the rate that holds for a device: its own, else its model's, else its tenant's. */
export function rateOf({ settings, profile }: Pick<DeviceState, "settings" | "profile">): ReportRate {
  const { models, reportsPerSecondPerDevice, burstPerDevice } = settings.limits;
  const { model, limits } = profile;
  const own = limits ?? (model !== null && Object.hasOwn(models, model) ? models[model] : undefined);
  if (own !== undefined) return { perSecond: own.reportsPerSecond, burst: own.burst };
  return { perSecond: reportsPerSecondPerDevice, burst: burstPerDevice };
}

/**
 * Takes up to `wanted` reports from what the device may send at `wallMs`, changing `state`. Returns how many it may,
 * and in how many ms it may send the others: 0 when there are none.
 */
export function draw(
  state: Pick<DeviceState, "settings" | "profile" | "allowance">,
  wanted: number,
  wallMs: number,
): { granted: number; retryAfterMs: number } {
  const { perSecond, burst } = rateOf(state);
  if (perSecond === null) {
    state.allowance = null;
    return { granted: wanted, retryAfterMs: 0 };
  }
  const { left, ...drawn } = drawFrom(
    state.allowance ?? { reports: burst, atMs: wallMs },
    { perSecond, burst },
    wanted,
    wallMs,
  );
  state.allowance = left;
  return drawn;
}

/** What may be sent at an instant, epoch ms by the wall clock. */
type Allowance = NonNullable<DeviceState["allowance"]>;

/** Takes up to `wanted` reports from an allowance. Returns what `draw` does, and what is left of it. */
export function drawFrom(
  { reports, atMs }: Allowance,
  { perSecond, burst }: { perSecond: number; burst: number },
  wanted: number,
  wallMs: number,
): { granted: number; retryAfterMs: number; left: Allowance } {
  const elapsedMs = Math.max(0, wallMs - atMs); // the clock of another machine may be behind
  const there = Math.min(burst, reports + (elapsedMs * perSecond) / 1000);
  const granted = Math.min(wanted, Math.floor(there + ROUNDING));
  const left = Math.max(0, there - granted);
  const waiting = Math.min(wanted - granted, burst);
  return {
    granted,
    retryAfterMs: Math.ceil((Math.max(0, waiting - left) / perSecond) * 1000),
    left: { reports: left, atMs: Math.max(atMs, wallMs) },
  };
}

/**
 * Returns what is left of a device's allowance when that is less than one report, for others to refuse by; undefined: there
 * is more, or what is beyond it is taken all the same.
 */
export function spentOf(
  state: Pick<DeviceState, "settings" | "profile" | "allowance">,
): SpentAllowance | undefined {
  const { perSecond, burst } = rateOf(state);
  const { allowance, settings } = state;
  if (perSecond === null || allowance === null || allowance.reports >= 1 || settings.excess === "sample")
    return undefined;
  return { reports: allowance.reports, perSecond, burst };
}

/** A report that is a billionth short of whole is whole: the sum of tenths is not ten. */
const ROUNDING = 1e-9;

/**
 * Decides which reports of a request are taken at `wallMs`: the first ones, as many as the device may send; or all, as many
 * as it may send evenly spread over the request, and the others thinned, where the tenant chose that. Changes
 * the device's allowance, which the next commit makes durable. Linear in the reports.
 */
export function admit(state: DeviceState, reports: PackedReports, wallMs: number): Admission {
  const wanted = countReports(reports);
  const { granted, retryAfterMs } = draw(state, wanted, wallMs);
  if (granted === wanted) return { taken: reports, refusal: null, thinned: 0 };
  if (state.settings.excess === "sample") return { ...thinEvenly(reports, granted, wanted), refusal: null };
  return { ...refuseTooFast(state.device, reports, granted, rateOf(state), retryAfterMs), thinned: 0 };
}

/** Refuses all reports of a device but the first `count`, because they came too fast. */
export function refuseTooFast(
  device: string,
  reports: PackedReports,
  count: number,
  rate: ReportRate,
  retryAfterMs: number,
): { taken: PackedReports | null; refusal: Refusal } {
  const wanted = countReports(reports);
  const rest = `${wanted - count} of ${wanted} reports of ${device} came too fast`;
  const message = `${rest}: it may send ${inWords(rate)}; send them again in ${retryAfterMs} ms`;
  return refuseAfter(reports, count, { code: "rate_limited", message, retryAfterMs });
}

/** Marks all reports as beyond the rate but `granted` of them, which lie evenly among all: the same ones each time. */
function thinEvenly(
  reports: PackedReports,
  granted: number,
  wanted: number,
): { taken: PackedReports; thinned: number } {
  const excess: number[] = [];
  let thinned = 0;
  forEachReport(reports, (_id, _at, _receivedAt, shape, _valuesAt, nth) => {
    const isKept = Math.floor(((nth + 1) * granted) / wanted) > Math.floor((nth * granted) / wanted);
    if (isKept) return;
    excess.push(nth);
    thinned += shape.length;
  });
  return { taken: { ...reports, excess }, thinned };
}

/** Returns why a device may open no socket, which costs as much as a report; undefined: it may, and that is taken from its allowance. */
export function refusesConnection(
  state: DeviceState,
  wallMs: number,
): { code: LimitCode; message: string; retryAfterMs: number } | undefined {
  const { retryAfterMs } = draw(state, 1, wallMs);
  if (retryAfterMs === 0) return undefined;
  const message = `${state.device} may send ${inWords(rateOf(state))}; connect again in ${retryAfterMs} ms`;
  return { code: "rate_limited", message, retryAfterMs };
}

/** Refuses all reports but the first `count`, of which there must be more. */
export function refuseAfter(
  reports: PackedReports,
  count: number,
  { code, message, retryAfterMs }: { code: LimitCode; message: string; retryAfterMs: number },
): { taken: PackedReports | null; refusal: Refusal } {
  const { head, tail } = splitReports(reports, count);
  const problem: ReadingProblem = { index: tail.firstId, code, message, retryAfterMs };
  return {
    taken: count === 0 ? null : head,
    refusal: { taken: count, readings: tail.readings, retryAfterMs, code, problem },
  };
}

/** Returns the verdicts on a request some of whose reports were more than somebody may send; `each` stays of the others. */
export function withRefusal({ counts, problems, ...each }: Verdicts, refusal: Refusal): ReportAnswer {
  const { taken, readings, retryAfterMs, code, problem } = refusal;
  const all: VerdictCounts = [...counts];
  all[placeOf("refused")]! += readings;
  return { counts: all, problems: [...problems, problem], ...each, limited: { taken, retryAfterMs, code } };
}

/** Returns the rate as people read it. */
export const inWords = ({ perSecond, burst }: ReportRate): string =>
  `${perSecond} a second and ${burst} at once`;
