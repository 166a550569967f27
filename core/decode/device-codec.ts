// The subprotocol a device's socket was opened with → how its messages are read and written.
import type { ServerFrame } from "../../schemas/reading.ts";
import { type DecodedFrame, decodeFrame } from "./device-frame.ts";

/** One protocol over a device's socket. Everything else about the socket — holding, acknowledging, committing — is the same. */
export interface DeviceCodec {
  /** The name of the protocol, as in `Sec-WebSocket-Protocol`. */
  readonly subprotocol: string;
  /**
   * Decodes one message. `nowOf` returns the receipt time, epoch ms, from what the message says of it. Never throws:
   * what is wrong with a message is a frame too.
   */
  decode(message: string | ArrayBuffer, nowOf: (clockMs: unknown) => number): DecodedFrame;
  /**
   * Returns the message that carries a frame to the device: an acknowledgement, a problem, or the request to slow
   * down.
   */
  encode(frame: ServerFrame): string | ArrayBuffer;
}

const telltaleV1: DeviceCodec = {
  subprotocol: "telltale.v1",
  decode: decodeFrame,
  encode: (frame) => JSON.stringify(frame),
};

/** The codecs in the order of preference; a client that offers none of them is spoken to in the first. */
const CODECS: readonly DeviceCodec[] = [telltaleV1];

/**
 * Returns the codec for a client that offers these subprotocols. `isOffered` says that it is one of them, and has to
 * be agreed to.
 */
export function chooseCodec(offered: readonly string[]): { codec: DeviceCodec; isOffered: boolean } {
  const codec = CODECS.find(({ subprotocol }) => offered.includes(subprotocol));
  return { codec: codec ?? telltaleV1, isOffered: codec !== undefined };
}

/** Returns the codec of a socket that was opened with this subprotocol; the first codec for one that noted none. */
export const codecOf = (subprotocol: string | undefined): DeviceCodec =>
  CODECS.find((codec) => codec.subprotocol === subprotocol) ?? telltaleV1;
