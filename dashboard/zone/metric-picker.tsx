// Which metrics the table shows: a list of boxes that opens on demand.
import { useEffect, useRef, useState } from "preact/hooks";
import { formatCount } from "../base/format.ts";
import type { MetricColumn } from "./table-shape.ts";

interface MetricPickerProps {
  columns: readonly MetricColumn[];
  shown: readonly MetricColumn[];
  isChosen: boolean;
  onChoose: (metrics: string[] | null) => void;
}

export function MetricPicker({ columns, shown, isChosen, onChoose }: MetricPickerProps) {
  const details = useRef<HTMLDetailsElement>(null);
  const [text, setText] = useState("");
  useCloseOutside(details);
  const shownMetrics = shown.map(({ metric }) => metric);
  const needle = text.trim().toLowerCase();
  const listed = columns.filter(({ metric }) => metric.toLowerCase().includes(needle));
  const toggle = (metric: string) =>
    onChoose(
      shownMetrics.includes(metric)
        ? shownMetrics.filter((other) => other !== metric)
        : [...shownMetrics, metric],
    );
  return (
    <details class="picker" ref={details} data-testid="metric-picker">
      <summary class="button small">
        Metrics{" "}
        <span class="tally">
          {formatCount(shown.length)}/{formatCount(columns.length)}
        </span>
      </summary>
      <div class="picker-list">
        {columns.length > 10 && (
          <input
            type="search"
            placeholder="Find a metric"
            aria-label="Find a metric"
            value={text}
            onInput={(event) => setText(event.currentTarget.value)}
          />
        )}
        <ul>
          {listed.map(({ metric, deviceCount }) => (
            <li key={metric}>
              <label>
                <input
                  type="checkbox"
                  checked={shownMetrics.includes(metric)}
                  onChange={() => toggle(metric)}
                />
                <span>{metric}</span>
                <small>{formatCount(deviceCount)}</small>
              </label>
            </li>
          ))}
        </ul>
        <button type="button" class="button small" disabled={!isChosen} onClick={() => onChoose(null)}>
          Reset
        </button>
      </div>
    </details>
  );
}

/** Closes on Escape and on a press elsewhere. */
function useCloseOutside(details: { current: HTMLDetailsElement | null }): void {
  useEffect(() => {
    const onPress = (event: Event) => {
      const element = details.current;
      if (element?.open && !element.contains(event.target as Node)) element.open = false;
    };
    const onKey = (event: KeyboardEvent) => {
      const element = details.current;
      if (event.key !== "Escape" || !element?.open) return;
      element.open = false;
      element.querySelector("summary")?.focus();
    };
    document.addEventListener("pointerdown", onPress);
    document.addEventListener("keydown", onKey);
    return () => {
      document.removeEventListener("pointerdown", onPress);
      document.removeEventListener("keydown", onKey);
    };
  }, [details]);
}
