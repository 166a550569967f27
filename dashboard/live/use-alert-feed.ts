// The tenant's alerts for as long as somebody is signed in: the fleet's stream drives the feed, which asks by itself without it.
import { useEffect, useState } from "preact/hooks";
import type { FleetFrame } from "../../schemas/live.ts";
import { useApi } from "../base/context.ts";
import { AlertFeed } from "./alert-feed.ts";
import { keepOpen } from "./keep-open.ts";

export function useAlertFeed(): AlertFeed {
  const api = useApi();
  const [feed] = useState(() => new AlertFeed(api));
  useEffect(() => {
    let close = () => {};
    // A token that was never accepted opens no stream: it may not even be one.
    const unsubscribe = feed.onChange(() => {
      if (feed.active === null) return;
      unsubscribe();
      close = keepOpen<FleetFrame>(
        api,
        "/v1/fleet/stream",
        {},
        {
          onFrame: () => feed.signal(),
          onState: (state) => feed.setLive(state === "live"),
        },
      );
    });
    return () => {
      unsubscribe();
      close();
      feed.close();
    };
  }, [api, feed]);
  return feed;
}
