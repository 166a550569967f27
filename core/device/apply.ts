// Reports → the device's blocks, with a verdict for every reading.
import type { ReadingProblem } from "../../schemas/codes.ts";
import { METRIC_NAMES_BYTES_MAX, METRICS_PER_REPORT_MAX, PROBLEMS_LISTED_MAX } from "../../schemas/limits.ts";
import type { PackedReports, Verdicts } from "../../schemas/message.ts";
import type { Column } from "../block/block.ts";
import { forEachReport } from "../report/pack.ts";
import { isLate } from "../window/align.ts";
import { bucketOf, newSpan } from "./bucket.ts";
import { clockFaultOf } from "./latest.ts";
import { lowerBound, OpenBlock } from "./open-block.ts";
import { oldestTaken } from "./retain.ts";
import { entryAt, type Ring, type RingEntry } from "./ring.ts";
import type { DeviceState } from "./state.ts";

const STORED = 0;
const DUPLICATE = 1;
const CORRECTED = 2;
const LATE = 3;
const REFUSED = 5;

/**
 * Applies reports in order, changing `state`. A block that holds a reading's instant is opened from the ring when it
 * had been sealed: its next sealing makes a higher revision of the same rollup, never a second rollup.
 */
export function applyReports(state: DeviceState, reports: PackedReports, ring: Ring): Verdicts {
  const verdicts: Verdicts = { counts: [0, 0, 0, 0, 0, 0], problems: [] };
  const { counts, problems } = verdicts;
  const refuse = (readings: number, problem: ReadingProblem) => {
    counts[REFUSED]! += readings;
    if (problems.length < PROBLEMS_LISTED_MAX) problems.push(problem);
  };
  const touch = state.commits + 1;
  let open: OpenBlock | undefined;
  forEachReport(reports, (id, at, receivedAt, shape, valuesAt) => {
    const oldest = oldestTaken(state, receivedAt);
    if (at < oldest) {
      refuse(shape.length, { index: id, code: "too_old", message: tooOld(at, oldest, state) });
      return;
    }
    if (open === undefined || at < open.mark.startMs || at >= open.mark.endMs)
      open = blockFor(state, at, receivedAt, ring);
    const late = isLate(at, state.newestAt) ? LATE : STORED;
    if (at > state.newestAt) state.newestAt = at;
    let taken = 0;
    const columns = open.columns();
    for (let i = 0; i < shape.length; i++) {
      const metric = reports.names[shape[i]!]!;
      const column = columns.get(metric) ?? newColumn(open, metric);
      if (column === undefined) {
        refuse(1, { index: id, metric, code: "too_many_metrics", message: TOO_MANY });
        continue;
      }
      const verdict = put(column, at, reports.rows[valuesAt + i]!, late);
      if (verdict !== DUPLICATE) {
        open.changed();
        open.touched = touch;
        taken += 1;
      }
      counts[verdict]! += 1;
    }
    const fault = clockFaultOf(at, receivedAt);
    if (fault !== undefined) state.clock[fault] += taken;
  });
  for (let i = 0; i < counts.length; i++) state.counts[i]! += counts[i]!;
  return verdicts;
}

/** A reading is its (metric, at): the same value again is a duplicate, another a correction, and the later one wins. */
function put(column: Column, at: number, value: number, fresh: number): number {
  const { at: instants, value: values } = column;
  const last = instants.length - 1;
  if (last < 0 || at > instants[last]!) {
    instants.push(at);
    values.push(value);
    return fresh;
  }
  const place = lowerBound(instants, at);
  if (instants[place] === at) {
    if (Object.is(values[place], value)) return DUPLICATE;
    values[place] = value;
    return CORRECTED;
  }
  instants.splice(place, 0, at);
  values.splice(place, 0, value);
  return fresh;
}

function blockFor(state: DeviceState, at: number, receivedAt: number, ring: Ring): OpenBlock {
  const known = state.open.find(({ mark }) => mark.startMs <= at && at < mark.endMs);
  if (known !== undefined) return known;
  const sealed = at < state.sealedThroughMs ? entryAt(ring, at) : undefined;
  const fresh = { slot: null, revision: 1, openedAt: receivedAt, dirty: false };
  const open =
    sealed === undefined
      ? new OpenBlock({ ...newSpan(state, at, ring), ...fresh })
      : openAgain(sealed, ring, receivedAt);
  state.open.push(open);
  return open;
}

/** A sealed block as it takes readings again; its next sealing makes the next revision. */
export function openAgain(entry: RingEntry, ring: Ring, openedAt: number): OpenBlock {
  const { startMs, endMs, slot } = entry;
  const bucketMs = bucketOf(startMs, endMs);
  const mark = { startMs, endMs, bucketMs, slot, revision: entry.revision + 1, openedAt, dirty: false };
  return new OpenBlock(mark, ring.read(slot));
}

function newColumn(open: OpenBlock, metric: string): Column | undefined {
  if (open.columns().size >= METRICS_PER_REPORT_MAX) return undefined;
  if (open.nameBytes + metric.length * 3 > METRIC_NAMES_BYTES_MAX * 3) return undefined;
  return open.addColumn(metric);
}

const TOO_MANY = `a block of a device has at most ${METRICS_PER_REPORT_MAX} metrics, their names at most ${METRIC_NAMES_BYTES_MAX} characters together; split it into several devices`;

function tooOld(at: number, oldest: number, state: DeviceState): string {
  const days = state.settings.latenessHorizonMs / 86_400_000;
  const iso = (ms: number) => new Date(ms).toISOString();
  return `"at" ${iso(at)} is before ${iso(oldest)}, the lateness horizon (${days} days); import older data into the archive instead`;
}
