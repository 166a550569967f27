import { expect, it } from "vitest";
import { checkLines } from "../../core/job/check-import.ts";
import { BODY_BYTES_MAX } from "../../schemas/limits.ts";
import { type Part, PartCollector } from "./collect-parts.ts";

const DAY_MS = 86_400_000;
const DAY = Date.UTC(2016, 1, 29);
const name = "a metric of some length, so that parts fill up soon";

function collected(count: number, dayOf: (i: number) => number): Part[] {
  const collector = new PartCollector({ part: 10_000, waiting: 1_000_000 });
  const parts: Part[] = [];
  for (let i = 0; i < count; i++) {
    const line = { device: "d1", at: DAY + dayOf(i) * DAY_MS + i, names: [name, "b"], values: [i, -0] };
    parts.push(...collector.add(line, `file:${i}`));
  }
  return [...parts, ...collector.finish()];
}

const datesIn = ({ text }: Part) =>
  new Set(text.split("\n").map((line) => Math.floor((JSON.parse(line) as { at: number }).at / DAY_MS)));

it("[S20] every line is in one part, in its order among those of its day, with its place; and no part is too large", () => {
  const parts = collected(3_000, (i) => i % 3);
  expect(parts.length).toBeGreaterThan(4);
  const seen: number[] = [];
  const last = new Map<number, number>();
  for (const part of parts) {
    expect(new TextEncoder().encode(part.text).length).toBeLessThan(11_000);
    let line = 0;
    const counted = checkLines(part.text, Date.now(), { fromMs: 0, toMs: Date.now() }, ({ at, values }) => {
      const [i] = values as [number];
      seen.push(i);
      expect(part.places[line++]).toBe(`file:${i}`);
      const day = Math.floor(at / DAY_MS);
      expect(last.get(day) ?? -1).toBeLessThan(i);
      last.set(day, i);
      expect(Object.is(values[1], -0)).toBe(true);
    });
    expect([counted.refused, counted.readings]).toEqual([0, part.readings]);
  }
  expect(seen.sort((a, b) => a - b)).toEqual(Array.from({ length: 3_000 }, (_, i) => i));
});

it("[S20] a sorted file makes parts of few days, a sparse one parts of many", () => {
  const sorted = collected(2_000, (i) => Math.floor(i / 400));
  expect(Math.max(...sorted.map((part) => datesIn(part).size))).toBeLessThanOrEqual(2);
  const sparse = collected(80, (i) => i);
  expect(sparse).toHaveLength(1);
});

it("[S20] a shuffled file of very many days does not wait in memory for its end", () => {
  const collector = new PartCollector({ part: 10_000, waiting: 100_000 });
  let waiting = 0;
  let most = 0;
  for (let i = 0; i < 5_000; i++) {
    const line = { device: "d1", at: DAY + ((i * 7_919) % 3_650) * DAY_MS + i, names: [name], values: [i] };
    waiting += 1;
    for (const part of collector.add(line, "")) waiting -= part.places.length;
    most = Math.max(most, waiting);
  }
  expect(most * 100).toBeLessThan(150_000);
});

it("[S20] a part of the longest names of three bytes a character is one the server takes", () => {
  const collector = new PartCollector();
  const names = Array.from({ length: 1_000 }, (_, i) => `${"語".repeat(40)}${i}`);
  const values = names.map((_, i) => i + 0.1234567890123);
  for (let i = 0; ; i++) {
    const [part] = collector.add({ device: "d1", at: DAY + i, names, values }, "");
    if (part === undefined) continue;
    expect(new TextEncoder().encode(part.text).length).toBeLessThan(BODY_BYTES_MAX);
    return;
  }
});
