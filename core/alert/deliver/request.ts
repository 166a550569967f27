// A message and the receiver it is for → the request in that receiver's format.
import type { Target } from "../../../schemas/channel.ts";
import { alertmanagerRequest } from "./alertmanager.ts";
import { emailRequest } from "./email.ts";
import type { Message, OutgoingRequest } from "./message.ts";
import { opsgenieRequest } from "./opsgenie.ts";
import { pagerdutyRequest } from "./pagerduty.ts";
import { slackRequest } from "./slack.ts";
import { teamsRequest } from "./teams.ts";
import { webhookRequest } from "./webhook.ts";

/** Returns the request that carries a message to a receiver at `nowMs`, in that receiver's format. */
export function requestOf(message: Message, target: Target, nowMs: number): OutgoingRequest {
  switch (target.type) {
    case "webhook":
      return webhookRequest(message, target);
    case "slack":
      return slackRequest(message, target);
    case "pagerduty":
      return pagerdutyRequest(message, target);
    case "opsgenie":
      return opsgenieRequest(message, target);
    case "teams":
      return teamsRequest(message, target);
    case "email":
      return emailRequest(message, target);
    case "alertmanager":
      return alertmanagerRequest(message, target, nowMs);
  }
}
