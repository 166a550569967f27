// Runs Telltale on this machine: the same bundles that are deployed, in workerd through Miniflare, one process, one port.
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { convertV4MiniflareOptions, Log, LogLevel, Miniflare } from "miniflare";
import { unstable_getMiniflareWorkerOptions } from "wrangler";
import { EACH_HOUR, EACH_MINUTE, PROMPT } from "../workers/aggregate/crons.ts";
import { INGEST_PATHS } from "../workers/ingest/paths.ts";
import { bundle } from "./bundle.ts";
import { readLocalSecret } from "./local-secret.ts";

const ROOT = fileURLToPath(new URL("../", import.meta.url));

export interface LocalOptions {
  /** 0: any free port. */
  port: number;
  /** Where D1, R2 and the objects are kept; undefined: nowhere, gone with the process. */
  state: string | undefined;
  /** Three Workers instead of one. */
  split: boolean;
  /** The tenant the page is signed in to. */
  tenant: string;
  /** Overrides of the Workers' vars. */
  vars?: Record<string, string>;
  /** How many warm databases; as many as wrangler.toml binds unless said. */
  warmDatabases?: number;
  /** How often it looks for what somebody waits for; the platform's crons tick too then. Neither unless said. */
  tickEveryMs?: number;
  /** Another entry than wrangler.toml's, relative to the project's root or absolute. */
  main?: string;
  /** How long a batch of the queue waits to be full; wrangler.toml's unless said. */
  batchTimeoutSeconds?: number;
  /** Whether its `url` is the Worker's own, past Miniflare's entry, which no deployment has; not with `split`. */
  isDirect?: boolean;
  quiet?: boolean;
  /** Told what begins. */
  onStep?(step: string): void;
}

export interface LocalRun {
  url: string;
  secret: string;
  miniflare: Miniflare;
  /** Name of the Worker that defines the objects. */
  objectsWorker: string;
  /** Lets the cron of each minute tick once. */
  tick(): Promise<void>;
  stop(): Promise<void>;
}

/** The crons of wrangler.toml. */
const PLATFORM_CRONS = [
  [EACH_MINUTE, 60_000],
  [EACH_HOUR, 3_600_000],
] as const;

/** What a local run sets and a deployment does not: a settable clock, quick sealing, quick resending, quick chores; and when it began. */
const LOCAL_VARS = {
  CLOCK: "settable",
  SEAL_SPREAD_MS: "60000",
  OUTBOX_RESEND_MS: "15000",
  SEAL_FALLBACK_MS: "0",
  OUTBOX_SLACK_MS: "0",
  CHORES: "prompt",
  GRACE_MS: "60000",
};

/** Starts it; resolves when it answers. The caller ends it with `stop`. */
export async function startLocal(options: LocalOptions): Promise<LocalRun> {
  // Wrangler's hints about what environments do not inherit are for those who edit wrangler.toml.
  process.env.WRANGLER_LOG ??= "error";
  const { onStep = () => {} } = options;
  const secret = await readLocalSecret();
  onStep(options.split ? "bundling the three Workers" : "bundling the Worker");
  const vars = { ...LOCAL_VARS, LOCAL_TENANT: options.tenant, TOKEN_SECRET: secret, ...options.vars };
  const environments = options.split ? ["api", "ingest", "aggregate"] : [undefined];
  const workers = await Promise.all(environments.map((environment) => workerOf(environment, vars, options)));
  for (const { bindings } of workers) bindings.STARTED_AT = String(Date.now()); // bundling takes seconds
  onStep(`starting workerd${options.port === 0 ? "" : ` on http://127.0.0.1:${options.port}`}`);
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      host: "127.0.0.1",
      port: options.port,
      cf: false,
      log: new Log(options.quiet ? LogLevel.ERROR : LogLevel.WARN),
      logRequests: false,
      telemetry: { enabled: false },
      // Where `wrangler dev --persist-to` keeps it too: both see the same data.
      resourcePersistencePath: options.state === undefined ? undefined : join(options.state, "v3"),
      workers,
    } as Parameters<typeof convertV4MiniflareOptions>[0]),
  );
  const objectsWorker = options.split ? "telltale-aggregate" : "telltale";
  const entry = await miniflare.ready;
  const url = (options.isDirect ? await miniflare.unsafeGetDirectURL() : entry).href.replace(/\/$/, "");
  await migrate(miniflare, objectsWorker, onStep);
  await endLeases(miniflare, objectsWorker);
  const tick = async (cron: string) => {
    await (await miniflare.getWorker(objectsWorker)).scheduled({ cron });
  };
  const ticking = new AbortController();
  if (options.tickEveryMs !== undefined) {
    for (const [cron, everyMs] of [[PROMPT, options.tickEveryMs] as const, ...PLATFORM_CRONS])
      void tickAlways(() => tick(cron), everyMs, ticking.signal);
  }
  return {
    url,
    secret,
    miniflare,
    objectsWorker,
    tick: () => tick(EACH_MINUTE),
    stop: async () => {
      ticking.abort();
      await miniflare.dispose();
    },
  };
}

