// A message → an Adaptive Card for a Microsoft Teams workflow ("post to a channel when a webhook request is received").
import type { Message, OutgoingRequest } from "./message.ts";
import { cut, json } from "./message.ts";

const COLOUR = { info: "Accent", warning: "Warning", critical: "Attention" };
/**
 * The longest line, in characters. Teams takes cards of 28 KB; half of that leaves room for characters of several
 * bytes.
 */
const LINE_CHARS_MAX = 500;

/** Escapes a name for the text of a card, which is Markdown. */
const plain = (text: string) => text.replace(/[\\*_[\]~`]/g, "\\$&");

/** Returns the request that posts a message as an Adaptive Card to a Teams workflow. */
export function teamsRequest(message: Message, { url }: { url: string }): OutgoingRequest {
  const { kind, severity, title, lines, snapshot, incidentLink } = message;
  const chart = snapshot.alerts[0] === undefined ? null : message.chartLink(snapshot.alerts[0]);
  const actions = [
    { type: "Action.OpenUrl", title: "Open the alert", url: incidentLink },
    { type: "Action.OpenUrl", title: "Chart", url: chart },
  ].filter((action) => action.url !== null);
  return json(url, {
    type: "message",
    attachments: [
      {
        contentType: "application/vnd.microsoft.card.adaptive",
        contentUrl: null,
        content: {
          $schema: "http://adaptivecards.io/schemas/adaptive-card.json",
          type: "AdaptiveCard",
          version: "1.4",
          body: [
            {
              type: "TextBlock",
              text: plain(title),
              weight: "Bolder",
              size: "Medium",
              wrap: true,
              color: kind === "resolve" ? "Good" : COLOUR[severity],
            },
            ...lines.map((line) => ({
              type: "TextBlock",
              text: plain(cut(line, LINE_CHARS_MAX)),
              wrap: true,
              spacing: "Small",
            })),
          ],
          actions,
        },
      },
    ],
  });
}
