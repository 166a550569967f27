// What every part of the page may reach: the API, the session, the clock that ticks once a second.
import { createContext } from "preact";
import { useContext, useEffect, useLayoutEffect, useState } from "preact/hooks";
import type { AlertFeed } from "../live/alert-feed.ts";
import { Api } from "./api.ts";
import { Session } from "./session.ts";

const fallback = new Session({
  takeFragmentToken: () => null,
  recall: () => null,
  remember: () => {},
  fetchLocalToken: async () => null,
  refusalOf: async () => null,
});

export const ApiContext = createContext<Api>(new Api(fallback));

export function useApi(): Api {
  return useContext(ApiContext);
}

/** What is going on in the tenant; null before somebody has signed in. */
export const FeedContext = createContext<AlertFeed | null>(null);

export function useFeed(): AlertFeed | null {
  const feed = useContext(FeedContext);
  useChanges((listener) => feed?.onChange(listener) ?? (() => {}), feed);
  return feed;
}

const ticks = new Set<() => void>();
setInterval(() => {
  if (document.hidden) return;
  for (const tick of ticks) tick();
}, 1000);

/** Calls back every second while the page is seen. One timer for all, so ages on a page change together. */
export function onTick(tick: () => void): () => void {
  ticks.add(tick);
  return () => ticks.delete(tick);
}

/** Recomputes every second and draws again only if the result differs. */
export function useTicking<Value extends string | number | boolean>(compute: () => Value): Value {
  const [, setShown] = useState<Value>(compute);
  useEffect(() => onTick(() => setShown(compute())));
  return compute();
}

/** Draws the component again whenever `subscribe`'s source speaks; listening starts before anything else can make it speak. */
export function useChanges(subscribe: (listener: () => void) => () => void, key: unknown): void {
  const [, setCount] = useState(0);
  // `key` names the source; `subscribe` is a new closure each time
  useLayoutEffect(() => subscribe(() => setCount((count) => count + 1)), [key]);
}
