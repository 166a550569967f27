// The scope of a rule, as it is typed → what there is to choose from in it. Asks when typing has paused.
import { useEffect, useState } from "preact/hooks";
import { NAME_PATTERN } from "../../schemas/limits.ts";
import type { NamesAnswer } from "../../schemas/query.ts";
import { useApi } from "../base/context.ts";
import { useAnswer } from "../base/use-answer.ts";
import type { RuleDraft } from "./rule-draft.ts";

const PAUSED_MS = 400;
const REREAD_EVERY_MS = 60_000;

/** Null while it is not known: suggestions are a help, and nothing waits for them. */
export function useNames({ zone, model, device }: RuleDraft): NamesAnswer | null {
  const api = useApi();
  const path = usePaused(pathOf(zone.trim(), model.trim(), device.trim()));
  return useAnswer(path, (signal) => api.get<NamesAnswer>(path ?? "", signal), REREAD_EVERY_MS).answer;
}

/** Null: no device is called that. */
function pathOf(zone: string, model: string, device: string): string | null {
  if ([zone, device].some((name) => name !== "" && !NAME_PATTERN.test(name))) return null;
  const given = Object.entries({ zone, model, device }).filter(([, value]) => value !== "");
  return `/v1/fleet/names?${new URLSearchParams(given)}`;
}

function usePaused<Value>(value: Value): Value {
  const [paused, setPaused] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setPaused(value), PAUSED_MS);
    return () => clearTimeout(timer);
  }, [value]);
  return paused;
}
