// Frames of a stream, numbered upwards, and the last of them for whoever comes back.
import { utf8Bytes } from "../../../core/live/json-bytes.ts";
import { wallMs } from "../../clock.ts";

/** Frames kept for a watcher that comes back, and their bytes: a longer gap is told sooner by a snapshot. */
const FRAMES_KEPT = 500;
const BYTES_KEPT = 1_000_000;

/** A frame and its JSON, which is made once for all who get it. */
export interface Written<F> {
  frame: F;
  text: string;
  bytes: number;
}

/** Returns the frame with its JSON. */
export function written<F>(frame: F): Written<F> {
  const text = JSON.stringify(frame);
  return { frame, text, bytes: utf8Bytes(text) };
}

/** A frame before it has its number. */
export type Unnumbered<F> = F extends { seq: number } ? Omit<F, "seq"> : never;

/** The last frames of a stream, 500 and 1 MB at most, in memory only. */
export class FrameLog<F extends { seq: number }> {
  /**
   * Rises from the wall clock's microseconds at start, so that no number is ever used twice, even after a restart.
   */
  #seq = wallMs() * 1_000;
  #frames: Written<F>[] = [];
  #bytes = 0;
  /** Every frame above this number is in `#frames`. */
  #keptAfter = this.#seq;

  /** Returns the next number, for a frame that is not kept. */
  next(): number {
    return ++this.#seq;
  }

  /** Numbers a frame and keeps it. Returns it with its number, and as JSON. */
  add(unnumbered: Unnumbered<F>): Written<F> {
    const added = written({ ...unnumbered, seq: this.next() } as unknown as F);
    this.#frames.push(added);
    this.#bytes += added.bytes;
    while (this.#frames.length > FRAMES_KEPT || this.#bytes > BYTES_KEPT) {
      const { frame, bytes } = this.#frames.shift()!;
      this.#keptAfter = frame.seq;
      this.#bytes -= bytes;
    }
    return added;
  }

  /** Drops all frames, because something changed that no frame tells: a watcher that comes back gets a snapshot. */
  forget(): void {
    this.#frames = [];
    this.#bytes = 0;
    this.#keptAfter = this.next();
  }

  /**
   * Returns the frames after number `after`; undefined when they are not all kept, or the number is not of this log.
   */
  since(after: number): Written<F>[] | undefined {
    if (!(after >= this.#keptAfter) || after > this.#seq) return undefined;
    return this.#frames.filter(({ frame }) => frame.seq > after);
  }
}

/** Returns the number of the last frame a watcher saw, as its request says (`after`, `last-event-id`); NaN: none. */
export const lastSeen = (request: Request): number =>
  Number(
    new URL(request.url).searchParams.get("after") ?? request.headers.get("last-event-id") ?? Number.NaN,
  );
