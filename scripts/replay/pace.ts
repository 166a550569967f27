// Recorded time → when to send.
import { sleep } from "./retry.ts";

/** Waits until a recorded instant is due. */
export type Pace = (arrivedAt: number, signal: AbortSignal) => Promise<void>;

/** `speed` is the factor over recorded time; Infinity: as fast as the server takes it. The first instant is due at once. */
export function paceAt(speed: number, nowMs: () => number = () => performance.now()): Pace {
  let start: { wallMs: number; arrivedAt: number } | undefined;
  return async (arrivedAt, signal) => {
    if (speed === Infinity) return;
    start ??= { wallMs: nowMs(), arrivedAt };
    await sleep(start.wallMs + (arrivedAt - start.arrivedAt) / speed - nowMs(), signal);
  };
}
