// A message to a channel → what it told, and what became of it. Pure.
import type { ListedDelivery } from "../../schemas/alert-http.ts";
import type { DeliveryState } from "../../schemas/channel.ts";

export const STATE_WORDS: Record<DeliveryState, string> = {
  waiting: "on its way",
  sent: "sent",
  held: "held back by the hourly limit",
  dropped: "not needed any more",
  refused: "refused by its receiver",
  dead: "given up",
};

/** Of what a count is named by; a state that this page does not know is said as it is. */
export const stateInWords = (state: string) => STATE_WORDS[state as DeliveryState] ?? state;

/** `“Pump too hot” fired`; a rule that nobody knows any more is one. */
export function toldInWords({ kind, rule }: Pick<ListedDelivery, "kind" | "rule">): string {
  const name = rule === null ? "A rule" : `“${rule}”`;
  switch (kind) {
    case "fire":
      return `${name} fired`;
    case "update":
      return `${name} fired on more devices`;
    case "escalate":
      return `Nobody had acknowledged ${rule === null ? "an incident" : name}`;
    case "resolve":
      return `${name} is over`;
    case "test":
      return "A test";
  }
}
