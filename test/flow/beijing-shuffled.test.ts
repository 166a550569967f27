// A month of two stations, shuffled within a week, doubled and corrected: what `npm run verify:beijing` does in full.
import { existsSync } from "node:fs";
import { expect, it } from "vitest";
import { verifyBeijing } from "../../scripts/verify/verify-beijing.ts";

const DATA = new URL("../../../shared/data/beijing_air/", import.meta.url).pathname;
const hasRecording = existsSync(`${DATA}beijing_air.tgz`);
if (!hasRecording) console.warn("../shared/data/beijing_air is not here: its rows are not shuffled");

it.runIf(hasRecording)(
  "[D2] [D11] [W2] [W4] [S4] [S5] [S11] [S12] [S13] [S15] shuffled, 5 % doubled, 2 % corrected: every tier as computed",
  async () => {
    const { agreements, replay, files, merged } = await verifyBeijing({
      data: DATA,
      stations: 2,
      months: 1,
      seed: 20130301,
    });
    expect(agreements.flatMap(({ differences }) => differences)).toEqual([]);
    // Nothing of it is vacuous: each kind of verdict came, and each tier was compared as far as it goes.
    const { stored, late, duplicate, corrected, refused } = replay.readings;
    expect(Math.min(stored, late, duplicate, corrected)).toBeGreaterThan(20);
    expect(refused).toBe(0);
    const readings = stored + late;
    const agreed = Object.fromEntries(agreements.map((agreement) => [agreement.name, agreement.agreed]));
    expect(agreed).toMatchObject({
      verdicts: 7,
      latest: 44,
      "warm hours": readings * 8, // seven figures and the end of each window
      "cold readings": readings,
      "cold hours": readings * 8,
      "cold readings, merged": readings,
    });
    expect(agreed["hot readings"]).toBeGreaterThan(3_000);
    expect(agreed["fleet hours"]).toBeGreaterThan(50_000);
    expect(merged.files).toBeLessThan(files.files);
  },
  240_000,
);
