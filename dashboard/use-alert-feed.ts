// The tenant's alerts for as long as somebody is signed in: the fleet's stream drives the feed, which asks by itself without it.
import { useEffect, useState } from "preact/hooks";
import type { FleetFrame } from "../schemas/live.ts";
import { AlertFeed } from "./alert-feed.ts";
import { useApi } from "./context.ts";
import { keepOpen } from "./keep-open.ts";

export function useAlertFeed(): AlertFeed {
  const api = useApi();
  const [feed] = useState(() => new AlertFeed(api));
  useEffect(() => {
    const close = keepOpen<FleetFrame>(
      api,
      "/v1/fleet/stream",
      {},
      {
        onFrame: () => feed.signal(),
        onState: (state) => feed.setLive(state === "live"),
      },
    );
    return () => {
      close();
      feed.close();
    };
  }, [api, feed]);
  return feed;
}
