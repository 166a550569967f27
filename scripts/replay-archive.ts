// Rebuilds rollups and aggregates of a range: npm run replay-archive -- --from DAY --to DAY (see --help).
import { parseArgs } from "node:util";
import { instantOf, TENANT, tokenFor } from "./command/arguments.ts";
import { findServer, SERVER_OPTIONS, SERVER_USAGE } from "./command/find-server.ts";
import { showProgress } from "./command/progress.ts";
import { interruptSignal, runCommand, UsageError } from "./command/run-command.ts";
import { AdminClient } from "./import/admin-client.ts";
import { commandOf, summaryOf, unwatchedText, watchJob } from "./import/watch-job.ts";

const USAGE = `usage: npm run replay-archive -- --from WHEN --to WHEN [options]
       npm run replay-archive -- --watch ID | --stop ID | --resume ID

Rebuilds rollups and aggregates of the UTC days that the half-open range touches, and shows how far it is. Ctrl-C ends
the watching, not the work, and says how to watch, stop and resume it.

  --from, --to WHEN      2013-03, 2013-03-01 or 2013-03-01T06:00Z
  --source archive|blocks from the Parquet files, or from what the devices still hold  [archive]
  --watch, --stop, --resume ID   a replay that was begun before
${SERVER_USAGE}
  --tenant NAME          tenant to sign an admin token for       [demo]
  --token TOKEN          call with this admin token instead
  --json                 the job as JSON on stdout

Exit code 0: done, or still at work when the watching was ended; 1: failed; 2: wrong usage.
TOKEN_SECRET in the environment signs for a deployment instead of the local run.`;

const OPTIONS = {
  from: { type: "string" },
  to: { type: "string" },
  source: { type: "string", default: "archive" },
  watch: { type: "string" },
  stop: { type: "string" },
  resume: { type: "string" },
  ...SERVER_OPTIONS,
  tenant: { type: "string", default: TENANT },
  token: { type: "string" },
  json: { type: "boolean", default: false },
  help: { type: "boolean", short: "h", default: false },
} as const;

async function main(): Promise<number> {
  const { values } = parseArgs({ options: OPTIONS });
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  const { stop, resume, watch } = values;
  const range = (stop ?? resume ?? watch) === undefined ? rangeOf(values) : undefined;
  const url = await findServer(values);
  const signal = interruptSignal();
  const client = new AdminClient(url, values.token ?? (await tokenFor(values.tenant, "admin")), signal);
  let id = watch;
  if (stop !== undefined) id = (await client.post(`/v1/admin/jobs/${stop}/stop`)).id;
  else if (resume !== undefined) id = (await client.post(`/v1/admin/jobs/${resume}/resume`)).id;
  else if (range !== undefined) {
    id = (await client.post("/v1/admin/replay", range)).id;
    if (!values.json) console.error(`replay ${id} begun; it goes on when this ends`);
  }
  const onUnwatched = () => console.error(unwatchedText("replay", id!, commandOf("replay-archive", values)));
  const shown = values.json ? undefined : showProgress();
  const job = await watchJob(client, id!, { signal, onUnwatched, shown });
  console.log(values.json ? JSON.stringify(job) : summaryOf(job));
  return job.status === "failed" ? 1 : 0;
}

function rangeOf({ from, to, source }: { from?: string; to?: string; source: string }) {
  const instant = (option: string, given: string | undefined) => {
    if (given === undefined) throw new UsageError(`${option} is missing; ${option} 2013-03-01`);
    return instantOf(option, given);
  };
  const range = { from: instant("--from", from), to: instant("--to", to) };
  if (range.from >= range.to) throw new UsageError("--from must be before --to");
  if (source !== "archive" && source !== "blocks")
    throw new UsageError(`--source ${source}: archive or blocks`);
  return { ...range, source };
}

runCommand(USAGE, main);
