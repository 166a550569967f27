// Starts the program that counts, on a state folder of its own, with the bindings of wrangler.toml; and plays fleets on it.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { convertV4MiniflareOptions, Log, LogLevel, Miniflare } from "miniflare";
import { unstable_getMiniflareWorkerOptions } from "wrangler";
import { bundle } from "../../scripts/bundle.ts";
import { readLocalSecret } from "../../scripts/local-secret.ts";
import { DEPLOYED_VARS, migrate } from "../run/telltale.ts";
import type { Played, PlayedFleet } from "./fleet.ts";

export interface Ledger {
  play(fleet: PlayedFleet): Promise<Played>;
  stop(): Promise<void>;
}

export async function startLedger(): Promise<Ledger> {
  const state = await mkdtemp(join(tmpdir(), "telltale-ledger-"));
  await migrate(state);
  const toml = fileURLToPath(new URL("../../wrangler.toml", import.meta.url));
  const { modulesRules: _unused, ...bound } = unstable_getMiniflareWorkerOptions(toml).workerOptions;
  const bindings = {
    ...(bound.bindings as Record<string, string>),
    ...DEPLOYED_VARS,
    TOKEN_SECRET: await readLocalSecret(),
  };
  const module = {
    type: "ESModule",
    path: "ledger.mjs",
    contents: await bundle("bench/ledger/worker/worker.ts"),
  };
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      host: "127.0.0.1",
      port: 0,
      cf: false,
      log: new Log(LogLevel.ERROR),
      logRequests: false,
      telemetry: { enabled: false },
      resourcePersistencePath: join(state, "v3"),
      workers: [{ ...bound, name: "telltale", bindings, modules: [module], modulesRoot: "/" }],
    } as Parameters<typeof convertV4MiniflareOptions>[0]),
  );
  await miniflare.ready;
  return {
    play: async (fleet) => {
      const body = JSON.stringify(fleet);
      const response = await miniflare.dispatchFetch("http://ledger/ledger/play", { method: "POST", body });
      if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`);
      return (await response.json()) as Played;
    },
    stop: async () => {
      await miniflare.dispose();
      await rm(state, { recursive: true, force: true });
    },
  };
}
