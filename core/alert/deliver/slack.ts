// A message → Slack's incoming webhook, in the part of it that Mattermost, Rocket.Chat and others take too.
import type { Message, OutgoingRequest } from "./message.ts";
import { cut, json } from "./message.ts";

const COLOUR = { info: "#439fe0", warning: "#daa038", critical: "#a30200" };
const RESOLVED = "#2eb886";
/** The longest text, in characters. Slack cuts one of 4,000 wherever it likes (Slack, "Truncating content"). */
const TEXT_CHARS_MAX = 3_000;

/** Escapes the three characters that Slack's markup is made of, so that no name can mention everybody. */
const plain = (text: string) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

/** Returns the request that posts a message to an incoming webhook of Slack's kind. */
export function slackRequest(message: Message, { url }: { url: string }): OutgoingRequest {
  const { kind, severity, title, lines, snapshot, incidentLink } = message;
  const text = cut(lines.map((line) => plain(line)).join("\n"), TEXT_CHARS_MAX);
  const chart = snapshot.alerts[0] === undefined ? null : message.chartLink(snapshot.alerts[0]);
  const links = [
    ...(incidentLink === null ? [] : [`<${incidentLink}|Open the alert>`]),
    ...(chart === null ? [] : [`<${chart}|Chart>`]),
  ];
  return json(url, {
    text: `*${plain(title)}*`,
    attachments: [
      {
        color: kind === "resolve" ? RESOLVED : COLOUR[severity],
        fallback: cut(plain(title), 500),
        text: [text, ...(links.length === 0 ? [] : [links.join(" · ")])].join("\n"),
        mrkdwn_in: ["text"],
      },
    ],
  });
}
