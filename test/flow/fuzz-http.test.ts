// Some hundred bodies and frames that are nearly right, at each door of a running server.
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Door } from "../fuzz/doors.ts";
import { DOORS } from "../fuzz/doors.ts";
import { fuzz, growthOf } from "../fuzz/fuzz.ts";
import { type HttpDoors, openDoors } from "../fuzz/http-doors.ts";
import { useServer } from "./topology.ts";

const SEED = 20_261_130;
const BODIES = 150;

const server = useServer();
let opened: HttpDoors;
beforeAll(async () => {
  opened = await openDoors(server.run);
});
afterAll(() => opened.close());

const doorOf = (name: string): Door => opened.doors.find((door) => door.name === `${name}, sent`)!;

it.each(DOORS.map(({ name }) => name))(
  "[F42] %s: a running server takes what fits and nothing else, and no answer is a fault of ours",
  async (name) => {
    const { bodies, taken, wrong } = await fuzz(doorOf(name), BODIES, SEED);
    expect(wrong).toEqual([]);
    expect([bodies, taken > 0 || name.includes(":alert")]).toEqual([BODIES, true]);
  },
);

it("[F42] a body sixteen times as large takes time in proportion, and the server's memory is known where there is /proc", async () => {
  for (const name of ["HTTPS, JSON", "device's socket", "PUT /v1/tenant"])
    expect(await growthOf(doorOf(name))).toBeLessThan(100);
  const bytes = opened.memoryBytes();
  if (process.platform === "linux") expect(bytes).toBeGreaterThan(1e7);
});
