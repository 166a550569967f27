// Who watches a zone or the fleet: hibernatable WebSockets and server-sent events, each for all of it or for one device.
import {
  afterAnswer,
  afterSending,
  afterSleep,
  type Credit,
  FULL_CREDIT,
  isOverdrawn,
  isToBeWritten,
  UNANSWERED_BYTES_MAX,
} from "../../../core/live/credit.ts";
import { isRevoked } from "../../../core/token/revocation.ts";
import { type AskFrame, viewerFrame } from "../../../schemas/live.ts";
import type { Revocation, TokenLife } from "../../../schemas/token.ts";
import { wallMs } from "../../clock.ts";
import { Problem } from "../../problem.ts";
import { notedToken, TOKEN_ENDED, UNKNOWN } from "../../token-note.ts";
import { LIVE_SUBPROTOCOL, switchProtocols } from "../../upgrade.ts";
import { EventStream } from "./event-stream.ts";
import { LastFrames, type Written } from "./frame-log.ts";

/** PERSISTED: a watcher's attachment, across hibernation. */
interface Attachment {
  device: string | undefined;
  /** When the leases of those who are watched are to be renewed, by the wall clock. */
  renewAt?: number | undefined;
  /** The token it was opened with; absent: not known. */
  token?: TokenLife | undefined;
  /** What it has not acknowledged; absent: from a version that did not ask. */
  credit?: Credit | undefined;
}

/** A WebSocket, and what is kept of it. */
type Viewer = Attachment & { ws: WebSocket; credit: Credit };

/**
 * Frames that pass while a watcher waits for its snapshot; beyond them, or their bytes, the oldest go, for the snapshot is
 * newer anyway. They are half of what a socket may be sent unanswered: nobody is cut for what passed before.
 */
const BACKLOG_FRAMES_MAX = 1_000;
const BACKLOG_BYTES_MAX = UNANSWERED_BYTES_MAX / 2;
const backlog = <F>() => new LastFrames<F>(BACKLOG_FRAMES_MAX, BACKLOG_BYTES_MAX);
/** Each frame is sent to each of them, and each that comes costs a snapshot. */
const SOCKETS_MAX = 1_000;
/** What waits in the way of slow readers lies in the object's memory, up to 1 MB each of 128. */
const EVENT_STREAMS_MAX = 64;
/** Proxies cut what says nothing for a minute or two. */
const COMMENT_EVERY_MS = 20_000;
/** Something is wrong on our side; who connects again is served anew. */
const FAULT = { code: 1011, reason: "this viewer cannot be served: connect again" };
/** It has a megabyte to read that it does not: the runtime does not say what waits for a socket, so it is asked. */
const TOO_SLOW = {
  code: 1013,
  reason: "a frame `ask` was not acknowledged: connect again with the last seq seen",
};
/** More is no acknowledgement. */
const SAID_LENGTH_MAX = 200;

/** `device`: whom it is about; absent: it concerns all who watch. */
export interface Frame {
  type: string;
  seq: number;
  device?: string;
}

/** One who watches. Nothing here throws: who cannot be served is let go. */
export interface Watcher<F extends Frame> {
  /** The one device it watches; undefined: all. */
  device: string | undefined;
  /** Sends a frame at once, past those that wait; to a watcher that has gone, nothing. */
  send(frame: Written<F>): void;
  /** To be called after the first frame: sends those that waited, and from then on each as it comes. */
  ready(): void;
  /** Ends the connection because of a fault of ours; who watches connects again. */
  fail(): void;
}

/**
 * All who watch one zone, or a tenant's fleet: at most 1,000 sockets and 64 event streams. A viewer that cannot be
 * served, whatever is wrong with it, is closed, and costs nobody else anything.
 */
