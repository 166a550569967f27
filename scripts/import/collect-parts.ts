// Checked rows → parts to upload, each of few UTC days, so that the server opens few of them for each day.
import { dateOf } from "../../core/archive/key.ts";
import type { CheckedLine } from "../../core/job/check-import.ts";

/** A part as it is sent, and the file's line that each of its lines came from. */
export interface Part {
  text: string;
  places: string[];
  readings: number;
}

/**
 * `part`: the server takes 4 MiB (BODY_BYTES_MAX), names may have three bytes a character, and a line more may come to
 * what is here. `waiting`: in all, for a shuffled file has every day open at once.
 */
const CHARS_MAX = { part: 1_200_000, waiting: 64_000_000 };

interface OpenDay {
  lines: string[];
  places: string[];
  chars: number;
  readings: number;
}

/**
 * Gathers lines by day and gives parts when there is enough of a day, or too much of all. Parts of a day come in the order
 * of its lines: of two values of a reading at a revision the later counts.
 */
export class PartCollector {
  readonly #days = new Map<string, OpenDay>();
  readonly #charsMax: typeof CHARS_MAX;
  #chars = 0;

  constructor(charsMax = CHARS_MAX) {
    this.#charsMax = charsMax;
  }

  /** `place` names the line in messages. */
  *add(line: CheckedLine, place: string): Generator<Part> {
    const date = dateOf(line.at);
    const day = this.#days.get(date) ?? { lines: [], places: [], chars: 0, readings: 0 };
    this.#days.set(date, day);
    const text = textOf(line);
    day.lines.push(text);
    day.places.push(place);
    day.chars += text.length + 1;
    day.readings += line.values.length;
    this.#chars += text.length + 1;
    if (day.chars >= this.#charsMax.part) yield this.#take([date]);
    if (this.#chars >= this.#charsMax.waiting) yield* this.#drain(this.#charsMax.waiting / 2);
  }

  *finish(): Generator<Part> {
    yield* this.#drain(0);
  }

  /** The oldest days first, several in a part where they fit: a sorted file has left them behind. */
  *#drain(charsLeft: number): Generator<Part> {
    let dates: string[] = [];
    let chars = 0;
    for (const date of [...this.#days.keys()].sort()) {
      const own = this.#days.get(date)!.chars;
      if (dates.length > 0 && chars + own > this.#charsMax.part) {
        yield this.#take(dates);
        if (this.#chars <= charsLeft) return;
        [dates, chars] = [[], 0];
      }
      dates.push(date);
      chars += own;
    }
    if (dates.length > 0) yield this.#take(dates);
  }

  #take(dates: readonly string[]): Part {
    const days = dates.map((date) => this.#days.get(date)!);
    for (const date of dates) this.#days.delete(date);
    this.#chars -= days.reduce((sum, { chars }) => sum + chars, 0);
    return {
      text: days.flatMap(({ lines }) => lines).join("\n"),
      places: days.flatMap(({ places }) => places),
      readings: days.reduce((sum, { readings }) => sum + readings, 0),
    };
  }
}

/** JSON.stringify writes −0 as 0. */
function textOf({ device, at, revision, names, values }: CheckedLine): string {
  const metrics = names.map((name, i) => {
    const value = values[i]!;
    return `${JSON.stringify(name)}:${Object.is(value, -0) ? "-0" : String(value)}`;
  });
  const revised = revision === undefined ? "" : `"revision":${revision},`;
  return `{"device":"${device}","at":${at},${revised}"metrics":{${metrics.join()}}}`;
}
