// Somebody who watches while a round is played: opens the stream of all zones again whenever it ends, and goes on with a
// token that is void, which must get nothing.
import { setTimeout as sleep } from "node:timers/promises";
import type { Credential, Credentials, Holder } from "./credentials.ts";
import type { OperatorFault } from "./faults.ts";
import type { Ledger } from "./ledger.ts";
import { smuggleByRequest } from "./smuggle.ts";

const RETRY_MS = 60;
const LOOK_MS = 10;
/** The stream is ended before the revocation is answered: this is for the end to arrive. */
const ENDS_WITHIN_MS = 5_000;
const PATH = "/v1/fleet/stream";

interface Watched {
  url: string;
  ledger: Ledger;
  credentials: Credentials;
  viewer: Holder;
  signal: AbortSignal;
  note(fault: OperatorFault): void;
}

/** Watches until the round is over. */
export async function playViewer(watched: Watched, isOver: () => boolean): Promise<void> {
  const { url, ledger, credentials, viewer, signal, note } = watched;
  for (; !isOver() && !signal.aborted; await sleep(RETRY_MS)) {
    const credential = await credentials.of(viewer).catch(() => undefined);
    if (credential === undefined) continue;
    const headers = { authorization: `Bearer ${credential.token}`, accept: "text/event-stream" };
    if (credential.standing === "void") {
      const answered: boolean[] = [];
      for (const path of [PATH, "/v1/devices"])
        answered.push(await smuggleByRequest(url, path, { headers }, ledger));
      if (answered.includes(false)) continue;
      note("sent with a void token");
      credentials.renew(viewer);
      continue;
    }
    const isRefused = await watch(watched, headers, credential, isOver).catch(() => false); // it is away
    if (isRefused && credential.standing === "good") throw new Error("a viewer's good token is refused");
    if (isRefused) credentials.refused(viewer);
  }
}

/** Reads the stream until it ends or the round is over; one that outlives its token is noted. True: it was refused. */
async function watch(
  { url, ledger, note }: Watched,
  headers: Record<string, string>,
  credential: Credential,
  isOver: () => boolean,
): Promise<boolean> {
  const stopping = new AbortController();
  const { status, body } = await fetch(url + PATH, { headers, signal: stopping.signal });
  if (status !== 200) {
    stopping.abort();
    return status === 401;
  }
  let hasEnded = false;
  const reading = body!.pipeTo(new WritableStream()).catch(() => undefined);
  void reading.then(() => {
    hasEnded = true;
  });
  while (!hasEnded && !isOver() && credential.standing !== "void") await sleep(LOOK_MS);
  if (credential.standing !== "good") note("stream of a revoked token");
  if (!hasEnded && credential.standing === "void") {
    const ends = reading.then(() => true);
    if (!(await Promise.race([ends, sleep(ENDS_WITHIN_MS, false)])))
      ledger.accepted.push(`${PATH} goes on with a void token`);
  }
  stopping.abort();
  return false;
}
