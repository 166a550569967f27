// The fields of a rule, as many as its type of condition has; what exists is suggested.
import type { ComponentChildren } from "preact";
import type { NamesAnswer } from "../../schemas/query.ts";
import type { FleetAnswer } from "../base/answers.ts";
import { useApi } from "../base/context.ts";
import { formatCount } from "../base/format.ts";
import { useAnswer } from "../base/use-answer.ts";
import { Field, Suggestions } from "./field.tsx";
import { hasField, type RuleDraft } from "./rule-draft.ts";
import { RuleTelling } from "./rule-telling.tsx";

interface FieldsProps {
  draft: RuleDraft;
  /** What there is in its scope. */
  names: NamesAnswer | null;
  onChange: (change: Partial<RuleDraft>) => void;
}

const TYPES: [RuleDraft["type"], string][] = [
  ["threshold", "a value above or below a level"],
  ["no_data", "a device that stops sending"],
  ["hot", "a device that sends too much"],
  ["rate_of_change", "a value that changes fast"],
  ["flat_line", "a value that is stuck"],
  ["anomaly", "a value that is unusual for this device"],
  ["expression", "two values compared"],
];

const LASTING_HINTS: Partial<Record<RuleDraft["type"], string>> = {
  hot: "Longer than a backlog takes to be forgotten, like 5 min; 0 s: at once",
};
const SPAN_HINT = "Like 90 s, 5 min or 1 h";

