// Who watches a zone or the fleet: hibernatable WebSockets and server-sent events, each for all of it or for one device.
import { switchProtocols } from "../upgrade.ts";

/** PERSISTED: a watcher's attachment, across hibernation. */
interface Attachment {
  device: string | undefined;
  /** When the leases of those who are watched are to be renewed, by the wall clock. */
  renewAt?: number | undefined;
}

/** Frames that pass while a watcher waits for its snapshot; beyond it the oldest go, for the snapshot is newer anyway. */
const BACKLOG_FRAMES_MAX = 1_000;
/** Bytes an event stream may have waiting in a slow reader's way before the stream is cut; it comes back with its last id. */
const EVENT_STREAM_BYTES_MAX = 1_000_000;

/** `device`: whom it is about; absent: it concerns all who watch. */
export interface Frame {
  type: string;
  seq: number;
  device?: string;
}

export interface Watcher<F extends Frame> {
  device: string | undefined;
  send(frame: F): void;
  /** The first frame has been sent: from now on frames go out as they come. */
  ready(): void;
}

export class ZoneWatchers<F extends Frame> {
  readonly #ctx: DurableObjectState;
  /** Watchers that wait for their first frame, and event streams; sockets that are ready live in the runtime. */
  readonly #waiting = new Map<WebSocket, F[]>();
  readonly #streams = new Set<{ watcher: Watcher<F>; waiting: F[] | undefined }>();
  #renewAt: number | undefined;

  constructor(ctx: DurableObjectState) {
    this.#ctx = ctx;
  }

  /** When leases are to be renewed; kept with the sockets, for only they outlast a hibernation. */
  get renewAt(): number | undefined {
    this.#renewAt ??= this.#ctx
      .getWebSockets()
      .map((ws) => attachmentOf(ws).renewAt)
      .find((at) => at !== undefined);
    return this.#renewAt;
  }

  set renewAt(atMs: number | undefined) {
    this.#renewAt = atMs;
    for (const ws of this.#ctx.getWebSockets()) {
      ws.serializeAttachment({ ...attachmentOf(ws), renewAt: atMs } satisfies Attachment);
    }
  }

  /** True when somebody watches this device; without one, when anybody watches. */
  watch(device?: string): boolean {
    const watches = (watched: string | undefined) => device === undefined || shows(watched, device);
    for (const { watcher } of this.#streams) if (watches(watcher.device)) return true;
    return this.#ctx.getWebSockets().some((ws) => watches(attachmentOf(ws).device));
  }

  send(frame: F): void {
    const { device } = frame;
    const text = JSON.stringify(frame);
    for (const ws of this.#ctx.getWebSockets()) {
      if (device !== undefined && !shows(attachmentOf(ws).device, device)) continue;
      const waiting = this.#waiting.get(ws);
      if (waiting !== undefined) keep(waiting, frame);
      else sendText(ws, text);
    }
    for (const stream of this.#streams) {
      if (device !== undefined && !shows(stream.watcher.device, device)) continue;
      if (stream.waiting !== undefined) keep(stream.waiting, frame);
      else stream.watcher.send(frame);
    }
  }

  /** A WebSocket when the request asks for one, else server-sent events. */
  accept(request: Request, device?: string): { watcher: Watcher<F>; response: Response } {
    return request.headers.get("upgrade")?.toLowerCase() === "websocket"
      ? this.#acceptSocket(request, device)
      : this.#acceptEventStream(device);
  }

  #acceptSocket(request: Request, device: string | undefined): { watcher: Watcher<F>; response: Response } {
    const { renewAt } = this;
    const { 0: client, 1: server } = new WebSocketPair();
    this.#ctx.acceptWebSocket(server);
    this.#ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair("ping", "pong"));
    server.serializeAttachment({ device, renewAt } satisfies Attachment);
    this.#waiting.set(server, []);
    const watcher: Watcher<F> = {
      device,
      send: (frame) => sendText(server, JSON.stringify(frame)),
      ready: () => {
        const frames = this.#waiting.get(server) ?? [];
        this.#waiting.delete(server);
        for (const frame of frames) watcher.send(frame);
      },
    };
    return { watcher, response: switchProtocols(request, client) };
  }

  #acceptEventStream(device: string | undefined): { watcher: Watcher<F>; response: Response } {
    const encoder = new TextEncoder();
    let controller: ReadableStreamDefaultController<Uint8Array>;
    const end = () => this.#streams.delete(stream);
    const body = new ReadableStream<Uint8Array>(
      {
        start: (started) => {
          controller = started;
        },
        cancel: () => void end(),
      },
      new ByteLengthQueuingStrategy({ highWaterMark: EVENT_STREAM_BYTES_MAX }),
    );
    const watcher: Watcher<F> = {
      device,
      send: (frame) => {
        const text = `id: ${frame.seq}\nevent: ${frame.type}\ndata: ${JSON.stringify(frame)}\n\n`;
        try {
          if ((controller.desiredSize ?? 0) <= 0) {
            end();
            controller.close();
          } else controller.enqueue(encoder.encode(text));
        } catch {
          end();
        }
      },
      ready: () => {
        const frames = stream.waiting ?? [];
        stream.waiting = undefined;
        for (const frame of frames) watcher.send(frame);
      },
    };
    const stream: { watcher: Watcher<F>; waiting: F[] | undefined } = { watcher, waiting: [] };
    this.#streams.add(stream);
    const headers = { "content-type": "text/event-stream", "cache-control": "no-store" };
    return { watcher, response: new Response(body, { headers }) };
  }

  forget(ws: WebSocket): void {
    this.#waiting.delete(ws);
  }
}

/** Whether who watches `watched` (undefined: the whole zone) sees the frames of `device`. */
export const shows = (watched: string | undefined, device: string) =>
  watched === undefined || watched === device;
const attachmentOf = (ws: WebSocket) => ws.deserializeAttachment() as Attachment;

function keep<F>(waiting: F[], frame: F): void {
  waiting.push(frame);
  if (waiting.length > BACKLOG_FRAMES_MAX) waiting.shift();
}

function sendText(ws: WebSocket, text: string): void {
  if (ws.readyState === WebSocket.OPEN) ws.send(text);
}
