// A WebSocket that says something now and then, so that no proxy takes it for dead.

/** Proxies cut what says nothing for a minute or two. */
export const PING_EVERY_MS = 30_000;

/** The part of a WebSocket used here. */
export interface Pinged {
  send(text: string): void;
  addEventListener(type: "open" | "close", listener: () => void): void;
}

/**
 * Sends `ping` as the socket opens, and again and again while it is open; the server's `pong` wakes no object. A
 * server that closes a socket which never said anything leaves it half closed for ten seconds, so the
 * first comes at once.
 * @param repeat runs what it is given each PING_EVERY_MS; what it returns ends that
 */
export function keepAlive(socket: Pinged, repeat: (run: () => void) => () => void): void {
  const ping = () => socket.send("ping");
  let stop = () => {};
  socket.addEventListener("open", () => {
    ping();
    stop = repeat(ping);
  });
  socket.addEventListener("close", () => stop());
}
