// package-lock.json → what is installed is what was looked at.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";

const ROOT = join(import.meta.dirname, "..");
const read = (name: string) => JSON.parse(readFileSync(join(ROOT, name), "utf8"));

interface Locked {
  link?: boolean;
  integrity?: string;
  resolved?: string;
}

it("every locked package has its integrity, and no address of a registry", () => {
  const { packages } = read("package-lock.json") as { packages: Record<string, Locked> };
  const locked = Object.entries(packages).filter(([path, { link }]) => path !== "" && link !== true);
  expect(locked.length).toBeGreaterThan(100);
  expect(locked.filter(([, { integrity }]) => !/^sha512-[\w+/]{86}==$/.test(integrity ?? ""))).toEqual([]);
  expect(locked.filter(([, { resolved }]) => resolved !== undefined)).toEqual([]);
});

it("every direct dependency is of one exact version", () => {
  const { dependencies, devDependencies, optionalDependencies } = read("package.json") as Record<
    string,
    Record<string, string>
  >;
  const all = { ...dependencies, ...devDependencies, ...optionalDependencies };
  expect(Object.entries(all).filter(([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version))).toEqual([]);
});
