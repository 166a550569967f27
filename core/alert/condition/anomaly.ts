// A value against what a detector has learnt of its metric.
import type { Condition } from "../../../schemas/alert.ts";
import { type AnyDetector, detectors } from "../anomaly/index.ts";
import { atLeastMs, type Instant, type Sample, type Verdict } from "./verdict.ts";

/**
 * PERSISTED: the detector's packed state as base64, null before its first reading, and when its last alarm was, null
 * without one.
 */
export interface AnomalyMemory {
  type: "anomaly";
  packed: string | null;
  alarm: Instant | null;
}

type AnomalyCondition = Extract<Condition, { type: "anomaly" }>;

/** An anomaly is an instant: its alert is not clear for this long, in ms, so that who looks it up finds it. */
const HELD_MS = 10 * 60_000;

/** Detectors at work: a state is unpacked when it is first needed and packed once, at the end. */
export class OpenDetectors {
  readonly #open = new Map<AnomalyMemory, { detector: AnyDetector; state: unknown }>();

  /** Takes a sample into the detector's state and returns its score in [0, 1]. */
  score(memory: AnomalyMemory, detector: AnyDetector, { t, value }: Sample): number {
    let open = this.#open.get(memory);
    if (open === undefined) {
      const state = memory.packed === null ? detector.create() : detector.unpack(fromBase64(memory.packed));
      open = { detector, state };
      this.#open.set(memory, open);
    }
    return detector.score(open.state, t, value);
  }

  /** Packs the states into the memories they came from; until then the memories are as they were. */
  close(): void {
    for (const [memory, { detector, state }] of this.#open) memory.packed = toBase64(detector.pack(state));
  }
}

/**
 * Returns what a detector says of a reading, changing `memory`, whose packed state `open.close` writes. A score from
 * `warning` up to the rule's level is `unknown`, and so is every lower one for ten minutes after an alarm.
 */
export function anomaly(
  { detector: name, level }: AnomalyCondition,
  memory: AnomalyMemory,
  sample: Sample,
  open: OpenDetectors,
): Verdict {
  const detector: AnyDetector = detectors[name];
  const score = open.score(memory, detector, sample);
  if (score >= detector[level]) {
    memory.alarm = { t: sample.t, receivedAt: sample.receivedAt };
    return "breach";
  }
  const isHeld = memory.alarm !== null && atLeastMs(memory.alarm, sample) < HELD_MS;
  return isHeld || score >= detector.warning ? "unknown" : "clear";
}

// By loops: spreading or mapping a kilobyte takes ten times as long.
function toBase64(bytes: Uint8Array): string {
  let characters = "";
  for (const byte of bytes) characters += String.fromCharCode(byte);
  return btoa(characters);
}

function fromBase64(text: string): Uint8Array {
  const characters = atob(text);
  const bytes = new Uint8Array(characters.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = characters.charCodeAt(i);
  return bytes;
}
