// Plays a recording of real devices into a running Telltale: npm run replay -- FILE (see --help).
import { tokenSecret } from "./command/arguments.ts";
import { findServer } from "./command/find-server.ts";
import { interruptSignal, runCommand } from "./command/run-command.ts";
import { openRecording } from "./recordings/open-recording.ts";
import { parseArguments, type ReplayArguments, USAGE } from "./replay/parse-arguments.ts";
import { replay } from "./replay/play.ts";
import { showReplay } from "./replay/progress.ts";
import { showResult } from "./replay/show-result.ts";
import { isWhole } from "./replay/tally.ts";
import { givenTokens, signedTokens } from "./replay/tokens.ts";

/** The first interrupt stops the replay and shows what came of it, the second ends the process. */
async function play(args: ReplayArguments): Promise<number> {
  const recording = await openRecording(args.file);
  const url = await findServer(args.server);
  const tokens =
    args.token === undefined
      ? signedTokens(await tokenSecret(), args.tenant, Date.now())
      : givenTokens(args.token, args.adminToken);
  const progress = args.json ? undefined : showReplay(args.file);
  const result = await replay({
    ...args.options,
    url,
    recording,
    selection: args.selection,
    tokens,
    measure: progress !== undefined,
    onProgress: progress?.update,
    signal: interruptSignal(),
  }).finally(() => progress?.stop());
  console.log(args.json ? JSON.stringify(result) : showResult(result));
  if (result.reports.read === 0 && !result.interrupted)
    console.error(`${args.file}: the selection holds no report; see --from, --to, --devices`);
  if (result.interrupted) {
    console.error(
      "interrupted: what was acknowledged is stored; played again, it is known and the rest is added",
    );
    return 130;
  }
  return isWhole(result) ? 0 : 1;
}

runCommand(USAGE, async () => {
  const args = parseArguments(process.argv.slice(2));
  if (args === undefined) {
    console.log(USAGE);
    return 0;
  }
  return await play(args);
});
