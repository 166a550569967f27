// Who is told of a rule, and who else when nobody acknowledges.
import type { Channel } from "../../schemas/channel.ts";
import type { ChannelList } from "../base/answers.ts";
import { useApi } from "../base/context.ts";
import { identityOf } from "../base/identity.ts";
import { channelsLink } from "../base/route.ts";
import { useAnswer } from "../base/use-answer.ts";
import { Field } from "./field.tsx";
import { type RuleDraft, STEPS_MAX, type StepDraft } from "./rule-draft.ts";

interface TellingProps {
  draft: RuleDraft;
  onChange: (change: Partial<RuleDraft>) => void;
}

/** Known to operators alone: null for the others, and until the answer is there. */
function useChannels(): Channel[] | null {
  const api = useApi();
  const { mayOperate } = identityOf(api.session.token);
  const { answer } = useAnswer(
    mayOperate ? "channels" : null,
    (signal) => api.get<ChannelList>("/v1/channels", signal),
    60_000,
  );
  return answer?.channels ?? null;
}

export function RuleTelling({ draft, onChange }: TellingProps) {
  const channels = useChannels();
  const { escalation } = draft;
  const setStep = (changed: number, change: Partial<StepDraft>) =>
    onChange({ escalation: escalation.map((step, i) => (i === changed ? { ...step, ...change } : step)) });
  return (
    <fieldset class="fields" data-testid="rule-telling">
      <legend>Who is told</legend>
      <ChannelChoice
        name="channels"
        label="Tell"
        elsewise="the channels that take such alerts"
        known={channels}
        chosen={draft.channels}
        onChoose={(chosen) => onChange({ channels: chosen })}
        hint={draft.channels === null && channels !== null ? takersInWords(channels, draft) : undefined}
      />
      <ol class="steps">
        {escalation.map((step, i) => (
          <li key={i} class="step" data-testid="escalation-step">
            <Field label={i === 0 ? "If nobody has acknowledged after" : "and if nobody has after"}>
              <input
                type="text"
                name={`after-${i}`}
                autocomplete="off"
                required
                value={step.after}
                onInput={({ currentTarget }) => setStep(i, { after: currentTarget.value })}
              />
            </Field>
            <ChannelChoice
              name={`step-${i}`}
              label="tell"
              elsewise="the same as above again"
              known={channels}
              chosen={step.channels}
              onChoose={(chosen) => setStep(i, { channels: chosen })}
            />
            <button
              type="button"
              class="quiet-button"
              onClick={() => onChange({ escalation: escalation.filter((_, other) => other !== i) })}
            >
              Remove
            </button>
          </li>
        ))}
      </ol>
      <p class="add-step">
        {escalation.length === 0 && (
          <small>When nobody acknowledges, nobody else is told; a step changes that.</small>
        )}
        <button
          type="button"
          class="button small"
          disabled={escalation.length >= STEPS_MAX}
          title={escalation.length >= STEPS_MAX ? `A rule has at most ${STEPS_MAX} steps.` : undefined}
          onClick={() =>
            onChange({ escalation: [...escalation, { after: nextAfter(escalation), channels: null }] })
          }
        >
          Add a step
        </button>
      </p>
    </fieldset>
  );
}

const AFTERS = ["10 min", "30 min", "1 h", "2 h", "4 h"];
const nextAfter = (steps: readonly StepDraft[]) => AFTERS[Math.min(steps.length, AFTERS.length - 1)]!;

interface ChannelChoiceProps {
  name: string;
  label: string;
  /** What nothing chosen means. */
  elsewise: string;
  known: Channel[] | null;
  chosen: string[] | null;
  onChoose: (chosen: string[] | null) => void;
  hint?: string | undefined;
}

function ChannelChoice({ name, label, elsewise, known, chosen, onChoose, hint }: ChannelChoiceProps) {
  const listed = (known ?? []).map((channel) => ({ id: channel.id, words: wordsOf(channel) }));
  const gone = (chosen ?? []).filter((id) => listed.every((channel) => channel.id !== id));
  const options = [
    ...listed,
    ...gone.map((id) => ({ id, words: known === null ? id : `${id} (there is no such channel any more)` })),
  ];
  const toggle = (id: string, isOn: boolean) =>
    onChoose(isOn ? [...(chosen ?? []), id] : (chosen ?? []).filter((other) => other !== id));
  return (
    <div class="telling">
      <Field label={label} hint={hint}>
        <select
          name={name}
          value={chosen === null ? "routes" : "these"}
          onChange={({ currentTarget }) => onChoose(currentTarget.value === "routes" ? null : (chosen ?? []))}
        >
          <option value="routes">{elsewise}</option>
          <option value="these">only these channels</option>
        </select>
      </Field>
      {chosen !== null && (
        <div class="channel-checks">
          {options.map(({ id, words }) => (
            <label key={id} class="check">
              <input
                type="checkbox"
                name={`${name}-${id}`}
                checked={chosen.includes(id)}
                onChange={({ currentTarget }) => toggle(id, currentTarget.checked)}
              />{" "}
              {words}
            </label>
          ))}
          {known?.length === 0 && (
            <small>
              There is no channel yet. <a href={channelsLink()}>How to make one</a>
            </small>
          )}
        </div>
      )}
    </div>
  );
}

const wordsOf = ({ name, target, enabled }: Channel) =>
  `${name} (${target.type}${enabled ? "" : ", switched off"})`;

/** Who would be told as things are: what nothing chosen means. */
function takersInWords(channels: readonly Channel[], { severity, zone }: RuleDraft): string {
  const takers = channels.filter(
    ({ enabled, route: { severities, zones } }) =>
      enabled &&
      (severities?.includes(severity) ?? true) &&
      (zone.trim() === "" || (zones?.includes(zone.trim()) ?? true)),
  );
  if (channels.length === 0) return "There is no channel yet: it shows on these pages, and nobody is told.";
  if (takers.length === 0) return `No channel takes ${severity} alerts there: nobody is told.`;
  const names = takers.map(({ name, route }) => {
    const limits = [...(zone.trim() === "" && route.zones ? [`in ${route.zones.join(", ")}`] : [])];
    if (route.hours) limits.push("at its hours");
    return limits.length === 0 ? name : `${name} (${limits.join(", ")})`;
  });
  return `As things are, that is ${names.join(", ")}.`;
}
