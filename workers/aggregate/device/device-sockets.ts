// A device's WebSockets: what each holds unacknowledged rides in its attachment, which survives hibernation.
import type { CheckedReport } from "../../../core/decode/check-report.ts";
import { codecOf, type DeviceCodec } from "../../../core/decode/device-codec.ts";
import type { DecodedFrame } from "../../../core/decode/device-frame.ts";
import { ReportPacker } from "../../../core/report/pack.ts";
import { named } from "../../../core/verdicts.ts";
import { COMMIT_EVERY_MS_MAX, SLOW_FRAMES_MAX } from "../../../schemas/limits.ts";
import type { BlockReceipt, PackedReports, Verdicts } from "../../../schemas/message.ts";
import type { ServerFrame } from "../../../schemas/reading.ts";
import type { TokenLife } from "../../../schemas/token.ts";
import { wallMs } from "../../clock.ts";

/** Cloudflare allows 16,384 bytes (workers docs, WebSocket API, 2026-11); names and framing need the rest. */
const HELD_BYTES_MAX = 14_000;
/** What a confirmation takes of it, at most. */
const CONFIRMED_BYTES = 80;
/** Confirmations an attachment carries to the next commit; what is more is confirmed again after it is sent again. */
const CONFIRMED_MAX = 20;
/** A device that reconnects without closing leaves sockets behind; the oldest goes. */
const SOCKETS_MAX = 4;
const UNREADABLE = {
  code: 1011,
  reason: "what this socket holds cannot be read: connect again and resend what was not acknowledged",
};

/** The shortest time for which a device is told to slow down: what it had sent before it heard of it has come by then. */
const SLOW_MS_MIN = 1_000;

/** PERSISTED: across hibernation and deploys, as the socket's attachment. New fields are optional. */
interface Attachment {
  version: 1;
  commitEveryMs: number;
  /** What it speaks; absent: telltale.v1. */
  subprotocol?: string;
  /** When it was accepted, by the wall clock. */
  acceptedAt?: number;
  /** The token it was opened with; absent: not known, and it does not end. */
  token?: TokenLife;
  /** What the local run's clock differed from the wall clock when the socket last said what time it is. */
  clockOffsetMs: number;
  /** Highest seq received. */
  seq: number;
  /** Readings refused at the door since the last acknowledgement. */
  refused: number;
  /** Readings held that came beyond the rate; absent: none. */
  thinned?: number;
  heldSince: number | null;
  held: PackedReports | null;
  /** Blocks that storage confirmed while the object had nothing else to write. */
  confirmed: BlockReceipt[];
  /** Until when nothing is taken, by the wall clock, and how many frames came all the same; absent: all is taken. */
  slow?: { untilMs: number; frames: number };
}

/** What a socket is opened with. */
export interface Opening {
  commitEveryMs: number;
  /** What the local run's clock differs from the wall clock. */
  clockOffsetMs: number;
  subprotocol: string;
  /** The token it was opened with, where that is known. */
  token?: TokenLife;
}

/** One connected socket and what it holds. */
export class DeviceSocket {
  readonly #ws: WebSocket;
  #attachment: Attachment;
  #packer: ReportPacker | undefined;
  readonly #codec: DeviceCodec;
  /** Until when the device knows that it is to send no more; a hibernation forgets it, and it is told again. */
  #warnedUntilMs = 0;

  /**
   * @param fresh what a socket is opened with; absent: it was accepted before, and its attachment says so
   * @throws Error when that is missing, or none of ours, or what is new does not fit
   */
  constructor(ws: WebSocket, fresh?: Opening) {
    this.#ws = ws;
    this.#codec = codecOf(fresh?.subprotocol);
    if (fresh === undefined) {
      const read = ws.deserializeAttachment() as Partial<Attachment> | null;
      if (read?.version !== 1 || !Array.isArray(read.confirmed)) throw new Error("no attachment of ours");
      this.#attachment = read as Attachment;
      this.#codec = codecOf(this.#attachment.subprotocol);
      if (this.#attachment.held !== null) this.#packer = new ReportPacker(this.#attachment.held);
    } else {
      this.#attachment = {
        version: 1,
        ...fresh,
        acceptedAt: wallMs(),
        seq: -1,
        refused: 0,
        heldSince: null,
        held: null,
        confirmed: [],
      };
      this.keep();
    }
  }

  /** When the socket was accepted, by the wall clock; 0: not known. */
  get acceptedAt(): number {
    return this.#attachment.acceptedAt ?? 0;
  }

  /** The token it was opened with; undefined: not known. */
  get token(): TokenLife | undefined {
    return this.#attachment.token;
  }

  /** Whether anything it sends may be taken. */
  get isOpen(): boolean {
    return this.#ws.readyState === WebSocket.OPEN;
  }

  /** Closes the socket; what it holds stays held. */
  close(code: number, reason: string): void {
    this.#ws.close(code, reason);
  }

