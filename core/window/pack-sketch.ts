// A sketch ↔ a short text in the JSON of a rollup row: an hour of a steady sensor has few bins, most of them neighbours.
import type { Sketch } from "./sketch.ts";

const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const VALUE_OF_DIGIT = new Map([...DIGITS].map((digit, value) => [digit, value]));
/** A digit has this many values, and as many again that say another digit follows. */
const BASE = 32;

/**
 * Returns a sketch as text. PERSISTED: numbers, each in base 32, lowest digit first: the first bin, `2b` or `−2b − 1`
 * when it is negative; then of each bin its count less 1, doubled, plus 1 when a gap follows, which then is the
 * distance to the next bin less 2. What a bin stands for is persisted with it: other bins would be another field.
 */
export function packSketch({ bins, counts }: Sketch): string {
  let text = numberText(bins[0]! < 0 ? -2 * bins[0]! - 1 : 2 * bins[0]!);
  for (const [i, bin] of bins.entries()) {
    const distance = (bins[i + 1] ?? bin + 1) - bin;
    text += numberText(2 * (counts[i]! - 1) + (distance > 1 ? 1 : 0));
    if (distance > 1) text += numberText(distance - 2);
  }
  return text;
}

/** Returns the sketch that `packSketch` made the text of. */
export function unpackSketch(text: string): Sketch {
  const [first, ...rest] = numbersIn(text);
  const bins: number[] = [];
  const counts: number[] = [];
  let bin = first! % 2 === 0 ? first! / 2 : -(first! + 1) / 2;
  for (let i = 0; i < rest.length; i++) {
    const gap = rest[i]! % 2;
    bins.push(bin);
    counts.push((rest[i]! - gap) / 2 + 1);
    bin += gap === 1 ? rest[++i]! + 2 : 1;
  }
  return { bins, counts };
}

function numberText(value: number): string {
  let text = "";
  let rest = value;
  for (; rest >= BASE; rest = Math.floor(rest / BASE)) text += DIGITS[BASE + (rest % BASE)]!;
  return text + DIGITS[rest]!;
}

function numbersIn(text: string): number[] {
  const numbers: number[] = [];
  let value = 0;
  let weight = 1;
  for (const character of text) {
    const digit = VALUE_OF_DIGIT.get(character)!;
    value += (digit % BASE) * weight;
    weight *= BASE;
    if (digit >= BASE) continue;
    numbers.push(value);
    value = 0;
    weight = 1;
  }
  return numbers;
}
