// A GET whose answer is kept on the screen while it is read again, and read again by itself after a failure.
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { type ApiError, asApiError } from "./api.ts";
import { backoffMs } from "./backoff.ts";

export interface Loaded<Answer> {
  answer: Answer | null;
  error: ApiError | null;
  isLoading: boolean;
  /** Neither an answer nor an error is there yet. */
  isAwaited: boolean;
  reload(): void;
}

interface Kept<Answer> {
  key: string;
  answer: Answer | null;
  error: ApiError | null;
}

/** Loads when `key` changes, then every `everyMs` while the page is seen. `key` null: nothing to load yet. */
export function useAnswer<Answer>(
  key: string | null,
  load: (signal: AbortSignal) => Promise<Answer>,
  everyMs: number,
): Loaded<Answer> {
  const [kept, setKept] = useState<Kept<Answer>>({ key: "", answer: null, error: null });
  const [isLoading, setLoading] = useState(false);
  const [round, setRound] = useState(0);
  const failures = useRef(0);
  const loadNow = useRef(load);
  loadNow.current = load;

  // `round` asks for the same key again
  useEffect(() => {
    if (key === null) return;
    const abort = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const again = (delayMs: number) => {
      timer = setTimeout(() => (document.hidden ? again(everyMs) : setRound((count) => count + 1)), delayMs);
    };
    setLoading(true);
    loadNow
      .current(abort.signal)
      .then((answer) => {
        if (abort.signal.aborted) return;
        failures.current = 0;
        setKept({ key, answer, error: null });
        setLoading(false);
        again(everyMs);
      })
      .catch((thrown: unknown) => {
        if (abort.signal.aborted) return;
        const error = asApiError(thrown);
        setKept((before) => ({ key, answer: before.key === key ? before.answer : null, error }));
        setLoading(false);
        const isLasting = error.status >= 400 && error.status < 500 && error.status !== 429;
        if (!isLasting) again(error.retryAfterMs ?? 2 * backoffMs(failures.current++, Math.random()));
      });
    return () => {
      abort.abort();
      clearTimeout(timer);
    };
  }, [key, round, everyMs]);

  const reload = useCallback(() => setRound((count) => count + 1), []);
  const isCurrent = kept.key === key;
  const answer = isCurrent ? kept.answer : null;
  const error = isCurrent ? kept.error : null;
  return { answer, error, isLoading, isAwaited: answer === null && error === null, reload };
}
