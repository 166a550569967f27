import { describe, expect, it } from "vitest";
import type { Alert } from "../../schemas/alert.ts";
import type { AlertDetail } from "../../schemas/alert-http.ts";
import { representativesOf, timelineOf } from "./alert-timeline.ts";

const alert = (device: string, over: Partial<Alert> = {}): Alert =>
  ({
    id: `r.0.1.${device}`,
    device,
    firedAt: 1_000,
    acknowledgedAt: null,
    acknowledgedBy: null,
    resolvedAt: null,
    resolution: null,
    ...over,
  }) as Alert;
type History = AlertDetail["history"];
const event = (kind: History[number]["kind"], at: number, by: string | null, text: string | null = null) => ({
  revision: at,
  kind,
  at,
  by,
  text,
});
const told = (entries: ReturnType<typeof timelineOf>) =>
  entries.map(({ kind, by, text, devices }) => [kind, by, text, devices.length]);

describe("timelineOf", () => {
  it("[A38] what was done to all members at once is one entry, with the text that one history knows", () => {
    const members = [1, 2, 3].map((i) =>
      alert(`d${i}`, { firedAt: 1_000 + i, acknowledgedAt: 200_000 + i, acknowledgedBy: "anna" }),
    );
    const history = [event("fired", 1_001, null), event("acknowledged", 200_001, "anna", "on it")];
    expect(told(timelineOf(members, new Map([["r.0.1.d1", history]])))).toEqual([
      ["acknowledged", "anna", "on it", 3],
      ["fired", null, null, 3],
    ]);
  });

  it("[A38] two people, and two texts, are two entries", () => {
    const history = [
      event("commented", 2_000, "anna", "first"),
      event("commented", 3_000, "anna", "second"),
      event("commented", 4_000, "ben", "second"),
    ];
    expect(told(timelineOf([alert("d")], new Map([["r.0.1.d", history]])))).toEqual([
      ["commented", "ben", "second", 1],
      ["commented", "anna", "second", 1],
      ["commented", "anna", "first", 1],
      ["fired", null, null, 1],
    ]);
  });

  it("[A60] a message that a receiver refused is in it, with what was said and who has it instead", () => {
    const refusal = {
      key: "north.1.fire.0",
      kind: "fire" as const,
      channel: "mail",
      at: 2_000,
      error: "answered 422",
    };
    const words = (instead: string[] | null) =>
      timelineOf([alert("d")], new Map(), [{ ...refusal, instead }]).map(({ kind, text, refused }) => [
        kind,
        text,
        refused,
      ]);
    expect(words(["ops"])).toEqual([
      ["refused", "answered 422", "mail could not deliver a message; ops has it instead"],
      ["fired", null, undefined],
    ]);
    expect(words(["a", "b"])[0]![2]).toBe("mail could not deliver a message; a, b have it instead");
    expect(words([])[0]![2]).toBe("mail could not deliver a message, and there is no other channel for it");
    expect(words(null)[0]![2]).toBe("mail could not deliver a message");
  });

  it("an alert that fires and clears says so before its history is known; by hand, only the history says who", () => {
    const cleared = alert("a", { resolvedAt: 9_000, resolution: "cleared" });
    const byHand = alert("b", { resolvedAt: 9_000, resolution: "by_hand" });
    expect(told(timelineOf([cleared], new Map()))).toEqual([
      ["resolved", null, null, 1],
      ["fired", null, null, 1],
    ]);
    expect(told(timelineOf([byHand], new Map()))).toEqual([["fired", null, null, 1]]);
    const history = new Map([["r.0.1.b", [event("resolved", 9_000, "anna", "false alarm")]]]);
    expect(told(timelineOf([byHand], history))[0]).toEqual(["resolved", "anna", "false alarm", 1]);
  });
});

it("histories are read of those that lasted longest, and of the one that was asked for", () => {
  const members = [
    alert("short", { resolvedAt: 2_000 }),
    alert("long", { firedAt: 0 }),
    alert("late", { firedAt: 9_000 }),
    alert("middle", { firedAt: 5_000 }),
  ];
  expect(representativesOf(members, null, 10_000)).toEqual(["r.0.1.long", "r.0.1.middle", "r.0.1.short"]);
  expect(representativesOf(members, "r.0.1.late", 10_000)[0]).toBe("r.0.1.late");
  expect(representativesOf(members, "r.0.1.long", 10_000)).toHaveLength(3);
});
