// Two months of two stations, shuffled within a week, doubled and corrected: what `npm run verify:beijing` does in full.
import { existsSync } from "node:fs";
import { expect, it } from "vitest";
import { verifyBeijing } from "../../scripts/verify/verify-beijing.ts";

const DATA = new URL("../../../shared/data/beijing_air/", import.meta.url).pathname;
const hasRecording = existsSync(`${DATA}beijing_air.tgz`);
if (!hasRecording) console.warn("../shared/data/beijing_air is not here: its rows are not shuffled");

it.runIf(hasRecording)(
  "[D2] [D11] [W2] [W4] [S4] [S5] shuffled within a week, 5 % doubled, 2 % corrected: every tier is as computed",
  async () => {
    const options = { data: DATA, stations: 2, months: 2, seed: 20130301 };
    const { agreements, replay } = await verifyBeijing(options);
    expect(agreements.flatMap(({ differences }) => differences)).toEqual([]);
    expect(agreements.map(({ name, differed }) => [name, differed])).toEqual(
      [
        "the files' months",
        "verdicts",
        "latest",
        "hot readings",
        "warm hours",
        "warm days",
        "cold readings",
      ].map((name) => [name, 0]),
    );
    // Nothing of it is vacuous: each kind of verdict came, and each tier held its tens of thousands.
    const { stored, late, duplicate, corrected, refused } = replay.readings;
    expect(Math.min(stored, late, duplicate, corrected)).toBeGreaterThan(20);
    expect(refused).toBe(0);
    const [warmHours, coldReadings] = [agreements.at(-3)!, agreements.at(-1)!];
    expect(coldReadings.agreed).toBe(stored + late);
    expect(warmHours.agreed).toBe((stored + late) * 8); // seven figures and the end of each window
  },
  180_000,
);
