// A stream of the API, kept open for as long as the page is seen, through lost networks and sleeping laptops.
import type { Api } from "../base/api.ts";
import { type Numbered, type Socket, type StreamEvents, ZoneStream } from "./frame-stream.ts";
import { keepAlive, PING_EVERY_MS } from "./keep-alive.ts";

/** Watching costs the fleet: a page nobody sees lets go after this long, and takes up where it was when seen again. */
const HIDDEN_MS_MAX = 5 * 60_000;

/** Opens it; what it gives closes it. `query`: what goes into the address besides the last frame seen. */
export function keepOpen<Frame extends Numbered>(
  api: Api,
  path: string,
  query: Record<string, string>,
  events: Omit<StreamEvents<Frame>, "onRefused">,
): () => void {
  const stream = new ZoneStream<Frame>(
    {
      open: (afterSeq) => openSocket(api.session.token ?? "", path, query, afterSeq),
      setTimer: (run, delayMs) => setTimeout(run, delayMs),
      clearTimer: (timer) => clearTimeout(timer as ReturnType<typeof setTimeout> | undefined),
      random: Math.random,
    },
    {
      ...events,
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

function openSocket(
  token: string,
  path: string,
  query: Record<string, string>,
  afterSeq: number | null,
): Socket {
  const url = new URL(path, location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
  if (afterSeq !== null) url.searchParams.set("after", String(afterSeq));
  const socket = new WebSocket(url, ["telltale.v1", `bearer.${token}`]);
  keepAlive(socket, (run) => {
    const timer = setInterval(run, PING_EVERY_MS);
    return () => clearInterval(timer);
  });
  return socket as unknown as Socket;
}
