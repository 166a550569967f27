// One end of a WebSocket → the answer to its upgrade, for every door that opens one.

const SUBPROTOCOL = "telltale.v1";

/** 101 with `telltale.v1` where the client offers it; a client that offers none is taken too. */
export function switchProtocols(request: Request, webSocket: WebSocket): Response {
  const offered = (request.headers.get("sec-websocket-protocol") ?? "").split(/, */);
  const headers = offered.includes(SUBPROTOCOL) ? { "sec-websocket-protocol": SUBPROTOCOL } : undefined;
  return new Response(null, { status: 101, webSocket, headers });
}
