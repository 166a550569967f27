import { expect, it } from "vitest";
import { askEach } from "./ask-each.ts";

const names = Array.from({ length: 40 }, (_, i) => `d${i}`);
const never = new Promise<never>(() => undefined);

it("[Q15] everyone is asked once, a bounded number at once, and who fails is named", async () => {
  let [now, most] = [0, 0];
  const taken: string[] = [];
  const missing = await askEach(
    names,
    { atOnce: 7, deadlineMs: 60_000 },
    async (name) => {
      most = Math.max(most, ++now);
      await Promise.resolve();
      now--;
      if (name.endsWith("3")) throw new Error("away");
      return name;
    },
    (answer) => taken.push(answer),
  );
  expect(most).toBe(7);
  expect(missing).toEqual(["d3", "d13", "d23", "d33"]);
  expect(taken.toSorted()).toEqual(names.filter((name) => !name.endsWith("3")).toSorted());
});

it("[Q15] at the deadline those who have not answered are named, and answers that come later are not taken", async () => {
  const taken: string[] = [];
  let answerLate: (name: string) => void = () => undefined;
  const late = new Promise<string>((resolve) => {
    answerLate = resolve;
  });
  const missing = await askEach(
    names,
    { atOnce: 2, deadlineMs: 50 },
    (name) => (name === "d1" ? late : name === "d4" ? never : Promise.resolve(name)),
    (answer) => taken.push(answer),
  );
  answerLate("d1");
  await late;
  expect(taken).toEqual(["d0", "d2", "d3"]);
  expect(missing).toEqual(names.filter((name) => !taken.includes(name)));
});

it("[Q15] nobody to ask is no question", async () => {
  expect(
    await askEach(
      [],
      { atOnce: 50, deadlineMs: 50 },
      () => never,
      () => undefined,
    ),
  ).toEqual([]);
});
