import { describe, expect, it } from "vitest";
import type { NoticeKind } from "../../../schemas/alert.ts";
import { weeklyHours } from "../../../schemas/channel.ts";
import { AT, alertOf, channelOf, snapshotOf } from "./fake-notice.ts";
import { chooseChannels, fits } from "./route.ts";

const { incident } = snapshotOf();
const office = [weeklyHours.parse({ from: "08:00", to: "09:00" })];

describe("route", () => {
  it.each([
    ["nothing is named", {}, true],
    ["its severity", { severities: ["warning" as const, "critical" as const] }, true],
    ["another severity", { severities: ["info" as const] }, false],
    ["its zone", { zones: ["north"] }, true],
    ["another zone", { zones: ["south"] }, false],
    ["outside of its hours", { hours: office }, false],
    ["all has to fit", { zones: ["north"], severities: ["info" as const] }, false],
  ])("[A28] %s", (_, route, expected) => {
    expect(fits(route, incident, AT)).toBe(expected);
  });

  const channels = [
    channelOf({ id: "all" }),
    channelOf({ id: "south", route: { zones: ["south"] } }),
    channelOf({ id: "off", enabled: false }),
    channelOf({ id: "day", route: { hours: office } }),
  ];
  const chosen = (kind: NoticeKind, named: string[] | null, ofRule: string[] | null) => {
    const own = snapshotOf([alertOf({ rule: { channels: ofRule } })]).incident;
    const { channels: found, unknown } = chooseChannels({ kind, channels: named }, own, channels, AT);
    return [found.map(({ id }) => id), unknown];
  };

  it.each<[string, NoticeKind, string[] | null, string[] | null, string[], string[]]>([
    ["by route", "fire", null, null, ["all"], []],
    ["those the rule names, whatever their route", "fire", null, ["south", "day"], ["south", "day"], []],
    ["those the step names before the rule's", "escalate", ["day"], ["south"], ["day"], []],
    ["unknown ones are said", "fire", null, ["gone", "all"], ["all"], ["gone"]],
    ["disabled ones are known, and told nothing", "fire", null, ["off"], [], []],
    ["an update as a fire", "update", null, null, ["all"], []],
    ["a resolve to all that are enabled", "resolve", null, ["south"], ["all", "south", "day"], []],
  ])("[A28] %s", (_, kind, named, ofRule, ids, unknown) => {
    expect(chosen(kind, named, ofRule)).toEqual([ids, unknown]);
  });
});