  /**
   * The receipt time, epoch ms. `saidMs`, what a local run's device says it is, holds from then on; `keep` writes it
   * down.
   */
  now(saidMs?: number): number {
    const wall = wallMs();
    if (saidMs !== undefined) this.#attachment.clockOffsetMs = saidMs - wall;
    return wall + this.#attachment.clockOffsetMs;
  }

  /** Blocks that storage confirmed since the last commit. */
  get confirmed(): BlockReceipt[] {
    return this.#attachment.confirmed;
  }

  /**
   * Holds a report until `settle` acknowledges it; undefined: all of it was refused. `refused` counts readings;
   * `isExcess`: it came beyond the device's rate and is thinned.
   */
  hold(
    seq: number,
    receivedAt: number,
    report: CheckedReport | undefined,
    { refused, isExcess }: { refused: number; isExcess: boolean },
  ): void {
    const attachment = this.#attachment;
    attachment.seq = Math.max(attachment.seq, seq);
    attachment.refused += refused;
    attachment.heldSince ??= receivedAt;
    if (report === undefined) return;
    this.#packer ??= new ReportPacker();
    this.#packer.add(seq, report.at, receivedAt, report.names, report.values, isExcess);
    if (isExcess) attachment.thinned = (attachment.thinned ?? 0) + report.values.length;
  }

  /** Whether reports wait for their acknowledgement. */
  get isHolding(): boolean {
    return this.#attachment.heldSince !== null;
  }

  /**
   * Whether what is held must be committed at `now`, by the receipt clock: it is old, or too long for the attachment.
   */
  isDue(now: number): boolean {
    const { commitEveryMs, heldSince } = this.#attachment;
    if (heldSince === null) return false;
    return now - heldSince >= commitEveryMs || this.#heldBytes() > HELD_BYTES_MAX;
  }

  /** Writes the attachment, so that a hibernation loses nothing of what the socket holds. */
  keep(): void {
    this.#attachment.held = this.#packer?.finish() ?? null;
    this.#ws.serializeAttachment(this.#attachment);
  }

