// SPEC.md ↔ the titles of the tests: every rule has a test, and every rule a test cites exists.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";

const ROOT = join(import.meta.dirname, "..");
const FOLDERS = ["core", "schemas", "workers", "dashboard", "scripts", "test", "bench"];

/** The ids of `- **X1** …`, in order. */
const rulesOf = (spec: string): string[] =>
  [...spec.matchAll(/^- \*\*([A-Z]\d+)\*\* \S/gm)].map(([, id]) => id!);

/** The ids a file's titles cite: what stands in brackets where a text begins, `[X1] [X2] …` or `[X1 X2] …`. */
function citedIn(text: string): string[] {
  const titles = text.matchAll(/["'`]((?:\[[A-Z]\d+(?:[ ,]+[A-Z]\d+)*\] ?)+)/g);
  return [...titles].flatMap(([, ids]) => ids!.match(/[A-Z]\d+/g)!);
}

const rules = rulesOf(readFileSync(join(ROOT, "SPEC.md"), "utf8"));
const cited = FOLDERS.flatMap((folder) => {
  let names: string[] = [];
  try {
    names = readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" });
  } catch (error) {
    if ((error as { code?: string }).code !== "ENOENT") throw error;
  }
  return names
    .filter((name) => /\.test\.tsx?$/.test(name) && !name.includes("node_modules"))
    .map((name) => join(folder, name))
    .filter((path) => path !== "test/spec.test.ts")
    .flatMap((path) => citedIn(readFileSync(join(ROOT, path), "utf8")).map((id) => ({ path, id })));
});

describe("SPEC.md", () => {
  it("is read as it is written, and so are titles", () => {
    expect(rulesOf("# T\n- **A1** one\n  - **A2** nested\n- **B12** two\n**C1** no\n")).toEqual([
      "A1",
      "B12",
    ]);
    const titles = [
      'it("[A1] x")',
      "it.each([])('[A2 B3] %s')",
      "test(`[C1] [C2] y`)",
      'it("no [Z9]"); a["D1"]; [E1]',
    ];
    expect(citedIn(titles.join("\n"))).toEqual(["A1", "A2", "B3", "C1", "C2"]);
  });

  it("numbers each rule once, and each section without a gap", () => {
    expect(rules.length).toBeGreaterThan(80);
    expect(rules.filter((id, i) => rules.indexOf(id) !== i)).toEqual([]);
    const sections = Map.groupBy(rules, (id) => id[0]!);
    for (const [letter, ids] of sections) expect(ids).toEqual(ids.map((_, i) => `${letter}${i + 1}`));
  });

  it("has every rule that a test cites", () => {
    expect(cited.filter(({ id }) => !rules.includes(id))).toEqual([]);
  });

  it("has a test for every rule", () => {
    const ids = new Set(cited.map(({ id }) => id));
    expect(rules.filter((rule) => !ids.has(rule))).toEqual([]);
  });
});
