import { expect, it } from "vitest";
import { deliveryState } from "../../schemas/channel.ts";
import { STATE_WORDS, stateInWords, toldInWords } from "./delivery-words.ts";

it.each([
  ["fire", "“Pump too hot” fired"],
  ["update", "“Pump too hot” fired on more devices"],
  ["escalate", "Nobody had acknowledged “Pump too hot”"],
  ["resolve", "“Pump too hot” is over"],
] as const)("[A55] a message of the kind %s says: %s", (kind, words) => {
  expect(toldInWords({ kind, rule: "Pump too hot" })).toBe(words);
});

it("[A55] of a rule that nobody knows it says no id", () => {
  expect(toldInWords({ kind: "fire", rule: null })).toBe("A rule fired");
});

it("[A55] every state of a delivery has its words", () => {
  expect(Object.keys(STATE_WORDS).sort()).toEqual(deliveryState.options.toSorted());
  expect(stateInWords("held")).toContain("hourly limit");
  expect(stateInWords("unheard-of")).toBe("unheard-of");
});
