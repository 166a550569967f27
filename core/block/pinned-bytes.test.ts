// PERSISTED: these bytes lie in device objects, queues and archives. When a test here fails, the code is wrong:
// a changed format gets a new version and a fixture of its own, and these stay.
import { describe, expect, it } from "vitest";
import type { Block } from "./block.ts";
import { decodeBlock } from "./decode.ts";
import { encodeBlock } from "./encode.ts";

const startMs = 1_763_812_800_000;
const clock = Array.from({ length: 40 }, (_, i) => startMs + i * 10_000);
const jittered = clock.map((at, i) => at + ((i * 7919) % 13));
const far = [0, 1, 2 ** 49, 2 ** 52 + 1].map((offset) => startMs + offset);

/** One column for each thing the format can say, by integer arithmetic alone. */
const block: Block = {
  startMs,
  endMs: startMs + 2 ** 53,
  columns: [
    { metric: "constant", at: clock, value: clock.map(() => 20.5) },
    { metric: "level", at: clock, value: clock.map((_, i) => 5 + ((i * 5) % 7)) },
    { metric: "walk", at: clock, value: clock.map((_, i) => (i * i - 40 * i + ((i * 5) % 7)) / 100) },
    { metric: "ramp", at: clock, value: clock.map((_, i) => (i * i) / 10) },
    { metric: "hundreds", at: clock, value: clock.map((_, i) => ((i * 31) % 11) * 100) },
    { metric: "spike", at: clock, value: clock.map((_, i) => (i < 34 ? 0 : i === 35 ? 5_000_001 : i % 2)) },
    { metric: "even spread", at: clock, value: clock.map((_, i) => (i * 37) % 64) },
    { metric: "float32", at: clock, value: clock.map((_, i) => Math.fround((4519 + ((i * 3) % 5)) / 100)) },
    { metric: "nudged", at: clock, value: clock.map((_, i) => (i + 200) * 0.1) },
    { metric: "exception", at: clock, value: clock.map((_, i) => (i === 9 ? 1e300 : i === 20 ? -0 : i)) },
    {
      metric: "words",
      at: jittered.slice(0, 8),
      value: [1, 2, 3, 4, 5, 6, 7, 8].map((n) => Math.sqrt(n) / 3),
    },
    {
      metric: "far integers",
      at: clock,
      value: clock.map((_, i) => ((i * i * 7919) % 1009) * 1_234_567_891),
    },
    { metric: "Raumtemperatur °C", at: far, value: [1, 2, 3, 4] },
  ],
};

const V1 =
  "VFRCAUJ5qrb3YAAAgICAgICAgBDEAwMoHQCQTgIIEQCknAENVQAGBEAAAAAAAAAAAD/wAAAAAAAAQwAAAAAAAABDMAAAAAAA" +
  "AQ0IY29uc3RhbnQAAQSaAwVsZXZlbAAAEQoDENINJBpBpININJBpBpINIMKSDSDABHdhbGsAAhIAQxwnCk5hScKTmFJwpOYU" +
  "nCk5hScKGnMKThQEcmFtcAABEgAC6GJJJJJJJJJJJJJJJJ0OSSSACGh1bmRyZWRzAAAZAGQDEDSSA0kkBpJAaSSA0kgNJIKA" +
  "0kgMBXNwaWtlAAABAP1gAACAAAA4loIOJaBgAAKAAAYAACALZXZlbiBzcHJlYWQAABEANShBAEEAQQQBBAEEAQQQBBAEEAQQ" +
  "QBBAEEEAQQBBAEEBYAggCCAIIAdmbG9hdDMyACIQzkYEAUMShiUMShiUMShiUJTWUAZudWRnZWQAgRWQAwIAAATOZzOZzOZy" +
  "CcyACWV4Y2VwdGlvbgBAEQACB/p/6f//Agl+N+Q8iAB1nAqAAAAAAAAAAAV3b3JkcwEfEqrVqv0H0NhGhAAAAQ/7PJ764dvd" +
  "XXbelGYyqtWq1QqklM2KEYgAAAAAkIw2LlUGfTCDUtZ1ObMSFa8TkHIkG9BnMUAMZmFyIGludGVnZXJzAAAYANOF2MwEoAdA" +
  "iGFWLzPzpO8pZCD8MIVPWrWKoTEnInjJ+UzaWGQZB06NAzYx7FLaRhAnT8NbKrCKjwwSUmF1bXRlbXBlcmF0dXIgwrBDAgAV" +
  "AgJvhzI/";

describe("format version 1", () => {
  it("[B12] the pinned bytes decode to the same readings for ever", () => {
    expect(decodeBlock(Buffer.from(V1, "base64"))).toEqual(block);
  });

  it("[B12] the same readings encode to the pinned bytes (an encoder that chooses better may change this one)", () => {
    expect(Buffer.from(encodeBlock(block)).toString("base64")).toBe(V1);
  });
});
