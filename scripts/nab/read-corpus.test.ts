import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readCorpus } from "./read-corpus.ts";
import { STANDARD_PROFILES } from "./score-nab.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "telltale-nab-"));
  await mkdir(join(folder, "data", "kind"), { recursive: true });
  // One timestamp repeats and one turns back: rows stay as they are.
  const rows = ["00:00:00,1", "00:05:00,2", "00:05:00,3", "00:01:00,4", "00:10:00,"];
  const csv = rows.map((row) => `2014-01-01 ${row}`).join("\n");
  await writeFile(join(folder, "data", "kind", "labelled.csv"), `timestamp,value\n${csv}\n`);
  await writeFile(join(folder, "data", "kind", "unlabelled.csv"), "timestamp,value\n2014-01-01 00:00:00,1\n");
  await writeFile(
    join(folder, "windows.json"),
    JSON.stringify({
      "kind/labelled.csv": [["2014-01-01 00:05:00.000000", "2014-01-01 00:10:00.000000"]],
      "kind/absent.csv": [],
    }),
  );
});
afterAll(() => rm(folder, { recursive: true }));

describe("a folder of labelled series", () => {
  it("[A43] keeps rows as they stand, and places windows at the first row of a timestamp", async () => {
    const { series } = await readCorpus(folder);
    expect(series.map(({ name }) => name)).toEqual(["kind/labelled.csv", "kind/unlabelled.csv"]);
    expect(series[0]!.values).toEqual([1, 2, 3, 4, Number.NaN]);
    expect(series[0]!.windows).toEqual([{ firstRow: 1, lastRow: 4 }]);
    expect(series[1]!.windows).toEqual([]);
  });

  it("says what labels and series lack, and takes the usual weights where there are none", async () => {
    const { notes, profiles } = await readCorpus(folder);
    expect(notes).toEqual([
      "windows.json does not name kind/unlabelled.csv: taken as without an incident",
      "windows.json names 1 series that are not there: left out",
    ]);
    expect(profiles).toEqual(STANDARD_PROFILES);
  });

  it("says what a folder is missing", async () => {
    await expect(readCorpus(join(folder, "nowhere"))).rejects.toThrow(
      "give a folder with data/*/*.csv and windows.json",
    );
  });
});
