// A Worker's entry → one ES module for workerd, as `wrangler deploy` bundles it but without its checks.
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const ROOT = fileURLToPath(new URL("../", import.meta.url));

/** `entry`: a path, relative to the project's root or absolute; `alias` gives a module's name another file. */
export async function bundle(
  entry: string,
  { alias = {}, sourcemap = false }: { alias?: Record<string, string>; sourcemap?: "inline" | false } = {},
): Promise<string> {
  const { outputFiles } = await build({
    absWorkingDir: ROOT,
    entryPoints: [entry],
    alias,
    write: false,
    bundle: true,
    format: "esm",
    target: "es2024",
    conditions: ["workerd", "worker", "browser"],
    external: ["cloudflare:*", "node:*"],
    logLevel: "error",
    sourcemap,
  });
  return outputFiles[0]!.text;
}
