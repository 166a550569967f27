// Starts the counted program on a state folder of its own, with the bindings of wrangler.toml, as `startLocal` does.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { convertV4MiniflareOptions, Log, LogLevel, Miniflare } from "miniflare";
import { unstable_getMiniflareWorkerOptions } from "wrangler";
import { bundle } from "../../scripts/bundle.ts";
import { readLocalSecret } from "../../scripts/local-secret.ts";
import { DEPLOYED_VARS, migrate, TENANT } from "../run/telltale.ts";

export type Counts = Record<string, Record<string, number>>;

export interface CountedRun {
  url: string;
  secret: string;
  /** Everything counted since the start, by tenant; under "" what tenants share. */
  operations(): Promise<Counts>;
  stop(): Promise<void>;
}

export async function startCounted(): Promise<CountedRun> {
  const state = await mkdtemp(join(tmpdir(), "telltale-bench-"));
  await migrate(state);
  const secret = await readLocalSecret();
  const toml = fileURLToPath(new URL("../../wrangler.toml", import.meta.url));
  const { modulesRules: _unused, ...bound } = unstable_getMiniflareWorkerOptions(toml).workerOptions;
  const contents = await bundle("bench/counted/worker.ts", { alias: { telltale: "./workers/single.ts" } });
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      host: "127.0.0.1",
      port: 0,
      cf: false,
      log: new Log(LogLevel.ERROR),
      logRequests: false,
      telemetry: { enabled: false },
      resourcePersistencePath: join(state, "v3"),
      workers: [
        {
          ...bound,
          name: "telltale",
          bindings: {
            ...(bound.bindings as Record<string, string>),
            ...DEPLOYED_VARS,
            CLOCK: "settable",
            LOCAL_TENANT: TENANT,
            TOKEN_SECRET: secret,
          },
          modules: [{ type: "ESModule", path: "counted.mjs", contents }],
          modulesRoot: "/",
        },
      ],
    } as Parameters<typeof convertV4MiniflareOptions>[0]),
  );
  const url = (await miniflare.ready).href.replace(/\/$/, "");
  return {
    url,
    secret,
    operations: async () => (await (await fetch(`${url}/bench/operations`)).json()) as Counts,
    stop: async () => {
      await miniflare.dispose();
      await rm(state, { recursive: true, force: true });
    },
  };
}
