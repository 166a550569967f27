// The feed's signals → a reload at once, and one more when what happened has settled; never faster than people can read.
import { useEffect } from "preact/hooks";
import type { AlertFeed } from "./alert-feed.ts";

const AT_MOST_EVERY_MS = 1_000;

export function useSignals(
  feed: AlertFeed | null,
  reload: () => void,
  atMostEveryMs: number = AT_MOST_EVERY_MS,
): void {
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let isWaiting = false;
    const settle = () => {
      timer = undefined;
      if (!isWaiting) return;
      isWaiting = false;
      timer = setTimeout(settle, atMostEveryMs);
      reload();
    };
    const unsubscribe = feed?.onSignal(() => {
      isWaiting = true;
      if (timer !== undefined) return;
      timer = setTimeout(settle, atMostEveryMs);
      reload();
    });
    return () => {
      clearTimeout(timer);
      unsubscribe?.();
    };
  }, [feed, reload, atMostEveryMs]);
}
