import { describe, expect, it } from "vitest";
import { API_BODIES, DOORS, type Door } from "./fuzz/doors.ts";
import { fuzz, growthOf } from "./fuzz/fuzz.ts";

const SEED = 20_261_130;
const BODIES = 200;

describe.each(DOORS)("$name", (door) => {
  it("[F26] takes no body that the schema refuses, and refuses none that it takes", async () => {
    const { bodies, wrong } = await fuzz(door, BODIES, SEED);
    expect(wrong).toEqual([]);
    expect(bodies).toBe(BODIES);
  });

  it("[F26] takes time in proportion to a body's size", async () => {
    expect(await growthOf(door)).toBeLessThan(100);
  });
});

it.each(Object.entries(API_BODIES))("[F26] what is broken at %s fits before", (_, { schema, samples }) => {
  for (const sample of samples) expect(schema.safeParse(sample).error).toBeUndefined();
});

it("[F26] what is judged wrongly is found, and the same seed makes the same bodies", async () => {
  const seen: string[][] = [[], []];
  const wrongOf = (nth: number): Door => ({
    ...DOORS[0]!,
    judge: (body) => {
      seen[nth]!.push(body);
      return { taken: true, wrong: body.includes("nan") ? "nan" : undefined };
    },
  });
  const { wrong } = await fuzz(wrongOf(0), BODIES, SEED);
  await fuzz(wrongOf(1), BODIES, SEED);
  expect(wrong.length).toBeGreaterThan(0);
  expect(seen[0]).toEqual(seen[1]);
});
