// Every metric of the device with its latest value; pressing a tile puts it on the chart.
import { useRef, useState } from "preact/hooks";
import type { ClockFault } from "../../schemas/live.ts";
import { useTicking } from "../base/context.ts";
import { decimalsOf, formatAge, formatValue } from "../base/format.ts";
import { sparkPath } from "../live/trail.ts";
import type { ZoneWatch } from "../live/zone-watch.ts";

/** Two value axes fit a chart; a third would be a guess. */
export const COMPARED_MAX = 2;
/** Tiles shown at first, as the stylesheet hides the others; on a narrow page fewer. */
const SOME_COUNT = 16;
const SOME_COUNT_NARROW = 6;
/** From this many on, tiles can be searched. */
const SEARCH_FROM_COUNT = 13;

const CLOCK_NOTES: Record<ClockFault, string> = {
  ahead: "Its time lies after its receipt: the device's clock is ahead.",
  behind:
    "Its time lies more than 5 min before its receipt: the device's clock is behind, or it was sent late.",
};

/** A metric's newest reading, reported or imported. */
export interface NewestReading {
  at: number;
  value: number;
  clock?: ClockFault | undefined;
}

interface MetricTilesProps {
  watch: ZoneWatch;
  device: string;
  metrics: Readonly<Record<string, NewestReading>>;
  selected: readonly string[];
  onSelect: (metrics: string[]) => void;
}

export function MetricTiles({ watch, device, metrics, selected, onSelect }: MetricTilesProps) {
  const [text, setText] = useState("");
  const names = Object.keys(metrics);
  const needle = text.trim().toLowerCase();
  const [isWhole, setWhole] = useState(false);
  const found = names.filter((metric) => metric.toLowerCase().includes(needle));
  return (
    <section aria-label="Metrics">
      {names.length >= SEARCH_FROM_COUNT && (
        <input
          type="search"
          class="filter tile-filter"
          placeholder={`Find one of ${names.length} metrics`}
          aria-label="Find a metric"
          value={text}
          onInput={(event) => setText(event.currentTarget.value)}
        />
      )}
      <ul class={isWhole ? "tiles" : "tiles some"}>
        {found.map((metric) => (
          <Tile
            key={metric}
            watch={watch}
            device={device}
            metric={metric}
            reading={metrics[metric]!}
            selected={selected}
            onSelect={onSelect}
          />
        ))}
      </ul>
      {found.length > SOME_COUNT_NARROW && (
        <button
          type="button"
          class={`button small all-tiles ${found.length > SOME_COUNT ? "" : "narrow-only"}`}
          aria-expanded={isWhole}
          onClick={() => setWhole(!isWhole)}
        >
          {isWhole ? "Fewer metrics" : `All ${found.length} metrics`}
        </button>
      )}
    </section>
  );
}

interface TileProps extends Omit<MetricTilesProps, "metrics"> {
  metric: string;
  reading: NewestReading;
}

function Tile({ watch, device, metric, reading, selected, onSelect }: TileProps) {
  const place = selected.indexOf(metric);
  const trail = watch.trail(device, metric);
  const text = useSteadyText(reading.value);
  const age = useTicking(() => formatAge(watch.now() - reading.at));
  const canAdd = place < 0 && selected.length > 0;
  const canRemove = place >= 0 && selected.length > 1;
  return (
    <li class={`tile ${place >= 0 ? `selected series-${place + 1}` : ""}`}>
      <button
        type="button"
        class="tile-main"
        data-testid="metric-tile"
        data-metric={metric}
        aria-pressed={place >= 0}
        onClick={() => onSelect([metric])}
      >
        <span class="tile-name" title={metric}>
          {metric}
        </span>
        <span class="tile-value">{text}</span>
        <span class="tile-foot">
          <span class="tile-age">
            {age}
            {reading.clock && (
              <abbr class="tile-clock" title={CLOCK_NOTES[reading.clock]}>
                clock {reading.clock}
              </abbr>
            )}
          </span>
          <svg width="64" height="16" aria-hidden="true">
            <path d={sparkPath(trail?.values.slice(-60) ?? [], 64, 16)} />
          </svg>
        </span>
      </button>
      {(canAdd || canRemove) && (
        <button
          type="button"
          class="tile-add"
          aria-label={canRemove ? `Take ${metric} off the chart` : `Compare with ${metric}`}
          title={canRemove ? "Take off the chart" : "Compare"}
          onClick={() =>
            onSelect(
              canRemove
                ? selected.filter((other) => other !== metric)
                : [...selected.slice(0, COMPARED_MAX - 1), metric],
            )
          }
        >
          {canRemove ? "−" : "+"}
        </button>
      )}
    </li>
  );
}

/** The value in words; decimals only grow, so a value passing a round number does not twitch. */
function useSteadyText(value: number): string {
  const decimals = useRef(0);
  decimals.current = Math.max(decimals.current, decimalsOf([value]));
  return formatValue(value, Math.abs(value) >= 100 ? Math.min(decimals.current, 1) : decimals.current);
}
