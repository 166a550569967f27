// The command line of `npm start` → what to start, and where.
import { parseArgs } from "node:util";

export const USAGE = `usage: npm start -- [--port 8787] [--state .wrangler/state] [--replace] [--no-demo] [--split]
  --port N      port on 127.0.0.1, 0 for any that is free (default 8787)
  --state DIR   where D1, R2 and the objects are kept over restarts (default .wrangler/state)
  --replace     end what runs on the state already, without asking
  --no-demo     no demo fleet
  --split       three Workers (ingest, aggregate, api) instead of one
  --help        this`;

/** What is wrong with a command line; the usage belongs beside it. */
export class UsageError extends Error {
  override name = "UsageError";
}

export interface StartOptions {
  port: number;
  state: string;
  replace: boolean;
  demo: boolean;
  split: boolean;
  help: boolean;
}

const OPTIONS = {
  port: { type: "string", default: "8787" },
  state: { type: "string", default: ".wrangler/state" },
  replace: { type: "boolean", default: false },
  "no-demo": { type: "boolean", default: false },
  split: { type: "boolean", default: false },
  help: { type: "boolean", short: "h", default: false },
} as const;

/** @throws UsageError for an unknown option, a value that does not fit, and anything that is no option. */
export function parseArguments(args: readonly string[]): StartOptions {
  const { port, state, replace, split, help, "no-demo": noDemo } = valuesOf(args);
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535)
    throw new UsageError(`--port ${port}: a number from 0 to 65535`);
  if (state === "") throw new UsageError("--state: name a folder");
  return { port: Number(port), state, replace, demo: !noDemo, split, help };
}

function valuesOf(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: OPTIONS }).values;
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}
