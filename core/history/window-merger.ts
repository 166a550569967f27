// Parts of windows, slice by slice → whole windows, each once.
import { type WindowSummary, windowsOfParts } from "../window/aggregate.ts";
import type { Summary } from "../window/summary.ts";

/** Holds back the window that a slice ended in, until the next slices have the rest of it. */
export class WindowMerger {
  readonly #windowMs: number;
  #open: WindowSummary | undefined;

  constructor(windowMs: number) {
    this.#windowMs = windowMs;
  }

  /** The parts of all that lies before `untilMs` and was not added yet. Gives the windows that end by then, ascending. */
  add(parts: readonly { startMs: number; summary: Summary }[], untilMs: number): WindowSummary[] {
    const known = this.#open === undefined ? parts : [this.#open, ...parts];
    const windows = windowsOfParts(known, this.#windowMs);
    this.#open = windows.find(({ endMs }) => endMs > untilMs);
    return this.#open === undefined ? windows : windows.slice(0, -1);
  }

  /** Forgets the window held back: it is read again from its start. */
  reset(): void {
    this.#open = undefined;
  }
}
