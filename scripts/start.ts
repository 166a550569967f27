// npm start: everything on this machine with one command, fed by a demo fleet.
import { parseArgs } from "node:util";
import { signToken } from "../core/token/sign.ts";
import { build } from "./build.ts";
import { runDemoFleet } from "./demo-fleet.ts";
import { startLocal } from "./local-run.ts";
import { endEarlierRun, forgetRunning, noteRunning } from "./running.ts";

const USAGE = `usage: npm start -- [--port 8787] [--state .wrangler/state] [--no-demo] [--split]
  --port N      port on 127.0.0.1 (default 8787)
  --state DIR   where D1, R2 and the objects are kept over restarts (default .wrangler/state)
  --no-demo     no demo fleet
  --split       three Workers (ingest, aggregate, api) instead of one`;

const TENANT = "demo";
const TOKEN_DAYS = 30;
/** The platform's cron ticks once a minute; who waits at a laptop waits less. */
const TICK_EVERY_MS = 5_000;

function readArguments(): { port: number; state: string; demo: boolean; split: boolean } {
  const { values } = parseArgs({
    options: {
      port: { type: "string", default: "8787" },
      state: { type: "string", default: ".wrangler/state" },
      "no-demo": { type: "boolean", default: false },
      split: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(USAGE);
    process.exit(0);
  }
  const port = Number(values.port);
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    throw new Error(`--port ${values.port}: a number from 0 to 65535`);
  return { port, state: values.state, demo: !values["no-demo"], split: values.split };
}

async function main(): Promise<void> {
  const { port, state, demo, split } = readArguments();
  const ended = await endEarlierRun(state);
  if (ended.length > 0) console.log(`Ended an earlier run on ${state} (pid ${ended.join(", ")}).`);
  await build();
  const run = await startLocal({ port, state, split, tenant: TENANT, tickEveryMs: TICK_EVERY_MS }).catch(
    (error: Error) => {
      if (/address already in use|EADDRINUSE/i.test(error.message)) {
        throw new Error(`port ${port} is in use by another program; end it, or choose another with --port N`);
      }
      throw error;
    },
  );
  await noteRunning(state);

  const stopping = new AbortController();
  const stop = async () => {
    if (stopping.signal.aborted) process.exit(1);
    stopping.abort();
    await run.stop();
    await forgetRunning(state);
    process.exit(0);
  };
  process.on("SIGINT", () => void stop());
  process.on("SIGTERM", () => void stop());

  const ttlSeconds = TOKEN_DAYS * 86_400;
  const token = await signToken(
    { tenant: TENANT, role: "device", device: "pump-1", ttlSeconds },
    run.secret,
    Date.now(),
  );
  console.log(`
Telltale runs${split ? " as three Workers" : ""}, state in ${state}.

  dashboard     ${run.url}/
  API           ${run.url}/openapi.json
  device token  ${token}
                (tenant ${TENANT}, device pump-1; more: npm run -s token -- --help)

Post a reading:

  curl ${run.url}/v1/telemetry -H 'Authorization: Bearer ${token}' -H 'Content-Type: application/json' -d '{"metrics":{"temperature":21.5}}'
`);
  if (demo) {
    console.log(
      "The demo fleet plays a recording of Beijing's air; --no-demo leaves it out. Ctrl-C ends everything.",
    );
    await runDemoFleet({
      url: run.url,
      secret: run.secret,
      tenant: TENANT,
      signal: stopping.signal,
      log: console.log,
    });
  }
}

main().catch((error: Error) => {
  console.error(error.message);
  process.exit(1);
});
