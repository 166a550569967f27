// Frames of a stream, numbered upwards, and the last of them for whoever comes back.
import { wallMs } from "../../clock.ts";

/** Frames kept for a watcher that comes back. */
const FRAMES_KEPT = 500;

/** A frame before it has its number. */
export type Unnumbered<F> = F extends { seq: number } ? Omit<F, "seq"> : never;

/** The last 500 frames of a stream, in memory only. */
export class FrameLog<F extends { seq: number }> {
  /**
   * Rises from the wall clock's microseconds at start, so that no number is ever used twice, even after a restart.
   */
  #seq = wallMs() * 1_000;
  #frames: F[] = [];
  /** Every frame above this number is in `#frames`. */
  #keptAfter = this.#seq;

  /** Returns the next number, for a frame that is not kept. */
  next(): number {
    return ++this.#seq;
  }

  /** Numbers a frame and keeps it. Returns it with its number. */
  add(unnumbered: Unnumbered<F>): F {
    const frame = { ...unnumbered, seq: this.next() } as unknown as F;
    this.#frames.push(frame);
    if (this.#frames.length > FRAMES_KEPT) this.#keptAfter = this.#frames.shift()!.seq;
    return frame;
  }

  /** Drops all frames, because something changed that no frame tells: a watcher that comes back gets a snapshot. */
  forget(): void {
    this.#frames = [];
    this.#keptAfter = this.next();
  }

  /**
   * Returns the frames after number `after`; undefined when they are not all kept, or the number is not of this log.
   */
  since(after: number): F[] | undefined {
    if (!(after >= this.#keptAfter) || after > this.#seq) return undefined;
    return this.#frames.filter(({ seq }) => seq > after);
  }
}

/** Returns the number of the last frame a watcher saw, as its request says (`after`, `last-event-id`); NaN: none. */
export const lastSeen = (request: Request): number =>
  Number(
    new URL(request.url).searchParams.get("after") ?? request.headers.get("last-event-id") ?? Number.NaN,
  );
