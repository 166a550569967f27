// Parts of windows, slice by slice → whole windows, each once.
import { type WindowSummary, windowsOfParts } from "../window/aggregate.ts";
import type { WindowAt } from "../window/align.ts";
import type { Summary } from "../window/summary.ts";

/**
 * Merges parts of windows that are read slice by slice: it holds back the window that a slice ended in until the next
 * slices have the rest of it.
 */
export class WindowMerger {
  readonly #windowAt: WindowAt;
  #open: WindowSummary | undefined;

  constructor(windowAt: WindowAt) {
    this.#windowAt = windowAt;
  }

  /**
   * Takes the parts of everything that lies before `untilMs` and was not added yet, and returns the windows that end
   * by then, ascending.
   */
  add(parts: readonly { startMs: number; summary: Summary }[], untilMs: number): WindowSummary[] {
    const known = this.#open === undefined ? parts : [this.#open, ...parts];
    const windows = windowsOfParts(known, this.#windowAt);
    this.#open = windows.find(({ endMs }) => endMs > untilMs);
    return this.#open === undefined ? windows : windows.slice(0, -1);
  }
}
