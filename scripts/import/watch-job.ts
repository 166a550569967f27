// A job on the server → a bar on stderr until it is over, or until somebody has seen enough.
import { SingleBar } from "cli-progress";
import type { JobAnswer } from "../../schemas/job.ts";
import { sleep } from "../replay/retry.ts";
import type { AdminClient } from "./admin-client.ts";

const LOOK_EVERY_MS = 1_000;

/** The job as it was last seen: over, or still at work when `signal` ended the watching. The job goes on without. */
export async function watchJob(client: AdminClient, id: string, signal: AbortSignal): Promise<JobAnswer> {
  const bar = process.stderr.isTTY
    ? new SingleBar({
        format: "{bar} {percentage}%  {phase}: {value}/{total}  {counts}",
        stream: process.stderr,
        hideCursor: true,
        clearOnComplete: true,
      })
    : undefined;
  bar?.start(0, 0, { phase: "", counts: "" });
  try {
    for (;;) {
      const job = await client.job(id);
      const { phase, done, total, counts } = job.progress;
      bar?.setTotal(total ?? done);
      bar?.update(done, { phase: phase || "waiting", counts: countsText(counts) });
      if (job.status !== "running" || signal.aborted) return job;
      await sleep(LOOK_EVERY_MS, signal);
    }
  } finally {
    bar?.stop();
  }
}

const countsText = (counts: Record<string, number>) =>
  Object.entries(counts)
    .map(([name, count]) => `${name} ${count}`)
    .join(", ");

/** One line that says what became of a job. */
export function summaryOf({ id, kind, status, error, progress }: JobAnswer): string {
  const { phase, done, total, counts } = progress;
  const where = status === "done" ? "" : `, at ${phase || "the beginning"} ${done}/${total ?? "?"}`;
  const why = error === null ? "" : `: ${error}`;
  const what = Object.keys(counts).length === 0 ? "" : ` (${countsText(counts)})`;
  return `${kind} ${id} is ${status}${where}${what}${why}`;
}

/** The first interrupt ends the watching, the second the process. */
export function interruptSignal(): AbortSignal {
  const interrupted = new AbortController();
  process.once("SIGINT", () => {
    interrupted.abort();
    process.once("SIGINT", () => process.exit(130));
  });
  return interrupted.signal;
}