  /**
   * Keeps confirmations in the attachment until the next commit. Returns false, and keeps none, when they do not fit.
   */
  noteConfirmed(stored: readonly BlockReceipt[]): boolean {
    const { confirmed } = this.#attachment;
    if (confirmed.length + stored.length > CONFIRMED_MAX) return false;
    if (this.#heldBytes() + stored.length * CONFIRMED_BYTES > HELD_BYTES_MAX) return false;
    confirmed.push(...stored);
    this.keep();
    return true;
  }

  /** Drops the confirmations kept, which a commit has written. */
  forgetConfirmed(): void {
    if (this.#attachment.confirmed.length === 0) return;
    this.#attachment.confirmed = [];
    this.keep();
  }

  /** For how long nothing is taken yet, because the device was told to slow down; 0: frames are taken. */
  slowForMs(wallMs: number): number {
    return Math.max(0, (this.#attachment.slow?.untilMs ?? 0) - wallMs);
  }

  /**
   * Refuses a frame that came too fast: tells the device to slow down, and takes nothing for that long, so that what
   * follows at once is not acknowledged over its head. A device that goes on all the same is cut off. Returns how many
   * readings were refused; they count in the next acknowledgement.
   */
  refuse(frame: DecodedFrame, waitMs: number, wallMs: number): number {
    const attachment = this.#attachment;
    const isFirst = attachment.slow === undefined;
    const retryAfterMs = isFirst ? Math.max(waitMs, SLOW_MS_MIN) : waitMs;
    const frames = (attachment.slow?.frames ?? 0) + 1;
    attachment.slow = { untilMs: wallMs + retryAfterMs, frames };
    const seq = seqOf(frame);
    const readings = readingsOf(frame);
    attachment.refused += readings;
    this.keep();
    this.send({ type: "slow", ...(seq === undefined ? {} : { seq }), retryAfterMs });
    if (frames > SLOW_FRAMES_MAX)
      this.close(1013, "too many reports: connect again later and resend what was not acknowledged");
    return readings;
  }

  /** Asks the device to send no more for so long, once for that time; what it sends all the same is taken. 0: does not. */
  warn(retryAfterMs: number, wallMs: number): void {
    if (retryAfterMs === 0 || wallMs < this.#warnedUntilMs) return;
    this.#warnedUntilMs = wallMs + retryAfterMs;
    this.send({ type: "slow", retryAfterMs });
  }

  /** Takes frames again. */
  goOn(): void {
    delete this.#attachment.slow;
  }

  /** The reports held; none when all were refused at the door. */
  held(): PackedReports {
    return (this.#packer ?? new ReportPacker()).finish();
  }

  /**
   * Acknowledges what was held and lets go of it. To be called after the commit: the output gate holds the frames
   * until it is durable.
   */
  settle(verdicts: Verdicts): void {
    const attachment = this.#attachment;
    for (const problem of verdicts.problems)
      this.send({ type: "problem", seq: problem.index, ...problem, index: 0 });
    const counts = named(verdicts.counts);
    counts.refused += attachment.refused;
    const { thinned } = attachment;
    this.send({ type: "ack", seq: attachment.seq, ...counts, ...(thinned === undefined ? {} : { thinned }) });
    this.drop();
  }

  /** Lets go of what is held without acknowledging it. */
  drop(): void {
    this.#packer = undefined;
    const { thinned: _, ...kept } = this.#attachment;
    this.#attachment = { ...kept, refused: 0, heldSince: null, held: null, confirmed: [] };
    this.keep();
  }

  /** Decodes one message by the socket's protocol; a bad one is a frame of type `invalid`. */
  decode(message: string | ArrayBuffer, nowOf: (clockMs: unknown) => number): DecodedFrame {
    return this.#codec.decode(message, nowOf);
  }

  /** Sends a frame; to a socket that is not open, nothing. Never throws: a commit is not undone by who does not hear of it. */
  send(frame: ServerFrame): void {
    try {
      if (this.#ws.readyState === WebSocket.OPEN) this.#ws.send(this.#codec.encode(frame));
    } catch (error) {
      console.warn("a frame was not sent", String(error));
    }
  }

  #heldBytes(): number {
    const packer = this.#packer;
    const confirmed = this.#attachment.confirmed.length * CONFIRMED_BYTES;
    if (packer === undefined) return confirmed;
    const names = packer.names.reduce((sum, name) => sum + 3 * name.length + 8, 0);
    const shapes = packer.shapes.reduce((sum, shape) => sum + 4 * shape.length + 16, 0);
    return confirmed + packer.byteLength + names + shapes;
  }
}

/** Returns how many readings a frame has, those refused at the door too. */
export const readingsOf = (frame: DecodedFrame): number =>
  frame.type === "report" ? (frame.report?.values.length ?? 0) + frame.refused : 0;

/** The seq of a frame, where it has one. */
const seqOf = (frame: DecodedFrame): number | undefined =>
  frame.type === "report" ? frame.seq : frame.type === "invalid" ? frame.problem.seq : undefined;

/** Every socket of an object, found again after a hibernation. */
export class DeviceSockets {
  readonly #ctx: DurableObjectState;
  readonly #known = new Map<WebSocket, DeviceSocket>();

  constructor(ctx: DurableObjectState) {
    this.#ctx = ctx;
  }

  /** Accepts one end of a new pair, hibernatable; the oldest socket goes when there are too many. */
  accept(ws: WebSocket, opening: Opening): void {
    // The platform lists them in no order it promises (2026-11: newest first).
    const open = this.#ctx
      .getWebSockets()
      .flatMap((other) => this.of(other) ?? [])
      .toReversed();
    const byAge = open.sort((a, b) => a.acceptedAt - b.acceptedAt);
    for (const old of byAge.slice(0, Math.max(0, open.length + 1 - SOCKETS_MAX)))
      old.close(4001, "too many sockets of one device");
    // First its attachment: a socket without would be nobody's.
    const socket = new DeviceSocket(ws, {
      ...opening,
      commitEveryMs: Math.min(opening.commitEveryMs, COMMIT_EVERY_MS_MAX),
    });
    this.#ctx.acceptWebSocket(ws);
    // Pings are answered without waking the object.
    this.#ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair("ping", "pong"));
    this.#known.set(ws, socket);
  }

  /**
   * The socket's DeviceSocket, made from its attachment after a hibernation. Undefined: that cannot be read, and the
   * socket is closed; what it held was not acknowledged.
   */
  of(ws: WebSocket): DeviceSocket | undefined {
    const known = this.#known.get(ws);
    if (known !== undefined) return known;
    try {
      const socket = new DeviceSocket(ws);
      this.#known.set(ws, socket);
      return socket;
    } catch (error) {
      console.error("a device's socket cannot be read", String(error));
      if (ws.readyState === WebSocket.OPEN) ws.close(UNREADABLE.code, UNREADABLE.reason);
      return undefined;
    }
  }

  /** The open sockets, and closing ones until `forget`: what they hold is still to be committed. */
  all(): DeviceSocket[] {
    for (const ws of this.#ctx.getWebSockets()) this.of(ws);
    return [...this.#known.values()];
  }

  /** The number of open sockets other than `leaving`. */
  count(leaving?: WebSocket): number {
    return this.#ctx.getWebSockets().filter((ws) => ws !== leaving && ws.readyState === WebSocket.OPEN)
      .length;
  }

  /** Closes every socket; what they hold is dropped unacknowledged. */
  closeAll(code: number, reason: string): void {
    for (const socket of this.all()) {
      socket.drop();
      socket.close(code, reason);
    }
    this.#known.clear();
  }

  /** Drops a socket that has closed. */
  forget(ws: WebSocket): void {
    this.#known.delete(ws);
  }
}
