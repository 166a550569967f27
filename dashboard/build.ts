// The dashboard's sources → dashboard/dist: index.html, main.js, style.css, favicon.svg, _headers.
import { copyFile, mkdir, mkdtemp, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const SOURCE = fileURLToPath(new URL(".", import.meta.url));
const DIST = fileURLToPath(new URL("dist/", import.meta.url));
/** On the same disk, and not served. */
const MADE = fileURLToPath(new URL("../dist/", import.meta.url));
const COPIED = ["index.html", "favicon.svg", "_headers"];
const FILES = [...COPIED, "main.js", "style.css"];

/**
 * Bundles the page into `dashboard/dist`. Each file takes the place of the one before at once: a server that serves them
 * meanwhile misses none.
 */
export async function buildDashboard(options: { minify?: boolean } = {}): Promise<void> {
  const minify = options.minify ?? true;
  await mkdir(DIST, { recursive: true });
  await mkdir(MADE, { recursive: true });
  const made = await mkdtemp(join(MADE, "page-"));
  await build({
    absWorkingDir: SOURCE,
    entryPoints: { main: "main.tsx", style: "style.css" },
    outdir: made,
    bundle: true,
    format: "iife",
    target: ["chrome123", "firefox120", "safari17.5"],
    jsx: "automatic",
    jsxImportSource: "preact",
    minify,
    sourcemap: minify ? false : "inline",
    legalComments: "eof",
    logLevel: "warning",
  });
  await Promise.all(COPIED.map((name) => copyFile(SOURCE + name, join(made, name))));
  for (const name of await readdir(made)) await rename(join(made, name), join(DIST, name));
  await rm(made, { recursive: true });
}

if (import.meta.main) {
  await buildDashboard();
  const sizes = await Promise.all(
    FILES.map(async (name) => {
      const bytes = await readFile(DIST + name);
      return { name, bytes: bytes.length, gzipBytes: gzipSync(bytes, { level: 9 }).length };
    }),
  );
  for (const { name, bytes, gzipBytes } of sizes) {
    console.log(
      `${name.padEnd(12)} ${String(bytes).padStart(7)} bytes  ${String(gzipBytes).padStart(6)} gzip`,
    );
  }
  const totalGzipBytes = sizes.reduce((sum, { gzipBytes }) => sum + gzipBytes, 0);
  console.log(`total        ${(totalGzipBytes / 1024).toFixed(1)} KB gzip`);
}
