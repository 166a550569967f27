// The global WebSocket of Node, whose constructor takes headers, as narrow as it is used.

interface NodeWebSocket {
  readonly readyState: number;
  send(frame: string): void;
  close(code?: number): void;
  addEventListener(type: "open" | "close" | "error", listener: () => void): void;
  addEventListener(type: "message", listener: (event: { data: unknown }) => void): void;
}
type NodeWebSocketConstructor = new (
  url: string,
  init: { protocols: string[]; headers: Record<string, string> },
) => NodeWebSocket;

export interface ClientSocket extends Pick<NodeWebSocket, "close" | "addEventListener"> {
  sendIfOpen(frame: string): void;
}

const OPEN = 1;

/** Starts connecting to `GET /v1/connect`; `url` may be http(s) or ws(s). */
export function openClientSocket(
  url: string,
  token: string,
  headers: Record<string, string> = {},
): ClientSocket {
  const Socket = globalThis.WebSocket as unknown as NodeWebSocketConstructor;
  const socket = new Socket(url.replace(/^http/, "ws"), {
    protocols: ["telltale.v1"],
    headers: { authorization: `Bearer ${token}`, ...headers },
  });
  return {
    sendIfOpen: (frame) => {
      if (socket.readyState === OPEN) socket.send(frame);
    },
    close: (code) => socket.close(code),
    addEventListener: socket.addEventListener.bind(socket) as ClientSocket["addEventListener"],
  };
}
