// Runs the deployed program inside a Worker that counts it, on a state folder of its own, with the bindings of wrangler.toml.
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { unstable_getMiniflareWorkerOptions } from "wrangler";
import { readLocalSecret } from "../../scripts/local-secret.ts";
import { type Served, serveWorker } from "./serve.ts";
import { DEPLOYED_VARS, migrate } from "./telltale.ts";

const TOML = fileURLToPath(new URL("../../wrangler.toml", import.meta.url));

/** `contents`: the bundled module; `vars` beside those that are deployed. */
export async function serveProgram(
  contents: string,
  vars: Record<string, string> = {},
): Promise<Served & { secret: string }> {
  const state = await mkdtemp(join(tmpdir(), "telltale-bench-"));
  await migrate(state);
  const secret = await readLocalSecret();
  const { modulesRules: _unused, ...bound } = unstable_getMiniflareWorkerOptions(TOML).workerOptions;
  const bindings = {
    ...(bound.bindings as Record<string, string>),
    ...DEPLOYED_VARS,
    ...vars,
    TOKEN_SECRET: secret,
  };
  const served = await serveWorker(state, join(state, "v3"), {
    ...bound,
    name: "telltale",
    bindings,
    modules: [{ type: "ESModule", path: "counted.mjs", contents }],
    modulesRoot: "/",
  });
  return { ...served, secret };
}
