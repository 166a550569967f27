import { expect, it } from "vitest";
import type { Matcher } from "../../schemas/channel.ts";
import { type KnownNames, matcherInWords } from "./silence-words.ts";

const known: KnownNames = {
  rules: new Map([["rule-80b381b3", "Pump too hot"]]),
  devices: new Map([
    ["pump-1", "Boiler house"],
    ["pump-9", null],
  ]),
};

it.each<[Matcher, string]>([
  [{}, "Everything"],
  [{ rule: "rule-80b381b3", zone: "hall-2" }, "“Pump too hot” in zone hall-2"],
  [{ severity: "warning", device: "pump-1" }, "warning alerts of Boiler house"],
  [{ model: "M3" }, "Everything of model M3"],
  [{ rule: "gone" }, "a rule that was deleted (gone)"],
  [{ device: "pump-9" }, "Everything of a device that was deleted (pump-9)"],
  [{ device: "pump-2" }, "Everything of pump-2"],
])("[L16] a silence of %j is of %s", (matcher, words) => {
  expect(matcherInWords(matcher, known)).toBe(words);
});

it("[L16] while the rules are not known a rule is not said to be deleted", () => {
  expect(matcherInWords({ rule: "gone" }, { rules: null, devices: new Map() })).toBe("a rule");
});
