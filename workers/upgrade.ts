// One end of a WebSocket → the answer to its upgrade, for every door that opens one.
import { chooseCodec } from "../core/decode/device-codec.ts";

/** What the streams for viewers speak, whatever else devices may: JSON text. */
export const LIVE_SUBPROTOCOL = "telltale.v1";

const offered = (request: Request): string[] =>
  (request.headers.get("sec-websocket-protocol") ?? "").split(",").map((name) => name.trim());

/**
 * Returns the codec a client's upgrade asks for; `isOffered`: the client named its subprotocol, else it is the
 * default.
 */
export const codecFor = (request: Request) => chooseCodec(offered(request));

/**
 * Returns the 101 for one end of a WebSocket, with a subprotocol we speak where the client offers one; it need not.
 * @param spoken the only subprotocol that is spoken here; absent: what devices may choose from
 */
export function switchProtocols(request: Request, webSocket: WebSocket, spoken?: string): Response {
  const { codec, isOffered } = codecFor(request);
  const ofDevices = isOffered ? codec.subprotocol : undefined;
  const ofStream = offered(request).find((name) => name === spoken);
  const agreed = spoken === undefined ? ofDevices : ofStream;
  const headers = agreed === undefined ? undefined : { "sec-websocket-protocol": agreed };
  return new Response(null, { status: 101, webSocket, headers });
}