export function RuleFields({ draft, names, onChange }: FieldsProps) {
  const has = (field: keyof RuleDraft) => hasField(draft, field);
  const text = (
    field: TextField,
    label: string,
    more: { hint?: ComponentChildren; list?: string; optional?: boolean; isWide?: boolean } = {},
  ) => (
    <Field label={label} hint={more.hint} isWide={more.isWide ?? false}>
      <input
        type="text"
        name={field}
        list={more.list}
        autocomplete="off"
        spellcheck={false}
        required={!more.optional}
        value={draft[field]}
        onInput={({ currentTarget }) => onChange({ [field]: currentTarget.value })}
      />
    </Field>
  );
  const choice = <Name extends ChoiceField>(
    field: Name,
    label: string,
    options: [RuleDraft[Name], string][],
    isWide = false,
  ) => (
    <Field label={label} isWide={isWide}>
      <select
        name={field}
        value={draft[field]}
        onChange={({ currentTarget }) => onChange({ [field]: currentTarget.value } as Partial<RuleDraft>)}
      >
        {options.map(([value, words]) => (
          <option key={value} value={value}>
            {words}
          </option>
        ))}
      </select>
    </Field>
  );
  const metric = (field: "metric" | "right", label: string) =>
    text(field, label, {
      list: "metrics",
      hint: metricHint(draft, draft[field], names),
      optional: draft.type === "no_data",
    });
  return (
    <>
      <fieldset class="fields">
        <legend>The rule</legend>
        {text("name", "Name", {
          hint: "The headline of its messages. Left empty, it is made from the condition.",
          optional: true,
          isWide: true,
        })}
        {choice(
          "severity",
          "How much it matters",
          [
            ["critical", "critical: wakes people, no limit holds it back"],
            ["warning", "warning: to be looked at today"],
            ["info", "info: good to know"],
          ],
          true,
        )}
        <label class="check">
          <input
            type="checkbox"
            name="enabled"
            checked={draft.enabled}
            onChange={({ currentTarget }) => onChange({ enabled: currentTarget.checked })}
          />{" "}
          Switched on
        </label>
      </fieldset>
      <fieldset class="fields">
        <legend>What to watch for</legend>
        {choice("type", "Alert me about", TYPES, true)}
        {has("metric") && metric("metric", draft.type === "expression" ? "First metric" : "Metric")}
        {has("operator") &&
          choice("operator", "Combined by", [
            ["-", "minus"],
            ["+", "plus"],
            ["*", "times"],
            ["/", "divided by"],
          ])}
        {has("right") && metric("right", "Second metric")}
        {has("apart") &&
          text("apart", "At most this far apart", { hint: "Readings further apart are not compared" })}
        {has("side") &&
          choice("side", "It fires when the value is", [
            ["above", "above"],
            ["below", "below"],
          ])}
        {has("level") && text("level", "this level")}
        {has("clear") &&
          text("clear", "Over again at", { hint: "Left empty: at the level itself", optional: true })}
        {has("direction") &&
          choice("direction", "Which way", [
            ["both", "up or down"],
            ["up", "up"],
            ["down", "down"],
          ])}
        {has("by") && text("by", "By more than")}
        {has("over") && text("over", "Within", { hint: SPAN_HINT })}
        {has("tolerance") && text("tolerance", "Stays within", { hint: "0: does not change at all" })}
        {has("after") && text("after", "For", { hint: SPAN_HINT })}
        {has("detector") &&
          choice("detector", "Found by", [
            [draft.detector === "zscore" ? "" : draft.detector, "learning how the value usually runs"],
            ["zscore", "its distance from the recent mean (z-score)"],
          ])}
        {has("detectorLevel") &&
          choice("detectorLevel", "How unusual", [
            ["critical", "very (few alerts)"],
            ["warning", "somewhat (more alerts)"],
          ])}
        {has("lasting") &&
          text("lasting", "For at least", {
            hint: LASTING_HINTS[draft.type] ?? "0 s: the first such reading is enough",
          })}
        {has("count") && text("count", "Readings in a row", { hint: "1: one is enough" })}
      </fieldset>
      <fieldset class="fields">
        <legend>On which devices</legend>
        {text("zone", "Only in zone", { list: "zones", hint: "Left empty: in every zone", optional: true })}
        {text("model", "Only of model", {
          list: "models",
          hint: "Left empty: of every model",
          optional: true,
        })}
        {text("device", "Only the device", {
          list: "devices",
          hint: names?.devices.length === 0 ? "No device fits yet" : "Left empty: all of them",
          optional: true,
        })}
      </fieldset>
      <fieldset class="fields">
        <legend>When it has fired</legend>
        {text("cooldown", "Then quiet for", {
          hint: "Once it is over, it does not fire on that device again for so long. 0 s: it may at once.",
          isWide: true,
        })}
        {text("groupWithin", "One incident within", {
          hint: "Devices of a zone that fire so soon after each other are one incident, told once. 0 s: one each.",
          isWide: true,
        })}
      </fieldset>
      <RuleTelling draft={draft} onChange={onChange} />
      <Zones />
      <Suggestions id="models" of={(names?.models ?? []).map((value) => ({ value }))} />
      <Suggestions id="metrics" of={(names?.metrics ?? []).map((value) => ({ value }))} />
      <Suggestions
        id="devices"
        of={(names?.devices ?? []).map(({ device, name }) => ({
          value: device,
          ...(name === null ? {} : { label: name }),
        }))}
      />
    </>
  );
}

/** Says what nobody reports: a mistyped metric never fires. */
function metricHint({ type }: RuleDraft, metric: string, names: NamesAnswer | null): string | undefined {
  const typed = metric.trim();
  const isAsked = names !== null && names.devices.length > 0;
  if (isAsked && typed !== "" && !names.metrics.includes(typed)) {
    return names.partial
      ? "None of the first ten devices reports it; check the spelling"
      : `None of ${formatCount(names.devices.length)} ${names.devices.length === 1 ? "device" : "devices"} reports it; check the spelling`;
  }
  return type === "no_data" ? "Left empty: anything at all" : undefined;
}

type ChoiceField = "severity" | "type" | "side" | "direction" | "detector" | "detectorLevel" | "operator";
type TextField = Exclude<keyof RuleDraft, ChoiceField | "enabled" | "channels" | "escalation">;

function Zones() {
  const api = useApi();
  const { answer } = useAnswer(
    "zones",
    (signal) => api.get<Pick<FleetAnswer, "zones">>("/v1/zones", signal),
    60_000,
  );
  return <Suggestions id="zones" of={(answer?.zones ?? []).map(({ zone }) => ({ value: zone }))} />;
}
