// A message that comes to a channel, and what the channel knows of its incident → what becomes of it.
import type { NoticeKind, Severity } from "../../../schemas/alert.ts";
import { isWithinBudget } from "./budget.ts";

/** What a channel knows of an incident. */
export interface Standing {
  /** A message of it that was no resolve was sent. */
  isTold: boolean;
  /** A resolve of it came, whatever became of that. */
  isOver: boolean;
  /** Any message of it was taken, whatever became of that. */
  isKnown: boolean;
  /** Something of it was held back for the budget. */
  isHeld: boolean;
  waiting: readonly { seq: number; kind: string; isRunning: boolean }[];
}

export interface Budget {
  /** Messages of the last hour that were not critical. */
  takenCount: number;
  perHourMax: number | null;
}

export type Taken =
  | {
      state: "waiting";
      /** Messages that wait and say less than this one. */
      overtakes: number[];
      /** The resolve came before what it resolves, for queues keep no order: it follows this. */
      revivesResolve: boolean;
    }
  | { state: "held" | "dropped"; error: string }
  /** A resolve of an incident this channel never heard of: noted, for its fire may be late. */
  | { state: "unconcerned" };

/** The rules A30 and A32, but for the order, which the choice of what is sent next keeps. */
export function take(kind: NoticeKind, severity: Severity, of: Standing, budget: Budget): Taken {
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
