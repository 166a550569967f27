// How much it matters and how it stands, as two small marks that are told apart without their colour.
import type { Alert, Severity } from "../../schemas/alert.ts";
import { STATES } from "./alert-words.ts";

export function SeverityMark({ severity }: { severity: Severity }) {
  return <span class={`severity ${severity}`}>{severity}</span>;
}

export function StateMark({ state }: { state: Alert["state"] }) {
  return (
    <span class={`alert-state ${state}`} data-testid="alert-state" data-state={state}>
      {STATES[state]}
    </span>
  );
}
