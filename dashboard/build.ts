// The dashboard's sources → dashboard/dist: index.html, main.js, style.css, favicon.svg.
import { copyFile, mkdir, readFile, rm } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const SOURCE = fileURLToPath(new URL(".", import.meta.url));
const DIST = fileURLToPath(new URL("dist/", import.meta.url));
const COPIED = ["index.html", "favicon.svg"];
const FILES = [...COPIED, "main.js", "style.css"];

/** Bundles the page into `dashboard/dist`; what was there before is removed. */
export async function buildDashboard(options: { minify?: boolean } = {}): Promise<void> {
  const minify = options.minify ?? true;
  await rm(DIST, { recursive: true, force: true });
  await mkdir(DIST, { recursive: true });
  await build({
    absWorkingDir: SOURCE,
    entryPoints: { main: "main.tsx", style: "style.css" },
    outdir: DIST,
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
  await Promise.all(COPIED.map((name) => copyFile(SOURCE + name, DIST + name)));
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
