import { expect, it, vi } from "vitest";
import type { RuleScope } from "../../schemas/alert.ts";
import { problem } from "../test-support.ts";
import { answerOf, ask } from "./api-test-support.ts";
import { mostOnOneDevice } from "./crowded.ts";

vi.setConfig({ testTimeout: 60_000 });

const times = (count: number, scope: RuleScope): RuleScope[] => Array.from({ length: count }, () => scope);

it.each<[scopes: RuleScope[], rules: number, device: RuleScope]>([
  [[], 0, {}],
  [times(3, {}), 3, {}],
  [[...times(2, {}), ...times(3, { zone: "a" }), ...times(4, { zone: "b" })], 6, { zone: "b" }],
  [
    [{ device: "d1" }, { device: "d2" }, { device: "d2", zone: "a" }, { zone: "a" }],
    3,
    { device: "d2", zone: "a" },
  ],
  [[{ model: "x" }, { model: "y" }, { zone: "a", model: "y" }], 2, { zone: "a", model: "y" }],
])("[A1] of %j at most %i concern one device", (scopes, rules, device) => {
  expect(mostOnOneDevice(scopes)).toEqual({ rules, device });
});

it("[A1] two hundred scopes of every kind are counted by looking at few devices", () => {
  const scopes = Array.from(
    { length: 200 },
    (_, i) => [{ device: `d${i}` }, { zone: `z${i}` }, { model: `m${i}` }][i % 3]!,
  );
  expect(mostOnOneDevice(scopes).rules).toBe(3);
});

it("[A1] a rule that would be one too many for a device is refused: disabled ones and other devices do not count", async () => {
  const rule = { name: "Hot", condition: { type: "threshold", metric: "temp", above: 80 } };
  const post = (more: object) =>
    ask("crowded", "operator", "/v1/rules", { method: "POST", body: { ...rule, ...more } });
  for (let i = 0; i < 30; i++) await answerOf(post({}));
  for (let i = 0; i < 20; i++) await answerOf(post({ scope: { zone: "north" } }));
  for (let i = 0; i < 5; i++) await answerOf(post({ scope: { zone: "south" } }));
  const refused = await problem(post({ scope: { model: "p" } }), 400, "invalid_rule");
  expect(refused.detail).toMatch(/zone north, model p would have 51 enabled rules.*at most 50.*narrow/);
  await answerOf(post({ scope: { zone: "south", model: "p" } }));
  const off = await answerOf<{ id: string }>(post({ enabled: false }));
  const enable = ask("crowded", "operator", `/v1/rules/${off.id}`, { method: "PUT", body: rule });
  await problem(enable, 400, "invalid_rule");
});
