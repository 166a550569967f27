// Frames of a stream, numbered upwards, and the last of them for whoever comes back.
import { wallMs } from "../clock.ts";

/** Frames kept for a watcher that comes back. */
const FRAMES_KEPT = 500;

export type Unnumbered<F> = F extends { seq: number } ? Omit<F, "seq"> : never;

export class FrameLog<F extends { seq: number }> {
  /** Rises from the wall clock's microseconds at start, so that no number is ever given twice, even after a restart. */
  #seq = wallMs() * 1_000;
  #frames: F[] = [];
  /** Every frame above this number is in `#frames`. */
  #keptAfter = this.#seq;

  /** A number for what is not kept. */
  next(): number {
    return ++this.#seq;
  }

  add(unnumbered: Unnumbered<F>): F {
    const frame = { ...unnumbered, seq: this.next() } as unknown as F;
    this.#frames.push(frame);
    if (this.#frames.length > FRAMES_KEPT) this.#keptAfter = this.#frames.shift()!.seq;
    return frame;
  }

  /** Something changes that no frame tells: whoever comes back gets a snapshot. */
  forget(): void {
    this.#frames = [];
    this.#keptAfter = this.next();
  }

  /** The frames since `after`; undefined when they are not all kept, or the number is from elsewhere. */
  since(after: number): F[] | undefined {
    if (!(after >= this.#keptAfter) || after > this.#seq) return undefined;
    return this.#frames.filter(({ seq }) => seq > after);
  }
}

/** The last number a watcher saw, by what it says when it comes back; NaN: none. */
export const lastSeen = (request: Request): number =>
  Number(
    new URL(request.url).searchParams.get("after") ?? request.headers.get("last-event-id") ?? Number.NaN,
  );
