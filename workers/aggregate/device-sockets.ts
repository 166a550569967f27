// A device's WebSockets: what each holds unacknowledged rides in its attachment, which survives hibernation.
import type { CheckedReport } from "../../core/decode/check-report.ts";
import { ReportPacker } from "../../core/report/pack.ts";
import { COMMIT_EVERY_MS_MAX } from "../../schemas/limits.ts";
import type { BlockReceipt, PackedReports, Verdicts } from "../../schemas/message.ts";
import type { ServerFrame } from "../../schemas/reading.ts";
import { wallMs } from "../clock.ts";

/** Cloudflare allows 16,384 bytes (workers docs, WebSocket API, 2026-11); names and framing need the rest. */
const HELD_BYTES_MAX = 14_000;
/** Confirmations an attachment carries to the next commit; what is more is confirmed again after it is sent again. */
const CONFIRMED_MAX = 20;
/** A device that reconnects without closing leaves sockets behind; the oldest goes. */
const SOCKETS_MAX = 4;

/** PERSISTED: across hibernation and deploys, as the socket's attachment. New fields are optional. */
interface Attachment {
  version: 1;
  commitEveryMs: number;
  /** When it was accepted, by the wall clock. */
  acceptedAt?: number;
  /** What the local run's clock differed from the wall clock when the socket last said what time it is. */
  clockOffsetMs: number;
  /** Highest seq received. */
  seq: number;
  /** Readings refused at the door since the last acknowledgement. */
  refused: number;
  heldSince: number | null;
  held: PackedReports | null;
  /** Blocks that storage confirmed while the object had nothing else to write. */
  confirmed: BlockReceipt[];
}

/** One connected socket and what it holds. */
export class DeviceSocket {
  readonly #ws: WebSocket;
  #attachment: Attachment;
  #packer: ReportPacker | undefined;

