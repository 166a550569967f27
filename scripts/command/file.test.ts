import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { aboutFile, checkFile } from "./file.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "telltale-file-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

it("[S29] a file that is missing, a directory or empty is named with the reason", async () => {
  await writeFile(join(folder, "empty.csv"), "");
  await writeFile(join(folder, "full.csv"), "x");
  await checkFile(join(folder, "full.csv"));
  for (const [path, reason] of [
    [join(folder, "none.csv"), "there is no such file"],
    [join(folder, "full.csv", "below.csv"), "there is no such file"],
    [folder, "it is a directory; name the files in it"],
    [join(folder, "empty.csv"), "it is empty"],
  ] as const)
    await expect(checkFile(path)).rejects.toThrow(`${path}: ${reason}`);
});

it("[S29] an error about a file names it once", () => {
  const denied = Object.assign(new Error("EACCES: permission denied, open 'a.csv'"), { code: "EACCES" });
  expect(aboutFile("a.csv", denied).message).toBe("a.csv: it may not be read by this user");
  const quoted = aboutFile("a.csv", new Error("a quote is not closed"));
  expect(quoted.message).toBe("a.csv: a quote is not closed");
  expect(aboutFile("a.csv", quoted)).toBe(quoted);
});
