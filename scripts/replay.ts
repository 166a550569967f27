// Plays a recording of real devices into a running Telltale: npm run replay -- FILE (see --help).
import { readLocalSecret } from "./local-secret.ts";
import { openRecording } from "./recordings/open-recording.ts";
import { parseArguments, type ReplayArguments, USAGE, UsageError } from "./replay/parse-arguments.ts";
import { replay } from "./replay/play.ts";
import { showProgress } from "./replay/progress.ts";
import { showResult } from "./replay/show-result.ts";
import { isWhole } from "./replay/tally.ts";
import { givenTokens, signedTokens } from "./replay/tokens.ts";

/** The first interrupt stops the replay and shows what came of it, the second ends the process. */
function interruptSignal(): AbortSignal {
  const interrupted = new AbortController();
  process.once("SIGINT", () => {
    interrupted.abort();
    process.once("SIGINT", () => process.exit(130));
  });
  return interrupted.signal;
}

async function run(args: ReplayArguments): Promise<number> {
  const recording = await openRecording(args.file);
  const tokens =
    args.token === undefined
      ? signedTokens(process.env.TOKEN_SECRET ?? (await readLocalSecret()), args.tenant, Date.now())
      : givenTokens(args.token, args.adminToken);
  const progress = args.json ? undefined : showProgress();
  const result = await replay({
    ...args.options,
    recording,
    selection: args.selection,
    tokens,
    measure: progress !== undefined,
    onProgress: progress?.update,
    signal: interruptSignal(),
  }).finally(() => progress?.stop());
  console.log(args.json ? JSON.stringify(result) : showResult(result));
  if (result.reports.read === 0 && !result.interrupted)
    console.error("the selection holds no report: see --from, --to, --devices");
  if (result.interrupted) return 130;
  return isWhole(result) ? 0 : 1;
}

try {
  const args = parseArguments(process.argv.slice(2));
  if (args) process.exitCode = await run(args);
  else console.log(USAGE);
} catch (error) {
  console.error(error instanceof UsageError ? `${error.message}\n\n${USAGE}` : (error as Error).message);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