/** A minute after the start also what is hourly comes: few laptops run for long. */
const FIRST_TICK_MS_MAX = 60_000;

/** What the platform's cron does, each by itself: Miniflare has none. */
async function tickAlways(tick: () => Promise<void>, everyMs: number, signal: AbortSignal): Promise<void> {
  for (let waitMs = Math.min(everyMs, FIRST_TICK_MS_MAX); ; waitMs = everyMs) {
    await sleep(waitMs, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return;
    await tick().catch(() => undefined); // a failed tick is logged by the Worker
  }
}

async function workerOf(
  environment: string | undefined,
  vars: Record<string, string>,
  { warmDatabases = 1, main, batchTimeoutSeconds, isDirect }: LocalOptions,
) {
  const { workerOptions, main: deployed } = unstable_getMiniflareWorkerOptions(
    join(ROOT, "wrangler.toml"),
    environment,
  );
  const contents = await bundle(main ?? deployed ?? "workers/single.ts", { sourcemap: "inline" });
  // In production the zone's routes do this; locally the first Worker answers what no other has a route for.
  const routes = environment === "ingest" ? INGEST_PATHS.map((path) => `*${path}*`) : undefined;
  const { modulesRules: _unused, ...bound } = workerOptions;
  const d1Databases = { ...(workerOptions.d1Databases as Record<string, { id: string }>) };
  for (let i = 1; "WARM_0" in d1Databases && i < warmDatabases; i++) {
    d1Databases[`WARM_${i}`] ??= { id: `warm-${i}` };
  }
  const queueConsumers = {
    ...(workerOptions.queueConsumers as Record<string, { maxBatchTimeout?: number }>),
  };
  if (batchTimeoutSeconds !== undefined) {
    for (const [queue, consumer] of Object.entries(queueConsumers))
      queueConsumers[queue] = { ...consumer, maxBatchTimeout: batchTimeoutSeconds };
  }
  return {
    ...bound,
    d1Databases,
    queueConsumers,
    name: environment === undefined ? "telltale" : `telltale-${environment}`,
    bindings: { ...(workerOptions.bindings as Record<string, string>), ...vars } as Record<string, string>,
    modules: [{ type: "ESModule", path: `${environment ?? "single"}.mjs`, contents }],
    modulesRoot: "/",
    routes,
    ...(isDirect && { unsafeDirectSockets: [{ host: "127.0.0.1", port: 0 }] }),
  };
}

/**
 * Gives back the chores that an earlier run on this state was at when it was ended: a state folder has one run, so nobody
 * is at them any more, and what waits for them, a deletion say, would wait for the five minutes of a lease.
 */
async function endLeases(miniflare: Miniflare, worker: string): Promise<void> {
  if (!("CONTROL" in (await miniflare.getBindings(worker)))) return;
  const control = await miniflare.getD1Database("CONTROL", worker);
  await control.prepare("UPDATE chore SET leased_until = 0 WHERE leased_until > 0").run();
}

/** Applies the migrations of all databases, noting them where `wrangler d1 migrations apply --local` does. */
async function migrate(miniflare: Miniflare, worker: string, onStep: (step: string) => void): Promise<void> {
  const bindings = Object.keys(await miniflare.getBindings(worker));
  for (const binding of bindings.filter((name) => /^(CONTROL|WARM_\d+)$/.test(name))) {
    const folder = binding === "CONTROL" ? "migrations/control" : "migrations/warm";
    const database = await miniflare.getD1Database(binding, worker);
    await database.exec(
      "CREATE TABLE IF NOT EXISTS d1_migrations (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE, applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL)",
    );
    const { results } = await database.prepare("SELECT name FROM d1_migrations").all<{ name: string }>();
    const applied = new Set(results.map(({ name }) => name));
    const files = (await readdir(join(ROOT, folder))).filter((file) => file.endsWith(".sql")).sort();
    const missing = files.filter((name) => !applied.has(name));
    onStep(`migrating ${binding}: ${missing.length} of ${files.length} migrations`);
    for (const file of missing) {
      const text = await readFile(join(ROOT, folder, file), "utf8");
      const statements = text.split(/;\s*$/m).filter((statement) => statement.trim() !== "");
      await database.batch([
        ...statements.map((statement) => database.prepare(statement)),
        database.prepare("INSERT INTO d1_migrations (name) VALUES (?)").bind(file),
      ]);
    }
  }
}
