// A WebSocket that remembers the frames it got, for devices, gateways and viewers.
import { until } from "./until.ts";

interface NodeWebSocket {
  binaryType: string;
  send(frame: string | Uint8Array<ArrayBuffer>): void;
  close(code?: number): void;
  addEventListener(type: "open" | "error", listener: () => void): void;
  addEventListener(type: "close", listener: (event: { code: number }) => void): void;
  addEventListener(type: "message", listener: (event: { data: unknown }) => void): void;
}
/** The global of Node, whose constructor takes headers, which the DOM's type does not say. */
const Socket = globalThis.WebSocket as unknown as new (
  url: string,
  init: { protocols: string[]; headers: Record<string, string> },
) => NodeWebSocket;

/** Frames of type `F`, in the order they came. */
export class FrameSocket<F extends { type: string }> {
  readonly frames: F[] = [];
  closeCode: number | undefined;
  readonly #socket: NodeWebSocket;

  private constructor(socket: NodeWebSocket) {
    this.#socket = socket;
    socket.addEventListener("message", ({ data }) => this.frames.push(JSON.parse(String(data)) as F));
    socket.addEventListener("close", ({ code }) => {
      this.closeCode = code;
    });
  }

  /** Connects; `protocols` may carry `bearer.<token>` instead of a header. */
  static async open<F extends { type: string }>(
    url: string,
    {
      token,
      protocols = ["telltale.v1"],
      headers = {},
    }: { token?: string; protocols?: string[]; headers?: Record<string, string> },
  ): Promise<FrameSocket<F>> {
    const authorization: Record<string, string> =
      token === undefined ? {} : { authorization: `Bearer ${token}` };
    const socket = new Socket(url.replace(/^http/, "ws"), {
      protocols,
      headers: { ...authorization, ...headers },
    });
    const opened = new FrameSocket<F>(socket);
    await new Promise<void>((resolve, reject) => {
      socket.addEventListener("open", () => resolve());
      socket.addEventListener("error", () => reject(new Error(`${url} does not open`)));
    });
    return opened;
  }

  send(frame: object | string | Uint8Array<ArrayBuffer>): void {
    const isWhole = typeof frame === "string" || frame instanceof Uint8Array;
    this.#socket.send(isWhole ? frame : JSON.stringify(frame));
  }

  /** The first frame of this type that fits, of those that came and those that will. */
  next<T extends F["type"]>(
    type: T,
    fits: (frame: Extract<F, { type: T }>) => boolean = () => true,
  ): Promise<Extract<F, { type: T }>> {
    const isWanted = (frame: F): frame is Extract<F, { type: T }> =>
      frame.type === type && fits(frame as Extract<F, { type: T }>);
    return until(`a frame of type ${type}; came: ${JSON.stringify(this.frames).slice(0, 2_000)}`, () => {
      if (!this.frames.some(isWanted) && this.closeCode !== undefined) {
        throw new Error(`closed with ${this.closeCode} before a frame of type ${type} came`);
      }
      return this.frames.find(isWanted);
    });
  }

  /** Closes and waits for it; gives the code. */
  async close(code?: number): Promise<number> {
    this.#socket.close(code);
    return this.closed();
  }

  closed(): Promise<number> {
    return until("the close of a socket", () => this.closeCode);
  }
}
