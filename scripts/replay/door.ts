// What a replay needs of a way into the server, and what every such way shares.
import type { RecordedReport } from "../recordings/recording.ts";
import type { Pace } from "./pace.ts";
import type { Tally } from "./tally.ts";
import type { Tokens } from "./tokens.ts";

export interface Door {
  /** Plays all reports and returns when each is acknowledged, given up, or `signal` aborted. */
  play(reports: AsyncIterable<RecordedReport>): Promise<void>;
}

export interface DoorContext {
  /** Origin of the server, without a trailing slash. */
  url: string;
  tokens: Tokens;
  tally: Tally;
  pace: Pace;
  /** Tell the local server to set its clock by the recording's arrivals. */
  clockFollows: boolean;
  /** How long a server may be unreachable or unwilling before the replay gives up. */
  retryForMs: number;
  signal: AbortSignal;
  /** Called with the number of reports newly acknowledged or given up, and where in the recording they lie. */
  onProgress(reports: number, arrivedAt: number): void;
}

/** No report after this one will fare better: a bad token, a server that is gone. */
export class ReplayFailure extends Error {
  override name = "ReplayFailure";
}

export const CLOCK_HEADER = "telltale-clock";
