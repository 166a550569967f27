// The detectors a rule can name.
import type { Detector } from "./detector.ts";
import { seasonal } from "./seasonal.ts";
import { zscore } from "./zscore.ts";

export type { Detector } from "./detector.ts";

/** A detector whose state is its own affair: it goes back only to the detector that made it. */
export type AnyDetector = Detector<unknown>;

/** The detectors by the name that a rule calls them by. */
export const detectors = { zscore, seasonal } satisfies Record<string, AnyDetector>;
