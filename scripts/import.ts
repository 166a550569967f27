// Brings a history along: npm run import -- FILE… (see --help).
import { parseArgs } from "node:util";
import { cellsOf } from "../core/decode/csv-records.ts";
import { TENANT, tokenFor } from "./command/arguments.ts";
import { findServer, SERVER_OPTIONS, SERVER_USAGE } from "./command/find-server.ts";
import { showProgress } from "./command/progress.ts";
import { interruptSignal, runCommand, UsageError } from "./command/run-command.ts";
import { AdminClient } from "./import/admin-client.ts";
import { type Format, formatOf, lookInto } from "./import/read-file.ts";
import type { Columns } from "./import/row.ts";
import { type ImportResult, ImportStopped, runImport } from "./import/run-import.ts";
import { showImport } from "./import/show-result.ts";
import { commandOf, summaryOf, unwatchedText, watchJob } from "./import/watch-job.ts";

const USAGE = `usage: npm run import -- FILE… [options]

Takes readings of any age from CSV, NDJSON or Parquet files, also from what InfluxDB answers as annotated CSV, straight
into the archive and the rollups. Importing again changes nothing; of two values of a reading the later import's counts,
and within one that of the highest revision, as the archive's files have it, or else the later row's. docs/import.md
says what is taken of a file and what is not. What lies within the tenant's lateness horizon is posted to /v1/telemetry
instead. Every file is looked into before the server hears of it. Ctrl-C during the upload gives the import up;
afterwards it ends the watching only, and says how to watch, stop and resume the import.

columns
  a reading a row: device, at, metric, value; or a metric a column: device, at, and every other column
  --device NAME          all rows are of this device
  --device-column NAME   [device; of InfluxDB's answers device or host]
  --at-column NAME       epoch ms or ISO 8601, UTC without an offset; or year,month,day,hour,…  [at; _time]
  --metric-column NAME   or several, A,B, that are joined with a dot  [metric; _field]
  --value-column NAME    [value; _value]
  --metrics A,B          only these columns of a file with a metric a column; others are not read
  --format csv|ndjson|parquet   [by the file's name]
  --delimiter C          what parts the cells of a CSV file; tab is a word for it  [as its header shows: , ; | or tab]
  In a list, a name with a comma stands in double quotes.
how
  --zone NAME            where devices are that are not registered yet  [default]
  --strict               the first row that cannot be taken ends it, and nothing of it goes into the archive;
                         otherwise it is named, with its line, and the others are taken
  --no-wait              do not wait until the server has stored it
  --watch, --stop, --resume ID   an import that was begun before
where
${SERVER_USAGE}
  --tenant NAME          tenant to sign tokens for                [demo]
  --token TOKEN          call with this admin token instead
  --gateway-token TOKEN  with --token: posts what lies within the lateness horizon; without it such rows are refused
output
  --json                 the result as one JSON object on stdout
  --help                 this text

Exit code 0: every row was taken, 1: some were not, or the import failed, 2: wrong usage, 130: given up by Ctrl-C.
TOKEN_SECRET in the environment signs for a deployment instead of the local run.`;

const OPTIONS = {
  device: { type: "string" },
  "device-column": { type: "string" },
  "at-column": { type: "string" },
  "metric-column": { type: "string" },
  "value-column": { type: "string" },
  metrics: { type: "string" },
  format: { type: "string" },
  delimiter: { type: "string" },
  zone: { type: "string", default: "default" },
  strict: { type: "boolean", default: false },
  "no-wait": { type: "boolean", default: false },
  watch: { type: "string" },
  stop: { type: "string" },
  resume: { type: "string" },
  ...SERVER_OPTIONS,
  tenant: { type: "string", default: TENANT },
  token: { type: "string" },
  "gateway-token": { type: "string" },
  json: { type: "boolean", default: false },
  help: { type: "boolean", short: "h", default: false },
} as const;

type Values = ReturnType<typeof readValues>["values"];
const readValues = () => parseArgs({ options: OPTIONS, allowPositionals: true });

