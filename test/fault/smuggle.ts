// A void token → what is tried with it, of which nothing may be done: over HTTPS, on a socket, as a viewer.
import type { ServerFrame } from "../../schemas/reading.ts";
import type { Ledger, Report } from "./ledger.ts";
import type { WireSocket } from "./wire.ts";

const REQUEST_MS_MAX = 10_000;
/** A socket that was not ended by then has gone silent, and is of no use to anybody. */
const ENDS_WITHIN_MS = 3_000;
/** Above every other of a stream. */
const SEQ = 1_000_000;

/** A reading that nobody has sent, of a metric that is known; undefined: none is. */
export function contraband(ledger: Ledger, device: string, clockMs: number): Report | undefined {
  const [metric] = ledger.metricsOf(device);
  if (metric === undefined) return undefined;
  const known = new Set(ledger.readings(device, metric).map(([at]) => at));
  let at = clockMs - 1;
  while (known.has(at) || ledger.isForbidden(device, metric, at)) at -= 1;
  return { device, at, metrics: { [metric]: -7_777 } };
}

/** Asks with a void token, once; an answer that does not refuse it is noted. False: the server is away. */
export async function smuggleByRequest(
  url: string,
  path: string,
  asked: { method?: string; headers: Record<string, string>; body?: string },
  ledger: Ledger,
): Promise<boolean> {
  const signal = AbortSignal.timeout(REQUEST_MS_MAX);
  const answer = await fetch(url + path, { ...asked, signal }).catch(() => undefined);
  if (answer === undefined) return false;
  await answer.body?.cancel().catch(() => undefined);
  const isRefused = answer.status === 401 || answer.status === 429 || answer.status >= 500;
  if (!isRefused) ledger.accepted.push(`${path} answers ${answer.status} to a void token`);
  return answer.status < 500;
}

/** Sends a report on an open socket of a void token, which is to end without acknowledging it. */
export async function smuggleBySocket(
  wire: WireSocket,
  isGateway: boolean,
  clockMs: number,
  report: Report,
  ledger: Ledger,
): Promise<void> {
  const { device, at, metrics } = report;
  const whose = isGateway ? { device } : {};
  wire.send({ type: "report", seq: SEQ, ...whose, at, clockMs, metrics });
  wire.send({ type: "flush" });
  const answer = () => wire.frames.find((frame) => frame.type === "ack" && isSmuggled(frame));
  await wire.until(() => answer() !== undefined, ENDS_WITHIN_MS);
  if (answer() !== undefined)
    ledger.accepted.push(`a frame of a void token is acknowledged: ${JSON.stringify(answer())}`);
}

/** Whether a frame answers one that was sent with a void token. */
export const isSmuggled = (frame: ServerFrame): boolean => frame.seq === SEQ;
