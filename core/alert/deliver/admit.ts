// A message that comes to a channel, and what the channel knows of its incident → what becomes of it.
import type { NoticeKind, Severity } from "../../../schemas/alert.ts";
import { isWithinBudget } from "./budget.ts";

/** What a channel knows of an incident when another message of it comes. */
export interface Standing {
  /** Whether a message of the incident that was no resolve was sent. */
  isTold: boolean;
  /** Whether a resolve of the incident came, whatever became of that. */
  isOver: boolean;
  /** Whether any message of the incident was taken, whatever became of that. */
  isKnown: boolean;
  /** Whether a message of the incident was held back by the budget. */
  isHeld: boolean;
  /** The incident's messages that wait; those running are being sent. */
  waiting: readonly { seq: number; kind: string; isRunning: boolean }[];
}

/** A channel's budget, and how much of it is used. */
export interface Budget {
  /** How many messages of the last hour were not critical. */
  takenCount: number;
  /** The most of them an hour; null when the channel has no budget. */
  perHourMax: number | null;
}

/** What becomes of a message that came to a channel. */
export type Taken =
  | {
      state: "waiting";
      /** `seq` of waiting messages that need not be sent, because this one says more. */
      overtakes: number[];
      /**
       * Whether a resolve of the incident that came before this message, for queues keep no order, is to follow it.
       */
      revivesResolve: boolean;
    }
  | { state: "held" | "dropped"; error: string }
  /**
   * The message is a resolve of an incident that the channel never heard of. It is noted, for the fire may be late.
   */
  | { state: "unconcerned" };

/**
 * Returns what becomes of a message that comes to a channel: it waits to be sent, is held back by the budget (SPEC
 * A30), or is dropped, as the resolve of an incident is when its fire was not sent here (SPEC A32). That a resolve is
 * sent after its fire is up to `chooseNext`.
 */
export function admit(kind: NoticeKind, severity: Severity, of: Standing, budget: Budget): Taken {
  const isTelling = of.isTold || of.waiting.some((own) => own.kind !== "resolve");
  const updates = of.waiting.filter((own) => own.kind === "update" && !own.isRunning).map(({ seq }) => seq);
  if (kind === "resolve") {
    if (of.isOver) return { state: "dropped", error: "its incident was resolved here before" };
    if (isTelling) {
      // One that is the only message of its incident so far is its fire, and goes.
      const isToldOtherwise = of.isTold || of.waiting.some(({ seq }) => !updates.includes(seq));
      const overtakes = isToldOtherwise ? updates : updates.slice(0, -1);
      return { state: "waiting", overtakes, revivesResolve: false };
    }
    if (of.isKnown) return { state: "dropped", error: "its fire was not sent here" };
    return { state: "unconcerned" };
  }
  if (of.isOver && isTelling) return { state: "dropped", error: "its incident was resolved here before" };
  if (kind === "update" && !isTelling && of.isHeld)
    return { state: "dropped", error: "its fire was held back" };
  if (!isWithinBudget(severity, budget.takenCount, budget.perHourMax)) {
    return { state: "held", error: `over the channel's budget of ${budget.perHourMax} messages an hour` };
  }
  return {
    state: "waiting",
    overtakes: kind === "update" ? updates : [],
    revivesResolve: of.isOver,
  };
}
