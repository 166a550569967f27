// Which machine, and which versions, a result is of.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { cpus, totalmem } from "node:os";

export interface Machine {
  cpu: string;
  cores: number;
  memoryGb: number;
  platform: string;
  node: string;
  runner: string;
}

export function thisMachine(): Machine {
  const processors = cpus();
  const versionOf = (name: string) =>
    (
      JSON.parse(readFileSync(createRequire(import.meta.url).resolve(`${name}/package.json`), "utf8")) as {
        version: string;
      }
    ).version;
  return {
    cpu: processors[0]?.model.trim() ?? "unknown",
    cores: processors.length,
    memoryGb: Math.round(totalmem() / 1e9),
    platform: `${process.platform} ${process.arch}`,
    node: process.version,
    runner: `workerd ${versionOf("workerd")} through Miniflare ${versionOf("miniflare")} (startLocal, one Worker, one process)`,
  };
}

/** A name for files: lower case, dashes. */
export const slugOf = ({ cpu, cores, platform }: Machine) =>
  `${cpu} ${cores}-core ${platform}`
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replaceAll(/^-|-$/g, "");
