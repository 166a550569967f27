// Rebuilds rollups and aggregates of a range: npm run replay-archive -- --from DAY --to DAY (see --help).
import { parseArgs } from "node:util";
import { AdminClient } from "./import/admin-client.ts";
import { instantOf, originOf, tokenFor, UsageError } from "./import/arguments.ts";
import { interruptSignal, summaryOf, watchJob } from "./import/watch-job.ts";

const USAGE = `usage: npm run replay-archive -- --from WHEN --to WHEN [options]
       npm run replay-archive -- --watch ID | --stop ID | --resume ID

Rebuilds rollups and aggregates of the UTC days that the half-open range touches, and shows how far it is. Ctrl-C ends
the watching, not the work.

  --from, --to WHEN       2013-03, 2013-03-01 or 2013-03-01T06:00Z
  --source archive|blocks from the Parquet files, or from what the devices still hold  [archive]
  --watch, --stop, --resume ID   a replay that was begun before
  --url URL               the server                             [http://127.0.0.1:8787]
  --tenant NAME           tenant to sign an admin token for      [demo]
  --token TOKEN           call with this admin token instead
  --json                  the job as JSON on stdout

Exit code 0: done, or still at work when the watching was ended; 1: failed; 2: wrong usage.
TOKEN_SECRET in the environment signs for a deployment instead of the local run.`;

const OPTIONS = {
  from: { type: "string" },
  to: { type: "string" },
  source: { type: "string", default: "archive" },
  watch: { type: "string" },
  stop: { type: "string" },
  resume: { type: "string" },
  url: { type: "string", default: "http://127.0.0.1:8787" },
  tenant: { type: "string", default: "demo" },
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
  const client = new AdminClient(
    originOf(values.url),
    values.token ?? (await tokenFor(values.tenant, "admin")),
  );
  const { stop, resume, watch } = values;
  let id = watch;
  if (stop !== undefined) id = (await client.post(`/v1/admin/jobs/${stop}/stop`)).id;
  else if (resume !== undefined) id = (await client.post(`/v1/admin/jobs/${resume}/resume`)).id;
  else if (watch === undefined) {
    const [from, to] = [instantOf("--from", values.from), instantOf("--to", values.to)];
    if (from >= to) throw new UsageError("--from must be before --to");
    if (values.source !== "archive" && values.source !== "blocks")
      throw new UsageError(`--source ${values.source}: archive or blocks`);
    id = (await client.post("/v1/admin/replay", { from, to, source: values.source })).id;
    if (!values.json) console.error(`replay ${id} begun; it goes on when this ends`);
  }
  const job = await watchJob(client, id!, interruptSignal());
  console.log(values.json ? JSON.stringify(job) : summaryOf(job));
  return job.status === "failed" ? 1 : 0;
}

main().then(
  (code) => process.exit(code),
  (error: Error) => {
    console.error(error.message);
    const isUsage =
      error instanceof UsageError || (error as { code?: string }).code?.startsWith("ERR_PARSE_ARGS");
    if (isUsage) console.error(USAGE);
    process.exit(isUsage ? 2 : 1);
  },
);
