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

/** The last of some frames: so many, and so many bytes of them, at most. */
export class LastFrames<F> {
  readonly #countMax: number;
  readonly #bytesMax: number;
  readonly #frames: Written<F>[] = [];
  #bytes = 0;

  constructor(countMax: number, bytesMax: number) {
    this.#countMax = countMax;
    this.#bytesMax = bytesMax;
  }

  get frames(): readonly Written<F>[] {
    return this.#frames;
  }

  /** Keeps one more. Returns the newest of those that had to go for it; undefined: none had to. */
  keep(frame: Written<F>): Written<F> | undefined {
    this.#frames.push(frame);
    this.#bytes += frame.bytes;
    let dropped: Written<F> | undefined;
    while (this.#frames.length > this.#countMax || this.#bytes > this.#bytesMax) {
      dropped = this.#frames.shift()!;
      this.#bytes -= dropped.bytes;
    }
    return dropped;
  }
}

/** The last frames of a stream, 500 and 1 MB at most, in memory only. */
export class FrameLog<F extends { seq: number }> {
  /**
   * Rises from the wall clock's microseconds at start, so that no number is ever used twice, even after a restart.
   */
  #seq = wallMs() * 1_000;
  #last = new LastFrames<F>(FRAMES_KEPT, BYTES_KEPT);
  /** Every frame above this number is in `#last`. */
  #keptAfter = this.#seq;

  /** Returns the next number, for a frame that is not kept. */
  next(): number {
    return ++this.#seq;
  }

  /** Numbers a frame and keeps it. Returns it with its number, and as JSON. */
  add(unnumbered: Unnumbered<F>): Written<F> {
    const added = written({ ...unnumbered, seq: this.next() } as unknown as F);
    this.#keptAfter = this.#last.keep(added)?.frame.seq ?? this.#keptAfter;
    return added;
  }

  /** Drops all frames, because something changed that no frame tells: a watcher that comes back gets a snapshot. */
  forget(): void {
    this.#last = new LastFrames(FRAMES_KEPT, BYTES_KEPT);
    this.#keptAfter = this.next();
  }

  /**
   * Returns the frames after number `after`; undefined when they are not all kept, or the number is not of this log.
   */
  since(after: number): Written<F>[] | undefined {
    if (!(after >= this.#keptAfter) || after > this.#seq) return undefined;
    return this.#last.frames.filter(({ frame }) => frame.seq > after);
  }
}

/** Returns the number of the last frame a watcher saw, as its request says (`after`, `last-event-id`); NaN: none. */
export const lastSeen = (request: Request): number =>
  Number(
    new URL(request.url).searchParams.get("after") ?? request.headers.get("last-event-id") ?? Number.NaN,
  );
