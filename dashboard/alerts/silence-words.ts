// What a silence holds back → words with the names of rules and devices, also of those that are no more.
import type { Matcher, Silence } from "../../schemas/channel.ts";
import type { RuleList } from "../base/answers.ts";
import { useApi } from "../base/context.ts";
import { useAnswer } from "../base/use-answer.ts";
import { type DeviceNames, useDeviceNames } from "../base/use-device-names.ts";

/** By id; `rules` null: not known yet. */
export interface KnownNames {
  rules: ReadonlyMap<string, string> | null;
  devices: DeviceNames;
}

export function useKnownNames(silences: readonly Silence[]): KnownNames {
  const api = useApi();
  const devices = useDeviceNames(silences.flatMap(({ matcher }) => matcher.device ?? []));
  const key = silences.some(({ matcher }) => matcher.rule !== undefined) ? "rules" : null;
  const { answer } = useAnswer(key, (signal) => api.get<RuleList>("/v1/rules", signal), 60_000);
  const rules = answer && new Map(answer.rules.map(({ id, name }) => [id, name]));
  return { rules, devices };
}

/** `“Pump too hot” in zone hall-2`, `warnings of Pump A`, `everything`. */
export function matcherInWords({ rule, severity, device, model, zone }: Matcher, known: KnownNames): string {
  const parts = [
    ...(severity === undefined ? [] : [`${severity} alerts`]),
    ...(rule === undefined ? [] : [ruleInWords(rule, known)]),
    ...(device === undefined ? [] : [`of ${deviceInWords(device, known)}`]),
    ...(model === undefined ? [] : [`of model ${model}`]),
    ...(zone === undefined ? [] : [`in zone ${zone}`]),
  ];
  if (parts.length === 0) return "Everything";
  return rule === undefined && severity === undefined ? `Everything ${parts.join(" ")}` : parts.join(" ");
}

function ruleInWords(rule: string, { rules }: KnownNames): string {
  if (rules === null) return "a rule";
  const name = rules.get(rule);
  return name === undefined ? `a rule that was deleted (${rule})` : `“${name}”`;
}

function deviceInWords(device: string, { devices }: KnownNames): string {
  const name = devices.get(device);
  return name === null ? `a device that was deleted (${device})` : (name ?? device);
}
