// The cron of a local server ticked until it finds nothing left to do: hours computed, days exported, files merged.
import type { FleetHistoryAnswer } from "../../schemas/query.ts";
import type { LocalRun } from "../local-run.ts";
import { atOf, type Grid, METRICS } from "./beijing-grid.ts";
import type { Operator } from "./operator.ts";
import { listFiles } from "./read-archive.ts";

/** A turn does what fits into it; the whole recording takes some dozens. */
const TICKS_MAX = 500;

/** @throws when the chores have not come to rest. */
export async function finishChores(
  run: LocalRun,
  operator: Operator,
  grid: Grid,
  onStep: (step: string) => void,
): Promise<void> {
  let before = "";
  for (let tick = 1; tick <= TICKS_MAX; tick++) {
    await run.tick();
    const { dirtyHours } = await operator.getJson<FleetHistoryAnswer>("/v1/fleet/history", {
      metric: METRICS[0]!,
      resolution: "1d",
      from: atOf(0),
      to: atOf(grid.hours),
    });
    const files = await listFiles(operator);
    onStep(`${dirtyHours} hours to compute, ${files.length} files`);
    const keys = files.map(({ key }) => key).join();
    if (dirtyHours === 0 && keys === before) return;
    before = keys;
  }
  throw new Error(`after ${TICKS_MAX} ticks the chores still find something to do`);
}
