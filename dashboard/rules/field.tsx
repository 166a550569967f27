// One field of a form: what it is called, the control, and what is good to know about it.
import type { ComponentChildren } from "preact";

interface FieldProps {
  label: string;
  hint?: ComponentChildren;
  isWide?: boolean;
  children: ComponentChildren;
}

export function Field({ label, hint, isWide, children }: FieldProps) {
  return (
    // biome-ignore lint/a11y/noLabelWithoutControl: the control is the child
    <label class={isWide ? "field wide" : "field"}>
      <span>{label}</span>
      {children}
      {hint && <small>{hint}</small>}
    </label>
  );
}

/** What is offered to an input whose `list` is `id`. `label`: what people call it. */
export function Suggestions({ id, of }: { id: string; of: readonly { value: string; label?: string }[] }) {
  return (
    <datalist id={id}>
      {of.map(({ value, label }) => (
        <option key={value} value={value} label={label} />
      ))}
    </datalist>
  );
}
