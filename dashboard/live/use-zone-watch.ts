// Watches a zone, or one device of it, for as long as a component is on the page and the page is seen.
import { useEffect, useState } from "preact/hooks";
import type { ZoneFrame } from "../../schemas/live.ts";
import { useApi } from "../base/context.ts";
import { keepOpen } from "./keep-open.ts";
import { ZoneWatch } from "./zone-watch.ts";

/** `zone` null: not known yet. A watch is never reused: another zone or device is another watch. */
export function useZoneWatch(zone: string | null, device: string | null, trailCountMax: number): ZoneWatch {
  const api = useApi();
  const [watch, setWatch] = useState(() => new ZoneWatch(trailCountMax));
  // `watch` is what this effect replaces
  useEffect(() => {
    if (zone === null) return;
    const fresh =
      watch.state.seq === null && watch.connection === "connecting" ? watch : new ZoneWatch(trailCountMax);
    setWatch(fresh);
    const path = `/v1/zones/${encodeURIComponent(zone)}/stream`;
    return keepOpen<ZoneFrame>(api, path, device === null ? {} : { device }, {
      onFrame: (frame) => fresh.receive(frame),
      onState: (state) => fresh.setConnection(state),
    });
  }, [api, zone, device, trailCountMax]);
  return watch;
}