  constructor(ws: WebSocket, fresh?: { commitEveryMs: number; clockOffsetMs: number }) {
    this.#ws = ws;
    if (fresh === undefined) {
      this.#attachment = ws.deserializeAttachment() as Attachment;
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

  get acceptedAt(): number {
    return this.#attachment.acceptedAt ?? 0;
  }

  close(code: number, reason: string): void {
    this.#ws.close(code, reason);
  }

  /** Now, by the clock of a local run when the device said what time it is. Written down with what is held next. */
  now(saidMs?: number): number {
    const wall = wallMs();
    if (saidMs !== undefined) this.#attachment.clockOffsetMs = saidMs - wall;
    return wall + this.#attachment.clockOffsetMs;
  }

  get confirmed(): BlockReceipt[] {
    return this.#attachment.confirmed;
  }

  /** Takes a report in; it is not acknowledged before `settle`. */
  hold(seq: number, receivedAt: number, report: CheckedReport | undefined, refused: number): void {
    const attachment = this.#attachment;
    attachment.seq = Math.max(attachment.seq, seq);
    attachment.refused += refused;
    attachment.heldSince ??= receivedAt;
    if (report === undefined) return;
    this.#packer ??= new ReportPacker();
    this.#packer.add(seq, report.at, receivedAt, report.names, report.values);
  }

  /** True when reports wait for their acknowledgement. */
  get isHolding(): boolean {
    return this.#attachment.heldSince !== null;
  }

  /** True when what is held has to be committed now: by age, or because the attachment would not take it. */
  isDue(now: number): boolean {
    const { commitEveryMs, heldSince } = this.#attachment;
    if (heldSince === null) return false;
    return now - heldSince >= commitEveryMs || this.#heldBytes() > HELD_BYTES_MAX;
  }

  /** Writes the attachment, so that a hibernation loses nothing. */
  keep(): void {
    this.#attachment.held = this.#packer?.finish() ?? null;
    this.#ws.serializeAttachment(this.#attachment);
  }

  /** Carries confirmations to the next commit; false when they do not fit. */
  noteConfirmed(stored: readonly BlockReceipt[]): boolean {
    const { confirmed } = this.#attachment;
    if (confirmed.length + stored.length > CONFIRMED_MAX) return false;
    confirmed.push(...stored);
    this.keep();
    return true;
  }

  /** After a commit: the row has them. */
  forgetConfirmed(): void {
    if (this.#attachment.confirmed.length === 0) return;
    this.#attachment.confirmed = [];
    this.keep();
  }

  /** The reports held, none when every one of them was refused at the door. */
  held(): PackedReports {
    return (this.#packer ?? new ReportPacker()).finish();
  }

  /** After the commit: tells the device its verdicts and forgets what was held. The output gate holds the frames until the row is durable. */
  settle(verdicts: Verdicts): void {
    const attachment = this.#attachment;
    for (const problem of verdicts.problems)
      this.send({ type: "problem", seq: problem.index, ...problem, index: 0 });
    const [stored, duplicate, corrected, late, quarantined, refused] = verdicts.counts as [
      number,
      number,
      number,
      number,
      number,
      number,
    ];
    const counts = { stored, duplicate, corrected, late, quarantined, refused: refused + attachment.refused };
    this.send({ type: "ack", seq: attachment.seq, ...counts });
    this.#packer = undefined;
    this.#attachment = { ...attachment, refused: 0, heldSince: null, held: null, confirmed: [] };
    this.keep();
  }

  /** What it holds was never acknowledged, and is not wanted any more. */
  drop(): void {
    this.#packer = undefined;
    this.#attachment = { ...this.#attachment, refused: 0, heldSince: null, held: null, confirmed: [] };
    this.keep();
  }

  send(frame: ServerFrame): void {
    if (this.#ws.readyState === WebSocket.OPEN) this.#ws.send(JSON.stringify(frame));
  }

  #heldBytes(): number {
    const packer = this.#packer;
    if (packer === undefined) return 0;
    const names = packer.names.reduce((sum, name) => sum + 3 * name.length + 8, 0);
    const shapes = packer.shapes.reduce((sum, shape) => sum + 4 * shape.length + 16, 0);
    return packer.byteLength + names + shapes;
  }
}

/** Every socket of an object, found again after a hibernation. */
export class DeviceSockets {
  readonly #ctx: DurableObjectState;
  readonly #known = new Map<WebSocket, DeviceSocket>();

  constructor(ctx: DurableObjectState) {
    this.#ctx = ctx;
  }

  /** Accepts one end of a new pair, hibernatable; the oldest socket goes when there are too many. */
  accept(ws: WebSocket, commitEveryMs: number, clockOffsetMs: number): void {
    // The platform lists them in no order it promises (2026-11: newest first).
    const open = this.#ctx
      .getWebSockets()
      .map((other) => this.of(other))
      .toReversed();
    const byAge = open.sort((a, b) => a.acceptedAt - b.acceptedAt);
    for (const old of byAge.slice(0, Math.max(0, open.length + 1 - SOCKETS_MAX)))
      old.close(4001, "too many sockets of one device");
    this.#ctx.acceptWebSocket(ws);
    // Pings are answered without waking the object.
    this.#ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair("ping", "pong"));
    this.#known.set(
      ws,
      new DeviceSocket(ws, { commitEveryMs: Math.min(commitEveryMs, COMMIT_EVERY_MS_MAX), clockOffsetMs }),
    );
  }

  of(ws: WebSocket): DeviceSocket {
    let socket = this.#known.get(ws);
    if (socket === undefined) {
      socket = new DeviceSocket(ws);
      this.#known.set(ws, socket);
    }
    return socket;
  }

  /** The open sockets, and one that is closing until it is forgotten: what it holds is still to be committed. */
  all(): DeviceSocket[] {
    for (const ws of this.#ctx.getWebSockets()) this.of(ws);
    return [...this.#known.values()];
  }

  /** How many sockets are open, `leaving` not counted. */
  count(leaving?: WebSocket): number {
    return this.#ctx.getWebSockets().filter((ws) => ws !== leaving && ws.readyState === WebSocket.OPEN)
      .length;
  }

  /** Closes every socket; what they hold is dropped. */
  closeAll(code: number, reason: string): void {
    for (const socket of this.all()) {
      socket.drop();
      socket.close(code, reason);
    }
    this.#known.clear();
  }

  forget(ws: WebSocket): void {
    this.#known.delete(ws);
  }
}
