// Reports and a device's state → everything one commit changes, in the one order that is right: the object that calls it
// only loads, saves, and does what is asked for here.
import type { PackedReports, Verdicts } from "../../schemas/message.ts";
import { evaluateReports } from "../alert/evaluate.ts";
import { noteAlarm, planAlarm } from "./alarm.ts";
import { applyReports } from "./apply.ts";
import { noteLatest } from "./latest.ts";
import type { OpenBlock } from "./open-block.ts";
import { listMore, takeOverdue } from "./outbox.ts";
import { markTaken, type TakenMarks } from "./retain.ts";
import type { Ring } from "./ring.ts";
import { type SealedBlock, sealBlocks } from "./seal.ts";
import { type DeviceState, type Pending, subjectOf } from "./state.ts";
import type { AlarmTiming } from "./timing.ts";

/**
 * A zone that has not confirmed an event is sent it again this long after the last commit, in ms; until then each
 * commit sends it.
 */
const TELL_AGAIN_MS = 30_000;

/** What a commit takes in. */
export interface CommitInput {
  /**
   * Reports that sockets hold unacknowledged, in the order of the sockets; none when absent. Latest and the rules saw
   * them when they came.
   */
  held?: readonly PackedReports[];
  /** The requests that share this commit, in the order of their arrival; none when absent. */
  requests?: readonly PackedReports[];
  /** Receipt time of the newest report, or now; epoch ms by the receipt clock. */
  nowMs: number;
  /** Now by the wall clock, which the queue, the zone and alarms run by. */
  wallMs: number;
  /** Whether to seal an open block that is not due; no such block is sealed when absent. */
  mustSeal?: (open: OpenBlock) => boolean;
}

/** What the object has to do about a commit. */
export interface Committed {
  /** The verdicts of each of `held`, in its order. */
  heldVerdicts: Verdicts[];
  /** The verdicts of each of `requests`, in its order. */
  verdicts: Verdicts[];
  /** Metrics whose latest reading is newer than before: what live watchers have not seen. */
  changed: Set<string>;
  /** Ring rows to write together with the state row. Once durable, they go to the queue. */
  sealed: SealedBlock[];
  /** Blocks sent before and unconfirmed, to be sent again; none of them is among `sealed`. */
  overdue: Pending[];
  /** When to set the alarm for, epoch ms by the wall clock; undefined when the alarm that is set will do. */
  alarmWallAt: number | undefined;
  /** Whether events of alerts wait for the zone: they are sent to it once the commit is durable. */
  mustTell: boolean;
}

/**
 * Lets latest and the rules see reports as they come, before they are committed.
 * @returns the metrics whose latest reading changed, and whether something happened to an alert, which then has to be
 * committed at once: an alert never rests on a reading that could vanish.
 */
export function seeReports(
  state: DeviceState,
  reports: PackedReports,
  taken: TakenMarks = markTaken(state, reports),
): { changed: Set<string>; isAlert: boolean } {
  const changed = noteLatest(state, reports, taken);
  const events = evaluateReports(state.alerts, subjectOf(state), reports, taken);
  return { changed, isAlert: events.length > 0 };
}

/** Notes when the events of alerts that wait are sent to the zone again, by the wall clock; null when none waits. */
export function planTelling(state: DeviceState, wallMs: number): void {
  state.tellAt = state.alerts.outbox.length === 0 ? null : wallMs + TELL_AGAIN_MS;
}

/**
 * Makes one commit of `state`, in this order: the reports that sockets hold are applied, for they came first; each
 * request is seen and applied; blocks that found no room in the outbox are listed, before anything is sealed; due
 * blocks are sealed; overdue blocks are sent again unless they were sealed anew; the alarm is planned last, from all
 * of that. The caller writes the state row and the sealed blocks in one transaction, and does nothing else before
 * that.
 */
export function commit(state: DeviceState, input: CommitInput, ring: Ring, timing: AlarmTiming): Committed {
  const { held = [], requests = [], nowMs, wallMs, mustSeal } = input;
  const heldVerdicts = held.map((reports) => applyReports(state, reports, markTaken(state, reports), ring));
  const changed = new Set<string>();
  const verdicts = requests.map((reports) => {
    const taken = markTaken(state, reports);
    for (const metric of seeReports(state, reports, taken).changed) changed.add(metric);
    return applyReports(state, reports, taken, ring);
  });
  listMore(state, ring, wallMs);
  const sealed = sealBlocks(state, nowMs, ring, timing, mustSeal);
  const overdue = takeOverdue(state, wallMs, timing).filter(({ slot }) =>
    sealed.every((block) => block.slot !== slot),
  );
  state.commits += 1;
  planTelling(state, wallMs);
  const alarmAt = planAlarm(state, nowMs, timing, sealed.length > 0);
  if (alarmAt !== undefined) noteAlarm(state, alarmAt);
  return {
    heldVerdicts,
    verdicts,
    changed,
    sealed,
    overdue,
    alarmWallAt: alarmAt === undefined ? undefined : state.alarmWallAt,
    mustTell: state.tellAt !== null,
  };
}
