// Where this machine keeps Chromium, if it has one.
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";

const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/** `CHROMIUM_PATH`, else the first on the PATH, else where Debian puts it; undefined: nowhere. */
export function findChromium(): string | undefined {
  const folders = (process.env.PATH ?? "").split(delimiter).filter((folder) => folder !== "");
  const candidates = [
    ...(process.env.CHROMIUM_PATH ? [process.env.CHROMIUM_PATH] : []),
    ...folders.flatMap((folder) => NAMES.map((name) => join(folder, name))),
    "/usr/bin/chromium",
  ];
  return candidates.find((path) => existsSync(path));
}

/** How it is started: without what a container has not. */
export const CHROMIUM_ARGUMENTS = [
  "--no-sandbox",
  "--disable-dev-shm-usage",
  "--disable-gpu",
  "--disable-background-networking",
];