async function main(): Promise<number> {
  const { values, positionals } = readValues();
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  const known = values.watch ?? values.stop ?? values.resume;
  const files = known === undefined ? filesOf(values, positionals) : [];
  const columns = columnsOf(values);
  for (const { path, format } of files) await lookInto(path, format, columns);
  const url = await findServer(values);
  const signal = interruptSignal();
  const client = new AdminClient(url, values.token ?? (await tokenFor(values.tenant, "admin")), signal);
  let result: ImportResult | undefined;
  if (values.stop !== undefined) await client.post(`/v1/admin/jobs/${values.stop}/stop`);
  else if (values.resume !== undefined) await client.post(`/v1/admin/jobs/${values.resume}/resume`);
  else if (known === undefined) {
    try {
      result = await upload(client, values, columns, files, signal);
    } catch (error) {
      if (!(signal.aborted && error instanceof ImportStopped)) throw error;
      console.error(error.message);
      return 130;
    }
  }
  const id = known ?? result!.job.id;
  const onUnwatched = () => console.error(unwatchedText("import", id, commandOf("import", values)));
  const shown = values.json ? undefined : showProgress();
  const job = values["no-wait"]
    ? await client.job(id)
    : await watchJob(client, id, { signal, onUnwatched, shown });
  if (values["no-wait"] && !values.json) onUnwatched();
  if (values.json) console.log(JSON.stringify({ ...result, job }));
  else console.log(result === undefined ? summaryOf(job) : showImport(result, job));
  return job.status === "failed" || (result?.refused ?? 0) > 0 ? 1 : 0;
}

interface NamedFile {
  path: string;
  format: Format;
}

function filesOf({ format }: Values, paths: readonly string[]): NamedFile[] {
  if (paths.length === 0) throw new UsageError("name the files to import");
  if (format !== undefined && !["csv", "ndjson", "parquet"].includes(format))
    throw new UsageError(`--format ${format}: csv, ndjson or parquet`);
  return paths.map((path) => ({ path, format: (format as Format | undefined) ?? formatOf(path) }));
}

/** @throws UsageError */
const columnsOf = (values: Values): Columns => ({
  device: values.device,
  deviceColumn: values["device-column"],
  atColumns: listIn("--at-column", values["at-column"]),
  metricColumns: listIn("--metric-column", values["metric-column"]),
  valueColumn: values["value-column"],
  metrics: listIn("--metrics", values.metrics),
  delimiter: delimiterIn(values.delimiter),
});

/** Names with commas between them, as in a line of CSV. */
function listIn(option: string, list: string | undefined): string[] | undefined {
  if (list === undefined) return undefined;
  const names = cellsOf(list, ",");
  if (names === undefined) throw new UsageError(`${option} ${list}: a quote is not where it belongs`);
  return names.map((name) => name.trim());
}

function delimiterIn(text: string | undefined): string | undefined {
  if (text === "tab" || text === "\\t") return "\t";
  if (text === undefined || /^[^\p{L}\p{N}\s"'.+-]$|^\t$/u.test(text)) return text;
  throw new UsageError(
    `--delimiter ${text}: one character such as , ; | or the word tab, but no letter, digit, blank, quote or sign`,
  );
}

async function upload(
  client: AdminClient,
  values: Values,
  columns: Columns,
  files: readonly NamedFile[],
  signal: AbortSignal,
): Promise<ImportResult> {
  const { token, tenant, zone, strict } = values;
  const shown = values.json ? undefined : showProgress();
  try {
    return await runImport({
      client,
      files,
      columns,
      zone,
      gatewayToken: token === undefined ? await tokenFor(tenant, "gateway") : values["gateway-token"],
      strict,
      signal,
      onProgress: ({ path, rows, readings }) =>
        shown?.update({ what: `uploading ${path}`, done: rows, unit: "rows", note: `${readings} readings` }),
    });
  } finally {
    shown?.stop();
  }
}

runCommand(USAGE, main);
