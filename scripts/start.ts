// npm start: everything on this machine with one command, fed by a demo fleet.
import { signToken } from "../core/token/sign.ts";
import type { LocalRun } from "./local-run.ts";
import { forgetRunning, noteRunning } from "./running.ts";
import { parseArguments, USAGE, UsageError } from "./start/arguments.ts";
import { checkPort } from "./start/check-port.ts";
import { holdState, terminalQuestion } from "./start/hold-state.ts";

const TENANT = "demo";
const TOKEN_DAYS = 30;
/** The platform's cron ticks once a minute; who waits at a laptop waits less. */
const TICK_EVERY_MS = 1_000;

const beganAt = performance.now();
/** A step that begins, and when it did. */
const say = (step: string) =>
  console.log(`${((performance.now() - beganAt) / 1_000).toFixed(1).padStart(5)} s  ${step}`);

async function main(): Promise<void> {
  const { port, state, replace, demo, split, help } = parseArguments(process.argv.slice(2));
  if (help) return console.log(USAGE);

  const stopping = new AbortController();
  let run: LocalRun | undefined;
  const stop = async (code: number) => {
    if (stopping.signal.aborted) process.exit(1);
    stopping.abort();
    await run?.stop();
    await forgetRunning(state);
    process.exit(code);
  };
  const obeySignals = () => {
    for (const signal of ["SIGINT", "SIGTERM"]) {
      process.removeAllListeners(signal);
      process.on(signal, () => void stop(0));
    }
  };
  obeySignals();

  try {
    say(`taking the state folder ${state}`);
    await holdState({ state, replace, log: say, ask: terminalQuestion() });
    await checkPort(port);
    // What takes a second to load is loaded when it is plain that something will be started.
    say("building the pages");
    await (await import("./build.ts")).build();
    const { startLocal } = await import("./local-run.ts");
    run = await startLocal({ port, state, split, tenant: TENANT, tickEveryMs: TICK_EVERY_MS, onStep: say });
    obeySignals(); // Miniflare's own listener ends the process at once: the runtime before its objects, and our note stays
    await noteRunning(state, run.url);
  } catch (error) {
    console.error((error as Error).message);
    return await stop(1);
  }
  if (stopping.signal.aborted) return await run.stop();

  const ttlSeconds = TOKEN_DAYS * 86_400;
  const token = await signToken(
    { tenant: TENANT, role: "device", device: "pump-1", ttlSeconds },
    run.secret,
    Date.now(),
  );
  say("ready");
  console.log(`
Telltale runs${split ? " as three Workers" : ""}, state in ${state}. Ctrl-C ends everything.

  dashboard     ${run.url}/
  API           ${run.url}/openapi.json
  device token  ${token}
                (tenant ${TENANT}, device pump-1; more: npm run -s token -- --help)

Post a reading:

  curl ${run.url}/v1/telemetry -H 'Authorization: Bearer ${token}' -H 'Content-Type: application/json' -d '{"metrics":{"temperature":21.5}}'
`);
  if (!demo) return;
  const { runDemoFleet } = await import("./demo-fleet.ts");
  const { url, secret } = run;
  await runDemoFleet({
    url,
    secret,
    tenant: TENANT,
    signal: stopping.signal,
    log: (line) => say(`demo: ${line}`),
  });
}

main().catch((error: Error) => {
  console.error(error.message);
  if (error instanceof UsageError) console.error(USAGE);
  process.exit(error instanceof UsageError ? 2 : 1);
});
