// Small parts several pages share: a failure with a way out, a presence lamp with its words, and what stands where something is awaited.
import type { ApiError } from "./base/api.ts";
import { useTicking } from "./base/context.ts";
import { formatAge } from "./base/format.ts";
import { type Heard, presenceInWords, presenceOf } from "./live/presence.ts";
import type { ZoneWatch } from "./live/zone-watch.ts";

export function Failure({ error, onRetry }: { error: ApiError; onRetry: () => void }) {
  return (
    <p class="notice bad" role="alert">
      <span>{error.message}</span>
      <button type="button" class="button small" onClick={onRetry}>
        Try again
      </button>
    </p>
  );
}

interface PresenceProps {
  watch: ZoneWatch;
  heard: Heard;
}

/** Filled: reporting. A ring: connected, but quiet. A grey ring: quiet. */
export function PresenceLamp({ watch, heard }: PresenceProps) {
  const presence = useTicking(() => presenceOf(heard, watch.now()));
  const words = useTicking(() => presenceInWords(heard, watch.now()));
  return <i class={`lamp ${presence}`} role="img" aria-label={words} title={words} />;
}

export function PresenceWords({ watch, heard }: PresenceProps) {
  return <>{useTicking(() => presenceInWords(heard, watch.now()))}</>;
}

export function Age({ watch, atMs }: { watch: ZoneWatch; atMs: number | null }) {
  const text = useTicking(() => formatAge(atMs === null ? null : watch.now() - atMs));
  return <>{text}</>;
}

/** Stands where `count` boxes will be, of the height the stylesheet gives their `kind`, and says what is awaited. */
export function Awaited({
  kind,
  count,
  text,
}: {
  kind: "card" | "row" | "tile";
  count: number;
  text: string;
}) {
  return (
    <div class={`awaited awaited-${kind}`} role="status" data-testid="awaited">
      {Array.from({ length: count }, (_, index) => (
        <i key={index} aria-hidden="true" />
      ))}
      <span>{text}</span>
    </div>
  );
}
