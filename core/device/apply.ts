// Reports → the device's blocks, with a verdict for every reading.
import { type ReadingProblem, VERDICTS } from "../../schemas/codes.ts";
import { METRIC_NAMES_BYTES_MAX, METRICS_PER_REPORT_MAX, PROBLEMS_LISTED_MAX } from "../../schemas/limits.ts";
import type { EachVerdict, PackedReports, Verdicts } from "../../schemas/message.ts";
import type { Column } from "../block/block.ts";
import { forEachReport } from "../report/pack.ts";
import { addCounts, noCounts, placeOf } from "../verdicts.ts";
import { isLate } from "../window/align.ts";
import { bucketOf, newSpan } from "./bucket.ts";
import { clockFaultOf } from "./latest.ts";
import { OpenBlock } from "./open-block.ts";
import { putReading } from "./put-reading.ts";
import { oldestTaken, type TakenMarks } from "./retain.ts";
import { entryAt, type Ring, type RingEntry } from "./ring.ts";
import { Sampled } from "./sampled.ts";
import type { DeviceState } from "./state.ts";

const STORED = placeOf("stored");
const DUPLICATE = placeOf("duplicate");
const LATE = placeOf("late");
const REFUSED = placeOf("refused");

/**
 * Applies the reports in order, changing `state`, and returns the verdict of every reading, by count, and one by one
 * where `reports` want each. Reports that `taken` does not mark are refused as too old, and those of `reports.excess`
 * are thinned (see sampled.ts). When the ring holds the sealed block of a reading's instant, that
 * block is opened again: its next sealing makes a higher revision of the same rollup, never a second rollup.
 */
export function applyReports(
  state: DeviceState,
  reports: PackedReports,
  taken: TakenMarks,
  ring: Ring,
): Verdicts {
  const verdicts: Verdicts = { counts: noCounts(), problems: [] };
  if (reports.wantsEach === true) verdicts.each = [];
  const { counts, problems, each } = verdicts;
  const refuse = (readings: number, problem: ReadingProblem) => {
    counts[REFUSED]! += readings;
    for (let i = 0; each !== undefined && i < readings; i++) each.push(problem.code);
    if (problems.length < PROBLEMS_LISTED_MAX) problems.push(problem);
  };
  const touch = state.commits + 1;
  const excess = new Set(reports.excess);
  let open: OpenBlock | undefined;
  forEachReport(reports, (id, at, receivedAt, shape, valuesAt, nth) => {
    if (!taken[nth]) {
      refuse(shape.length, { index: id, code: "too_old", message: tooOld(at, receivedAt, state) });
      return;
    }
    if (open === undefined || at < open.mark.startMs || at >= open.mark.endMs)
      open = blockFor(state, at, receivedAt, ring);
    const late = isLate(at, state.newestAt) ? LATE : STORED;
    if (at > state.newestAt) state.newestAt = at;
    let kept = 0;
    const columns = open.columns();
    for (let i = 0; i < shape.length; i++) {
      const metric = reports.names[shape[i]!]!;
      const column = columns.get(metric) ?? newColumn(open, metric);
      if (column === undefined) {
        refuse(1, { index: id, metric, code: "too_many_metrics", message: TOO_MANY });
        continue;
      }
      const value = reports.rows[valuesAt + i]!;
      let sampled = open.sampledOf(metric);
      let verdict: number;
      if (excess.has(nth)) {
        sampled ??= open.setSampled(metric, new Sampled(column));
        verdict = sampled.takeExcess(at, value, late);
      } else {
        verdict = putReading(column, at, value, late);
        if (sampled?.noteTaken(at, value, verdict)) open.changed();
      }
      if (verdict !== DUPLICATE) {
        open.changed();
        open.touched = touch;
        kept += 1;
      }
      counts[verdict]! += 1;
      each?.push(VERDICTS[verdict] as EachVerdict);
    }
    const fault = clockFaultOf(at, receivedAt);
    if (fault !== undefined) state.clock[fault] += kept;
  });
  addCounts(state.counts, counts);
  return verdicts;
}

/** The open block that takes a reading at `at`: one that is open, else the ring's, opened again, else a new one. */
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

/**
 * Returns a sealed block of the ring as an open one, which takes readings again and whose next sealing makes the next
 * revision. `openedAt` is the receipt time, epoch ms. The ring's entry stays.
 */
export function openAgain(entry: RingEntry, ring: Ring, openedAt: number): OpenBlock {
  const { startMs, endMs, slot } = entry;
  const bucketMs = bucketOf(startMs, endMs);
  const mark = { startMs, endMs, bucketMs, slot, revision: entry.revision + 1, openedAt, dirty: false };
  return new OpenBlock(mark, ring.read(slot));
}

/** Adds a column for a metric that the block does not have; undefined when the block has no room for another name. */
function newColumn(open: OpenBlock, metric: string): Column | undefined {
  if (open.columns().size >= METRICS_PER_REPORT_MAX) return undefined;
  if (open.nameBytes + metric.length * 3 > METRIC_NAMES_BYTES_MAX * 3) return undefined;
  return open.addColumn(metric);
}

const TOO_MANY = `a block of a device has at most ${METRICS_PER_REPORT_MAX} metrics, their names at most ${METRIC_NAMES_BYTES_MAX} characters together; split it into several devices`;

function tooOld(at: number, receivedAt: number, state: DeviceState): string {
  const oldest = oldestTaken(state, receivedAt);
  const days = state.settings.latenessHorizonMs / 86_400_000;
  const iso = (ms: number) => new Date(ms).toISOString();
  return `"at" ${iso(at)} is before ${iso(oldest)}, the lateness horizon (${days} days); import older data into the archive instead`;
}
