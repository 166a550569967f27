// The server a command is for: named, or noted by the local run; looked for before anything is sent to it.
import { readRunning } from "../running.ts";
import { originOf } from "./arguments.ts";

export const STATE = ".wrangler/state";
/** Where `npm start` and `wrangler dev` answer unless they are told otherwise. */
const LOCAL_URL = "http://127.0.0.1:8787";
/** A machine elsewhere may be away without a word; here a connection is taken or refused at once, and who takes it may be busy. */
const ANSWERS_MS = { elsewhere: 2_000, here: 20_000 };
const SAID_AFTER_MS = 2_000;

/** The lines of a usage that say how a server is found. */
export const SERVER_USAGE = `  --url URL              the server     [that of the local run; where none is noted, ${LOCAL_URL}]
  --state DIR            where the local run keeps its state     [${STATE}]`;

export const SERVER_OPTIONS = {
  url: { type: "string" },
  state: { type: "string", default: STATE },
} as const;

/**
 * The origin of a Telltale that answers. It is asked once. Where none is there that shows within 2 s; one on this machine
 * that takes the connection and is busy is given 20 s.
 * @param url wins over what is noted in `state`
 * @param json say nothing of the waiting
 * @throws UsageError when `url` is none; an Error that names what was tried, why, and the remedy
 */
export async function findServer({
  url,
  state,
  json = false,
}: {
  url?: string;
  state: string;
  json?: boolean;
}): Promise<string> {
  const running = url === undefined ? await readRunning(state) : undefined;
  if (running?.url === "")
    throw new Error(
      `the local run on ${state} (pid ${running.pids[0]}) is still starting: wait until it says where it is`,
    );
  const origin = originOf(url ?? running?.url ?? LOCAL_URL);
  const waiting = () => console.error(`${origin} takes the connection and is slow to answer; waiting`);
  const saying = json ? undefined : setTimeout(waiting, SAID_AFTER_MS);
  const reason = await refusalOf(origin).finally(() => clearTimeout(saying));
  if (reason === undefined) return origin;
  const noted =
    running === undefined
      ? `no local run is noted in ${state}; start one with npm start, or name the server with --url, or the folder with --state`
      : `that is where the local run on ${state} (pid ${running.pids[0]}) is noted to be; see what it says, or name the server with --url`;
  throw new Error(`${origin} ${reason}${url === undefined ? `: ${noted}` : "; is --url right?"}`);
}

/** Why what is there is no Telltale to talk to; undefined: it is one. */
async function refusalOf(origin: string): Promise<string | undefined> {
  const isHere = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(new URL(origin).hostname);
  const answersMs = isHere ? ANSWERS_MS.here : ANSWERS_MS.elsewhere;
  let answer: { status: number; text: string };
  try {
    const response = await fetch(`${origin}/healthz`, { signal: AbortSignal.timeout(answersMs) });
    answer = { status: response.status, text: await response.text() };
  } catch (error) {
    const { name, cause, message } = error as Error;
    if (name === "TimeoutError") return `does not answer within ${answersMs / 1_000} s`;
    return `does not answer (${cause instanceof Error && cause.message !== "" ? cause.message : message})`;
  }
  if (isTelltale(answer.text)) return undefined;
  return `is no Telltale: it answers GET /healthz with ${answer.status} ${JSON.stringify(answer.text.slice(0, 60))}`;
}

/** The answer of the api; or a problem document of ours, for the ingest Worker alone has no such address. */
function isTelltale(text: string): boolean {
  try {
    const { status, type } = JSON.parse(text) as Record<string, unknown>;
    return status === "ok" || String(type).startsWith("urn:telltale:");
  } catch {
    return false;
  }
}
