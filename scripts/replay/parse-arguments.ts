// The command line of `npm run replay` → what to play and how.
import { parseArgs } from "node:util";
import { instantOf, originOf, TENANT } from "../command/arguments.ts";
import { SERVER_OPTIONS, SERVER_USAGE } from "../command/find-server.ts";
import { UsageError } from "../command/run-command.ts";
import type { ReplayOptions } from "./play.ts";
import type { Selection } from "./select-reports.ts";

export const USAGE = `usage: npm run replay -- FILE [options]

Plays a recording of real devices into a running Telltale. FILE is the Beijing air archive (.tgz) or one of its CSV
files, CampusIoT uplinks (.ndjson), an OoO-Dataset CSV file or a NAB series, plain or gzipped.

where
${SERVER_USAGE}
  --tenant NAME        tenant to sign tokens for                         [demo]
  --token TOKEN        call with this token instead: a gateway's for --door http, a device's for --door socket
  --admin-token TOKEN  with --token: the token that seals; without it nothing is sealed
how
  --door http|socket   one gateway posting, or one WebSocket a device    [http]
  --speed max|N        as fast as the server takes it, or N × recorded time  [max]
  --clock recording    the local server's clock follows the recording    [this one]
          shift        the recording is moved in time so that it ends now
          now          the recording is sent as it is
  --batch N            most reports a request; with it a request may span more than one recorded hour  [1000]
  --concurrency N      requests in flight; a device's reports stay in order  [4]
  --commit-every MS    socket door: let the server hold reports so long  [the tenant's setting]
  --window N           socket door: most reports of a device unacknowledged  [256]
  --retry-for SECONDS  how long to bear a server that is down or unwilling   [120]
  --no-seal            do not ask for the last hour to be sealed
what
  --from, --to WHEN    half-open range of the reports' own time: 2013-03, 2013-03-01 or 2013-03-01T06:00Z
  --devices A,B        only these
  --limit N            at most so many reports
output
  --json               the result as one JSON object on stdout, and no progress bar
  --help               this text

Exit code 0: everything acknowledged, 1: something was not, 2: wrong usage, 130: interrupted (the result so far is shown).
TOKEN_SECRET in the environment signs for a deployment instead of the local run.`;

export interface ReplayArguments {
  file: string;
  /** Where the server is said to be, and where the local run notes it. */
  server: { url?: string; state: string; json: boolean };
  tenant: string;
  token?: string;
  adminToken?: string;
  json: boolean;
  selection: Selection;
  options: Omit<ReplayOptions, "recording" | "selection" | "tokens" | "url">;
}

const OPTIONS = {
  ...SERVER_OPTIONS,
  tenant: { type: "string", default: TENANT },
  token: { type: "string" },
  "admin-token": { type: "string" },
  door: { type: "string", default: "http" },
  speed: { type: "string", default: "max" },
  clock: { type: "string", default: "recording" },
  batch: { type: "string" },
  concurrency: { type: "string" },
  "commit-every": { type: "string" },
  window: { type: "string" },
  "retry-for": { type: "string" },
  "no-seal": { type: "boolean", default: false },
  from: { type: "string" },
  to: { type: "string" },
  devices: { type: "string" },
  limit: { type: "string" },
  json: { type: "boolean", default: false },
  help: { type: "boolean", short: "h", default: false },
} as const;

/**
 * Undefined: help was asked for.
 * @throws UsageError naming the option, what was given and what would be right
 */
export function parseArguments(argv: readonly string[]): ReplayArguments | undefined {
  const { values, positionals } = parsed(argv);
  if (values.help) return undefined;
  const [file, ...more] = positionals;
  if (file === undefined) throw new UsageError("name the recording to play");
  if (more.length > 0) throw new UsageError(`one recording at a time; got also ${more.join(", ")}`);
  const door = oneOf("--door", values.door, ["http", "socket"] as const);
  const devices = values.devices?.split(",").filter((device) => device !== "");
  if (values.token !== undefined && door === "socket" && devices?.length !== 1) {
    throw new UsageError("--token with --door socket is the token of one device: name it by --devices");
  }
  const fromMs = values.from === undefined ? undefined : instantOf("--from", values.from);
  const toMs = values.to === undefined ? undefined : instantOf("--to", values.to);
  if (fromMs !== undefined && toMs !== undefined && fromMs >= toMs)
    throw new UsageError("--from must be before --to");
  const speed = values.speed === "max" ? Infinity : numberOf("--speed", values.speed, Number.MIN_VALUE);
  const retryForSeconds = numberOf("--retry-for", values["retry-for"], 0);
  return {
    file,
    server: {
      url: values.url === undefined ? undefined : originOf(values.url),
      state: values.state,
      json: values.json,
    },
    tenant: values.tenant,
    token: values.token,
    adminToken: values["admin-token"],
    json: values.json,
    selection: { fromMs, toMs, devices, limit: countOf("--limit", values.limit) },
    options: {
      door,
      speed,
      clock: oneOf("--clock", values.clock, ["recording", "shift", "now"] as const),
      batchReports: countOf("--batch", values.batch),
      concurrency: countOf("--concurrency", values.concurrency),
      commitEveryMs: numberOf("--commit-every", values["commit-every"], 0),
      windowReports: countOf("--window", values.window),
      retryForMs: retryForSeconds === undefined ? undefined : retryForSeconds * 1000,
      seal: !values["no-seal"],
    },
  };
}

function parsed(argv: readonly string[]) {
  try {
    return parseArgs({ args: [...argv], options: OPTIONS, allowPositionals: true });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function oneOf<T extends string>(option: string, given: string, allowed: readonly T[]): T {
  const found = allowed.find((value) => value === given);
  if (found === undefined) throw new UsageError(`${option} ${given}: one of ${allowed.join(", ")}`);
  return found;
}

function numberOf(option: string, given: string, least: number): number;
function numberOf(option: string, given: string | undefined, least: number): number | undefined;
function numberOf(option: string, given: string | undefined, least: number): number | undefined {
  if (given === undefined) return undefined;
  const value = Number(given);
  if (given.trim() === "" || !Number.isFinite(value) || value < least) {
    throw new UsageError(`${option} ${given}: a number ${least === 0 ? "from 0" : "above 0"}`);
  }
  return value;
}

function countOf(option: string, given: string | undefined): number | undefined {
  if (given === undefined) return undefined;
  if (!/^[1-9]\d{0,8}$/.test(given)) throw new UsageError(`${option} ${given}: a whole number from 1`);
  return Number(given);
}