export class ZoneWatchers<F extends Frame> {
  readonly #ctx: DurableObjectState;
  /** Watchers that wait for their first frame, and event streams; sockets that are ready live in the runtime. */
  readonly #waiting = new Map<WebSocket, LastFrames<F>>();
  readonly #streams = new Set<{
    watcher: Watcher<F>;
    events: EventStream;
    waiting: LastFrames<F> | undefined;
    token: TokenLife | undefined;
  }>();
  /** Runs while there is an event stream, which keeps the object awake anyway. */
  #comments: ReturnType<typeof setInterval> | undefined;
  /** What sockets have not acknowledged, as far as it is known since the object woke. */
  readonly #credits = new Map<WebSocket, Credit>();
  #renewAt: number | undefined;
  /** What was revoked, as far as was heard. */
  #revoked: Revocation | undefined;

  constructor(ctx: DurableObjectState) {
    this.#ctx = ctx;
  }

  /**
   * When leases are to be renewed, by the wall clock; undefined: not. Kept with the sockets, which outlast a
   * hibernation.
   */
  get renewAt(): number | undefined {
    this.#renewAt ??= this.#sockets()
      .map(({ renewAt }) => renewAt)
      .find((at) => at !== undefined);
    return this.#renewAt;
  }

  set renewAt(atMs: number | undefined) {
    this.#renewAt = atMs;
    for (const viewer of this.#sockets()) served(viewer.ws, () => keepOf({ ...viewer, renewAt: atMs }));
  }

  /** Ends those whose token has expired or is among `revoked`, now and as they come. */
  endVoid(revoked: Revocation): void {
    this.#revoked = revoked;
    for (const { ws, token } of this.#sockets()) this.#ended(ws, token);
    for (const { events, token } of this.#streams) this.#ended(closing(events), token);
  }

  /** Whether a watcher's token is void, by which it ends: it is shown nothing more. */
  #ended(of: { close(code?: number, reason?: string): void }, token: TokenLife = UNKNOWN): boolean {
    const isVoid = isRevoked(token, this.#revoked);
    if (!isVoid && token.expiresAt > wallMs()) return false;
    of.close(TOKEN_ENDED, isVoid ? "token_revoked" : "token_expired");
    return true;
  }

  /** How many watch; one that we closed does no more, also while its connection lasts. */
  get count(): number {
    return this.#streams.size + this.#ctx.getWebSockets().filter(isOpen).length;
  }

  /** Whether somebody watches this device; without a device, whether anybody watches. */
  watch(device?: string): boolean {
    const watches = (watched: string | undefined) => device === undefined || shows(watched, device);
    for (const { watcher } of this.#streams) if (watches(watcher.device)) return true;
    return this.#sockets().some((socket) => watches(socket.device));
  }

  /** Sends a frame to all it concerns; a watcher that has no first frame yet gets it after that. */
  send(frame: Written<F>): void {
    const { device } = frame.frame;
    for (const socket of this.#sockets()) {
      if (device !== undefined && !shows(socket.device, device)) continue;
      if (this.#ended(socket.ws, socket.token)) continue;
      const waiting = this.#waiting.get(socket.ws);
      if (waiting !== undefined) waiting.keep(frame);
      else this.#tell(socket, frame);
    }
    for (const stream of this.#streams) {
      if (device !== undefined && !shows(stream.watcher.device, device)) continue;
      if (this.#ended(closing(stream.events), stream.token)) continue;
      if (stream.waiting !== undefined) stream.waiting.keep(frame);
      else stream.watcher.send(frame);
    }
  }

  /**
   * Makes a watcher of a request: a WebSocket when it asks for one, else server-sent events. `device`: of this one
   * only.
   * @throws Problem `unavailable`: as many watch as can be served.
   */
  accept(request: Request, device?: string): { watcher: Watcher<F>; response: Response } {
    return request.headers.get("upgrade")?.toLowerCase() === "websocket"
      ? this.#acceptSocket(request, device)
      : this.#acceptEventStream(request, device);
  }

  #acceptSocket(request: Request, device: string | undefined): { watcher: Watcher<F>; response: Response } {
    checkRoom("WebSockets", this.#ctx.getWebSockets().length, SOCKETS_MAX);
    const { renewAt } = this;
    const { 0: client, 1: server } = new WebSocketPair();
    // First what is known of it, which has to fit: a socket without would be nobody's.
    const token = notedToken(request);
    server.serializeAttachment({ device, renewAt, token } satisfies Attachment);
    this.#ctx.acceptWebSocket(server);
    this.#ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair("ping", "pong"));
    this.#waiting.set(server, backlog());
    this.#credits.set(server, FULL_CREDIT);
    this.#ended(server, token);
    const watcher: Watcher<F> = {
      device,
      send: (frame) => served(server, () => this.#tell(this.#viewer(server), frame)),
      ready: () => {
        const frames = this.#waiting.get(server)?.frames ?? [];
        this.#waiting.delete(server);
        for (const frame of frames) watcher.send(frame);
      },
      fail: () => {
        this.#waiting.delete(server);
        close(server);
      },
    };
    return { watcher, response: switchProtocols(request, client, LIVE_SUBPROTOCOL) };
  }

  #acceptEventStream(
    request: Request,
    device: string | undefined,
  ): { watcher: Watcher<F>; response: Response } {
    checkRoom("event streams", this.#streams.size, EVENT_STREAMS_MAX);
    const events = new EventStream(() => {
      this.#streams.delete(stream);
      if (this.#streams.size > 0) return;
      clearInterval(this.#comments);
      this.#comments = undefined;
    });
    const watcher: Watcher<F> = {
      device,
      send: (frame) => events.send(frame),
      ready: () => {
        const frames = stream.waiting?.frames ?? [];
        stream.waiting = undefined;
        for (const frame of frames) watcher.send(frame);
      },
      fail: () => events.end(),
    };
    const token = notedToken(request);
    const stream = { watcher, events, waiting: backlog<F>() as LastFrames<F> | undefined, token };
    this.#streams.add(stream);
    this.#comments ??= setInterval(() => {
      for (const { events: each } of this.#streams) each.comment();
    }, COMMENT_EVERY_MS);
    this.#ended(closing(events), token);
    const headers = { "content-type": "text/event-stream", "cache-control": "no-store" };
    return { watcher, response: new Response(events.body, { headers }) };
  }

  /** Takes what a viewer says: that it has received what it was asked about. Anything else is ignored. */
  heard(ws: WebSocket, said: string | ArrayBuffer): void {
    const seq = acknowledged(said);
    if (seq === undefined) return;
    served(ws, () => {
      const viewer = this.#viewer(ws);
      const credit = afterAnswer(viewer.credit, seq);
      this.#credits.set(ws, credit);
      keepOf({ ...viewer, credit });
    });
  }

  /** Drops a socket that has closed. */
  forget(ws: WebSocket): void {
    this.#waiting.delete(ws);
    this.#credits.delete(ws);
  }

  /**
   * Sends a frame to a viewer, and asks it to acknowledge when that is due; one that was asked and did not answer, while a
   * megabyte more was sent, is closed.
   */
  #tell(viewer: Viewer, { frame: { seq }, text, bytes }: Written<F>): void {
    const { ws, credit } = viewer;
    if (!isOpen(ws)) return;
    served(ws, () => {
      if (isOverdrawn(credit, bytes)) {
        ws.close(TOO_SLOW.code, TOO_SLOW.reason);
        return;
      }
      ws.send(text);
      const owed = afterSending(credit, { bytes, seq });
      if (owed.askedSeq === seq) ws.send(JSON.stringify({ type: "ask", seq } satisfies AskFrame));
      if (!this.#credits.has(ws) || isToBeWritten(credit, owed)) keepOf({ ...viewer, credit: owed });
      this.#credits.set(ws, owed);
    });
  }

  /** @throws Error: what is kept of it is not what we write. */
  #viewer(ws: WebSocket): Viewer {
    const attachment = attachmentOf(ws);
    return { ...attachment, ws, credit: this.#credits.get(ws) ?? afterSleep(attachment.credit) };
  }

  /** The open sockets, and whom each watches; one whose attachment is not what we write is closed. */
  #sockets(): Viewer[] {
    return this.#ctx
      .getWebSockets()
      .filter(isOpen)
      .flatMap((ws) => served(ws, () => this.#viewer(ws)) ?? []);
  }
}

/** Resolves when a watcher has its first frames, or could not be given them: then it is let go. Never fails. */
export async function welcomed<F extends Frame>(watcher: Watcher<F>, welcome: Promise<void>): Promise<void> {
  try {
    await welcome;
  } catch (error) {
    console.error("a viewer got no snapshot", String(error));
    watcher.fail();
  }
}

/** Whether a watcher of `watched` (undefined: of all) sees the frames of `device`. */
export const shows = (watched: string | undefined, device: string) =>
  watched === undefined || watched === device;

/** @throws Error: there is none, or it is none of ours. */
function attachmentOf(ws: WebSocket): Attachment {
  const read = ws.deserializeAttachment() as Partial<Attachment> | null;
  const isOurs = (value: unknown, type: string) => value === undefined || typeof value === type;
  if (typeof read !== "object" || read === null) throw new Error("a viewer without attachment");
  if (!isOurs(read.device, "string") || !isOurs(read.renewAt, "number"))
    throw new Error("a viewer with an odd attachment");
  if (!isOurs(read.token, "object")) throw new Error("a viewer with an odd token");
  if (read.credit !== undefined && typeof read.credit?.bytes !== "number")
    throw new Error("a viewer of odd credit");
  return { device: read.device, renewAt: read.renewAt, token: read.token, credit: read.credit };
}

/** An event stream as what can be closed. */
const closing = (events: EventStream) => ({ close: () => events.end() });

/** Returns what `serve` does for one viewer; undefined: it failed, and the viewer is closed. Never throws. */
function served<T>(ws: WebSocket, serve: () => T): T | undefined {
  try {
    return serve();
  } catch (error) {
    console.error("a viewer cannot be served", String(error));
    close(ws);
    return undefined;
  }
}

const isOpen = ({ readyState }: WebSocket) => readyState === WebSocket.OPEN;

function close(ws: WebSocket): void {
  try {
    ws.close(FAULT.code, FAULT.reason);
  } catch {
    // It has gone already.
  }
}

function checkRoom(what: string, open: number, most: number): void {
  if (open < most) return;
  throw new Problem(
    "unavailable",
    `${open} ${what} watch here already, and ${most} are served at once: close one, or ask for the snapshot`,
  );
}

function keepOf({ ws, ...attachment }: Viewer): void {
  ws.serializeAttachment(attachment satisfies Attachment);
}

/** Returns the number that a viewer acknowledges; undefined: it says something else. */
function acknowledged(said: string | ArrayBuffer): number | undefined {
  if (typeof said !== "string" || said.length > SAID_LENGTH_MAX) return undefined;
  try {
    return viewerFrame.safeParse(JSON.parse(said)).data?.seq;
  } catch {
    return undefined;
  }
}
