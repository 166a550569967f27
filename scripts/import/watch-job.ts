// A job on the server → how far it is, until it is over or somebody has seen enough.
import type { JobAnswer } from "../../schemas/job.ts";
import { TENANT } from "../command/arguments.ts";
import { STATE } from "../command/find-server.ts";
import type { Progress, ShownProgress } from "../command/progress.ts";
import { sleep } from "../replay/retry.ts";
import type { AdminClient } from "./admin-client.ts";

const LOOK_EVERY_MS = 1_000;
/** A job that has not moved for so long waits for the next turn of the server's cron. */
const STILL_MS = 3_000;

export interface Watching {
  /** Ends the watching. */
  signal: AbortSignal;
  /** Called at once when it is ended while the job goes on: by `signal`, or by a server that is away for too long. */
  onUnwatched(): void;
  /** Absent: nothing is shown. */
  shown?: ShownProgress;
}

/**
 * The job as it was last seen: over, or still at work when the watching was ended. The job goes on without.
 * @throws AdminFailure when the server does not say
 */
export async function watchJob(
  client: AdminClient,
  id: string,
  { signal, onUnwatched, shown }: Watching,
): Promise<JobAnswer> {
  const leave = () => {
    shown?.stop();
    onUnwatched();
  };
  if (signal.aborted) leave();
  else signal.addEventListener("abort", leave, { once: true });
  let last: { job: JobAnswer; movedAtMs: number } | undefined;
  try {
    for (;;) {
      const job = await client.job(id);
      const hasMoved = last?.job.updatedAt !== job.updatedAt;
      last = { job, movedAtMs: hasMoved || last === undefined ? performance.now() : last.movedAtMs };
      shown?.update(progressOf(job, performance.now() - last.movedAtMs));
      if (job.status !== "running" || signal.aborted) return job;
      await sleep(LOOK_EVERY_MS, signal);
    }
  } catch (error) {
    if (signal.aborted && last !== undefined) return last.job;
    if (last !== undefined) leave();
    throw error;
  } finally {
    signal.removeEventListener("abort", leave);
    shown?.stop();
  }
}

/** Of imports and replays; others are shown by their own names. */
const PHASES: Record<string, string> = {
  survey: "looking through what was uploaded",
  horizon: "waiting until the readings lie before the lateness horizon",
  "hand over": "devices hand over their past",
  days: "storing day by day",
  hours: "computing the hours of zones and fleet",
};

const TURN = "waiting for the server's next turn";

/** `stillMs`: for how long the job has not moved. */
export function progressOf({ status, progress }: JobAnswer, stillMs: number): Progress {
  const { phase, done, total, counts } = progress;
  const isStill = status === "running" && (phase === "" || stillMs >= STILL_MS);
  const notes = [countsText(counts), phase !== "" && isStill ? TURN : ""];
  return {
    what: phase === "" ? TURN : (PHASES[phase] ?? phase),
    done,
    total: total ?? 0,
    isOver: status === "done",
    note: notes.filter((note) => note !== "").join(", "),
  };
}

const countsText = (counts: Record<string, number>) =>
  Object.entries(counts)
    .map(([name, count]) => `${name} ${count}`)
    .join(", ");

/** One line that says what became of a job. */
export function summaryOf({ id, kind, status, error, progress }: JobAnswer): string {
  const { phase, done, total, counts } = progress;
  const far = total === null ? "" : ` ${done} of ${total}`;
  const where = status === "done" ? "" : `, at ${phase || "the beginning"}${far}`;
  const why = error === null ? "" : `: ${error}`;
  const what = Object.keys(counts).length === 0 ? "" : ` (${countsText(counts)})`;
  return `${kind} ${id} is ${status}${where}${what}${why}`;
}

/** What becomes of a job that nobody watches, and the commands that watch, stop and resume it. */
export function unwatchedText(kind: string, id: string, command: string): string {
  return [
    `${kind} ${id} goes on on the server without this command.`,
    `  watch it            ${command} --watch ${id}`,
    `  stop it             ${command} --stop ${id}`,
    `  resume it stopped   ${command} --resume ${id}`,
  ].join("\n");
}

/** The command as it was called, with what says where; the token itself is not shown. */
export function commandOf(
  name: string,
  { url, state, tenant, token }: { url?: string; state: string; tenant: string; token?: string },
): string {
  const flags = [
    url === undefined ? "" : `--url ${url}`,
    state === STATE ? "" : `--state ${state}`,
    tenant === TENANT ? "" : `--tenant ${tenant}`,
    token === undefined ? "" : "--token TOKEN",
  ];
  return [`npm run ${name} --`, ...flags.filter((flag) => flag !== "")].join(" ");
}
