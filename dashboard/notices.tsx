// Small parts several pages share: a failure with a way out, and a presence lamp with its words.
import type { ApiError } from "./api.ts";
import { useTicking } from "./context.ts";
import { formatAge } from "./format.ts";
import { presenceOf } from "./presence.ts";
import type { ZoneWatch } from "./zone-watch.ts";

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
  connected: boolean;
  lastReceivedAt: number | null;
}

const WORDS = {
  connected: "connected",
  reporting: "no open connection, heard of late",
  quiet: "not heard of late",
};

/** Filled: connected. A ring: reporting without a connection. A grey ring: quiet. */
export function PresenceLamp({ watch, ...heard }: PresenceProps) {
  const presence = useTicking(() => presenceOf(heard, watch.now()));
  return <i class={`lamp ${presence}`} role="img" aria-label={WORDS[presence]} title={WORDS[presence]} />;
}

export function Age({ watch, lastReceivedAt }: Omit<PresenceProps, "connected">) {
  const text = useTicking(() => formatAge(lastReceivedAt === null ? null : watch.now() - lastReceivedAt));
  return <>{text}</>;
}
