// Brings a history along: npm run import -- FILE… (see --help).
import { parseArgs } from "node:util";
import { SingleBar } from "cli-progress";
import { AdminClient } from "./import/admin-client.ts";
import { originOf, tokenFor, UsageError } from "./import/arguments.ts";
import { type Format, formatOf } from "./import/read-file.ts";
import { type ImportResult, runImport } from "./import/run-import.ts";
import { interruptSignal, summaryOf, watchJob } from "./import/watch-job.ts";

const USAGE = `usage: npm run import -- FILE… [options]

Takes readings of any age from CSV, NDJSON or Parquet files straight into the archive and the rollups. Importing again
changes nothing; of two values of a reading the later import's counts. What lies within the tenant's lateness horizon
is posted to /v1/telemetry instead. Ctrl-C during the upload gives the import up; afterwards it ends the watching only.

columns
  a reading a row: device, at, metric, value; or a metric a column: device, at, and every other column
  --device NAME          all rows are of this device
  --device-column NAME   [device]
  --at-column NAME       epoch ms or ISO 8601, UTC without an offset; or year,month,day,hour,…  [at]
  --metric-column NAME   [metric]
  --value-column NAME    [value]
  --metrics A,B          only these columns of a file with a metric a column
  --format csv|ndjson|parquet   [by the file's name]
how
  --zone NAME            where devices are that are not registered yet  [default]
  --strict               the first row that cannot be taken ends it, and nothing of it goes into the archive
  --no-wait              do not wait until the server has stored it
  --watch, --stop, --resume ID   an import that was begun before
where
  --url URL              the server                               [http://127.0.0.1:8787]
  --tenant NAME          tenant to sign tokens for                [demo]
  --token TOKEN          call with this admin token instead
  --gateway-token TOKEN  with --token: posts what lies within the lateness horizon; without it such rows are refused
output
  --json                 the result as one JSON object on stdout
  --help                 this text

Exit code 0: every row was taken, 1: some were not, or the import failed, 2: wrong usage.
TOKEN_SECRET in the environment signs for a deployment instead of the local run.`;

const OPTIONS = {
  device: { type: "string" },
  "device-column": { type: "string", default: "device" },
  "at-column": { type: "string", default: "at" },
  "metric-column": { type: "string", default: "metric" },
  "value-column": { type: "string", default: "value" },
  metrics: { type: "string" },
  format: { type: "string" },
  zone: { type: "string", default: "default" },
  strict: { type: "boolean", default: false },
  "no-wait": { type: "boolean", default: false },
  watch: { type: "string" },
  stop: { type: "string" },
  resume: { type: "string" },
  url: { type: "string", default: "http://127.0.0.1:8787" },
  tenant: { type: "string", default: "demo" },
  token: { type: "string" },
  "gateway-token": { type: "string" },
  json: { type: "boolean", default: false },
  help: { type: "boolean", short: "h", default: false },
} as const;

const PROBLEMS_SHOWN = 20;

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({ options: OPTIONS, allowPositionals: true });
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  const client = new AdminClient(
    originOf(values.url),
    values.token ?? (await tokenFor(values.tenant, "admin")),
  );
  const signal = interruptSignal();
  const known = values.watch ?? values.stop ?? values.resume;
  let result: ImportResult | undefined;
  if (values.stop !== undefined) await client.post(`/v1/admin/jobs/${values.stop}/stop`);
  else if (values.resume !== undefined) await client.post(`/v1/admin/jobs/${values.resume}/resume`);
  else if (known === undefined) result = await upload(client, values, positionals, signal);
  const id = known ?? result!.job.id;
  const job = values["no-wait"] ? await client.job(id) : await watchJob(client, id, signal);
  console.log(values.json ? JSON.stringify({ ...result, job }) : textOf(result, summaryOf(job)));
  return job.status === "failed" || (result?.refused ?? 0) > 0 ? 1 : 0;
}

type Values = ReturnType<typeof parseArgs<{ options: typeof OPTIONS }>>["values"];

async function upload(
  client: AdminClient,
  values: Values,
  paths: string[],
  signal: AbortSignal,
): Promise<ImportResult> {
  if (paths.length === 0) throw new UsageError("name the files to import");
  const { format, token } = values;
  if (format !== undefined && !["csv", "ndjson", "parquet"].includes(format))
    throw new UsageError(`--format ${format}: csv, ndjson or parquet`);
  const files = paths.map((path) => ({ path, format: (format as Format | undefined) ?? formatOf(path) }));
  const bar = process.stderr.isTTY
    ? new SingleBar({
        format: "{rows} rows, {readings} readings read",
        stream: process.stderr,
        clearOnComplete: true,
      })
    : undefined;
  bar?.start(1, 0, { rows: 0, readings: 0 });
  try {
    return await runImport({
      client,
      files,
      columns: {
        device: values.device,
        deviceColumn: values["device-column"]!,
        atColumns: values["at-column"]!.split(","),
        metricColumn: values["metric-column"]!,
        valueColumn: values["value-column"]!,
        metrics: values.metrics?.split(","),
      },
      zone: values.zone!,
      gatewayToken: token === undefined ? await tokenFor(values.tenant!, "gateway") : values["gateway-token"],
      strict: values.strict!,
      signal,
      onProgress: ({ rows, readings }) => bar?.update(0, { rows, readings }),
    });
  } finally {
    bar?.stop();
  }
}

function textOf(result: ImportResult | undefined, summary: string): string {
  if (result === undefined) return summary;
  const { rows, readings, posted, refused, problems } = result;
  const shown = problems
    .slice(0, PROBLEMS_SHOWN)
    .map(({ place, code, message }) => `  ${place} ${code}: ${message}`);
  if (problems.length > PROBLEMS_SHOWN)
    shown.push(`  … and ${problems.length - PROBLEMS_SHOWN} more; --json lists up to 1,000`);
  const counts = `${rows} rows: ${readings} readings imported, ${posted} posted to /v1/telemetry, ${refused} refused`;
  return [counts, ...shown, summary].join("\n");
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
