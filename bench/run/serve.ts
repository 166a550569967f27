// Runs a small Worker the way `startLocal` runs Telltale: bundled by esbuild, in workerd through Miniflare.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { convertV4MiniflareOptions, Log, LogLevel, Miniflare } from "miniflare";
import { bundle } from "../../scripts/bundle.ts";

export interface Served {
  url: string;
  miniflare: Miniflare;
  stop(): Promise<void>;
}

/** Runs one Worker on what is kept in `folder`, a part of `state`; `stop` ends it and removes that. */
export async function serveWorker(state: string, folder: string, worker: object): Promise<Served> {
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      host: "127.0.0.1",
      port: 0,
      cf: false,
      log: new Log(LogLevel.ERROR),
      logRequests: false,
      telemetry: { enabled: false },
      resourcePersistencePath: folder,
      workers: [worker],
    } as Parameters<typeof convertV4MiniflareOptions>[0]),
  );
  const url = (await miniflare.ready).href.replace(/\/$/, "");
  const stop = async () => {
    await miniflare.dispose();
    await rm(state, { recursive: true, force: true });
  };
  return { url, miniflare, stop };
}

/** `entry` is a path from the project's root; its class `BareObject` is bound as `BARE`. */
export async function serveBare(entry: string): Promise<Served> {
  // On disk like Telltale's: without a folder rows would live in memory and cost no fsync.
  const state = await mkdtemp(join(tmpdir(), "telltale-bench-bare-"));
  return await serveWorker(state, state, {
    name: "bare",
    modules: [{ type: "ESModule", path: "bare.mjs", contents: await bundle(entry) }],
    modulesRoot: "/",
    compatibilityDate: "2026-08-01",
    durableObjects: { BARE: { className: "BareObject", useSQLite: true } },
  });
}
