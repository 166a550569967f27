// What a step of a job sees, and what comes of it.
import type { JobProgress } from "../../../schemas/job.ts";
import type { AggregateEnv } from "../env.ts";

/** A job as its step sees it. */
export interface RunningJob<Spec = unknown> {
  env: AggregateEnv;
  tenant: string;
  id: string;
  createdAt: number;
  spec: Spec;
  /** Where the last step left off; null at the beginning. */
  cursor: unknown;
  progress: JobProgress;
}

/** What came of a step; members that are absent leave the job's as they are. */
export interface Step extends Partial<Omit<JobProgress, "counts">> {
  /** Added to the job's. */
  counts?: Record<string, number>;
  /** Where the next step goes on. */
  cursor?: unknown;
  /** `wait`: nothing can be done before the next tick; `done`: nothing is left; `stopped`: there is an `error` to tell. */
  outcome: "more" | "wait" | "done" | "stopped";
  error?: string;
}
