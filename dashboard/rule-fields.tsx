// The fields of a rule, as many as its type of condition has.
import type { ComponentChildren } from "preact";
import type { FleetAnswer } from "./answers.ts";
import { useApi } from "./context.ts";
import { FIELDS, type RuleDraft } from "./rule-draft.ts";
import { useAnswer } from "./use-answer.ts";

interface FieldsProps {
  draft: RuleDraft;
  onChange: (change: Partial<RuleDraft>) => void;
}

const TYPES: [RuleDraft["type"], string][] = [
  ["threshold", "a value beyond a level"],
  ["no_data", "no data"],
  ["rate_of_change", "a fast change"],
  ["flat_line", "no change of a value"],
  ["anomaly", "an unusual value"],
  ["expression", "two metrics together"],
];

export function RuleFields({ draft, onChange }: FieldsProps) {
  const has = (field: keyof RuleDraft) => FIELDS[draft.type].includes(field);
  const text = (
    field: TextField,
    label: string,
    more: { hint?: string; list?: string; optional?: boolean } = {},
  ) => (
    <Field label={label} hint={more.hint}>
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
  ) => (
    <Field label={label}>
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
  const isOfTwo = draft.type === "expression";
  return (
    <>
      <fieldset class="fields" aria-label="The rule">
        {text("name", "Name", { hint: "What a message is headed", optional: true })}
        {choice("severity", "Severity", [
          ["critical", "critical: pages, always"],
          ["warning", "warning"],
          ["info", "info"],
        ])}
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
      <fieldset class="fields" aria-label="When">
        {choice("type", "When there is", TYPES)}
        {text("metric", isOfTwo ? "First metric" : "Metric", {
          ...(draft.type === "no_data" ? { hint: "Empty: the whole device", optional: true } : {}),
        })}
        {has("operator") &&
          choice("operator", "Combined by", [
            ["-", "minus"],
            ["+", "plus"],
            ["*", "times"],
            ["/", "divided by"],
          ])}
        {has("right") && text("right", "Second metric")}
        {has("apart") && text("apart", "Read at most apart")}
        {has("side") &&
          choice("side", "Is", [
            ["above", "above"],
            ["below", "below"],
          ])}
        {has("level") && text("level", "Level")}
        {has("clear") && text("clear", "Clears at", { hint: "Empty: at the level", optional: true })}
        {has("direction") &&
          choice("direction", "Direction", [
            ["both", "up or down"],
            ["up", "up"],
            ["down", "down"],
          ])}
        {has("by") && text("by", "By more than")}
        {has("over") && text("over", "Within")}
        {has("tolerance") && text("tolerance", "Stays within")}
        {has("after") && text("after", "For", { hint: "Like 90 s, 5 min, 1 h" })}
        {has("detector") &&
          choice("detector", "Detector", [
            ["", "the default: learns how the value usually runs"],
            ["zscore", "z-score: plain deviation"],
            ...otherThanListed(draft.detector),
          ])}
        {has("detectorLevel") &&
          choice("detectorLevel", "How unlike", [
            ["critical", "very (few alarms)"],
            ["warning", "somewhat (more alarms)"],
          ])}
        {has("lasting") && text("lasting", "It has to last", { hint: "0 s: not at all" })}
        {has("count") && text("count", "Readings in a row")}
      </fieldset>
      <fieldset class="fields" aria-label="Where">
        {text("zone", "Only in zone", { list: "zones", optional: true })}
        {text("model", "Only of model", { optional: true })}
        {text("device", "Only device", { optional: true })}
        <Zones />
      </fieldset>
    </>
  );
}

/** The one a rule names already, when it is not listed here. */
const otherThanListed = (detector: string): [string, string][] =>
  detector === "" || detector === "zscore" ? [] : [[detector, detector]];

type ChoiceField = "severity" | "type" | "side" | "direction" | "detector" | "detectorLevel" | "operator";
type TextField = Exclude<keyof RuleDraft, ChoiceField | "enabled">;

function Field({
  label,
  hint,
  children,
}: {
  label: string;
  hint?: string | undefined;
  children: ComponentChildren;
}) {
  return (
    // biome-ignore lint/a11y/noLabelWithoutControl: the control is the child
    <label class="field">
      <span>{label}</span>
      {children}
      {hint && <small>{hint}</small>}
    </label>
  );
}

function Zones() {
  const api = useApi();
  const { answer } = useAnswer(
    "zones",
    (signal) => api.get<Pick<FleetAnswer, "zones">>("/v1/zones", signal),
    60_000,
  );
  return (
    <datalist id="zones">
      {(answer?.zones ?? []).map(({ zone }) => (
        <option key={zone} value={zone} />
      ))}
    </datalist>
  );
}
