// Watches a zone, or one device of it, for as long as a component is on the page and the page is seen.
import { useEffect, useState } from "preact/hooks";
import type { Api } from "./api.ts";
import { useApi } from "./context.ts";
import { type Socket, ZoneStream } from "./zone-stream.ts";
import { ZoneWatch } from "./zone-watch.ts";

/** Watching costs the fleet: a page nobody sees lets go after this long, and takes up where it was when seen again. */
const HIDDEN_MS_MAX = 5 * 60_000;

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
    return openWatch(fresh, api, zone, device);
  }, [api, zone, device, trailCountMax]);
  return watch;
}

function openWatch(watch: ZoneWatch, api: Api, zone: string, device: string | null): () => void {
  const stream = new ZoneStream(
    {
      open: (afterSeq) => openSocket(api.session.token ?? "", zone, device, afterSeq),
      setTimer: (run, delayMs) => setTimeout(run, delayMs),
      clearTimer: (timer) => clearTimeout(timer as ReturnType<typeof setTimeout> | undefined),
      random: Math.random,
    },
    {
      onFrame: (frame) => watch.receive(frame),
      onState: (state) => watch.setConnection(state),
      // A browser hides why an upgrade was refused; a plain call says it, and a 401 reaches the session.
      onRefused: () => void api.get("/v1/fleet").catch(() => {}),
    },
  );
  let hiddenTimer: ReturnType<typeof setTimeout> | undefined;
  const onVisibility = () => {
    clearTimeout(hiddenTimer);
    if (document.hidden) hiddenTimer = setTimeout(() => stream.pause(), HIDDEN_MS_MAX);
    else stream.resume();
  };
  const onOnline = () => stream.resume();
  const onOffline = () => stream.networkLost();
  document.addEventListener("visibilitychange", onVisibility);
  window.addEventListener("online", onOnline);
  window.addEventListener("offline", onOffline);
  return () => {
    clearTimeout(hiddenTimer);
    document.removeEventListener("visibilitychange", onVisibility);
    window.removeEventListener("online", onOnline);
    window.removeEventListener("offline", onOffline);
    stream.close();
  };
}

function openSocket(token: string, zone: string, device: string | null, afterSeq: number | null): Socket {
  const url = new URL(`/v1/zones/${encodeURIComponent(zone)}/stream`, location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  if (device !== null) url.searchParams.set("device", device);
  if (afterSeq !== null) url.searchParams.set("after", String(afterSeq));
  return new WebSocket(url, ["telltale.v1", `bearer.${token}`]) as unknown as Socket;
}
