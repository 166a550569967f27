// When to try again, and how long to wait before.

export const BACKOFF_FIRST_MS = 200;
/** Longest wait that is ours to choose; a server's `Retry-After` may be longer. */
export const BACKOFF_MAX_MS = 10_000;

/** Statuses after which the same body may succeed: sent again it costs nothing, as duplicates are told apart. */
const TRANSIENT = new Set([408, 425, 429, 500, 502, 503, 504]);
export const isTransient = (status: number) => TRANSIENT.has(status);

/**
 * Wait before try number `attempt` (1 = the first repetition): doubling, with full jitter above its half, and never
 * less than what the server asked for. `random` is in [0, 1).
 */
export function backoffMs(attempt: number, retryAfterMs: number | undefined, random: number): number {
  const ceiling = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** (attempt - 1));
  const own = ceiling / 2 + (random * ceiling) / 2;
  return Math.round(
    retryAfterMs === undefined ? own : Math.max(own, retryAfterMs + random * BACKOFF_FIRST_MS),
  );
}

/** A `Retry-After` header (seconds or an HTTP date, RFC 9110 §10.2.3) in ms; undefined when absent or senseless. */
export function parseRetryAfterMs(header: string | null, nowMs: number): number | undefined {
  if (header === null || header.trim() === "") return undefined;
  const seconds = Number(header);
  if (Number.isFinite(seconds)) return seconds >= 0 ? seconds * 1000 : undefined;
  const at = Date.parse(header);
  return Number.isNaN(at) ? undefined : Math.max(0, at - nowMs);
}

/** Resolves after `delayMs`, or at once when the signal aborts; never rejects. */
export function sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted || delayMs <= 0) return resolve();
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, delayMs);
    signal?.addEventListener("abort", done);
  });
}
