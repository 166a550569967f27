// The recording, an hour every two seconds, stamped now → half the stations over sockets, half through a gateway.
import type { RecordedReport } from "../recordings/recording.ts";
import { DeviceSocket } from "../replay/device-socket.ts";
import { sleep } from "../replay/retry.ts";
import type { Tokens } from "../replay/tokens.ts";
import { hourIndexAt, type RecordedHours, reportsAt } from "./hours.ts";
import { LiveGateway } from "./live-gateway.ts";
import { STATIONS } from "./stations.ts";

export const TICK_MS = 2_000;
/** What a station allows the server to hold: five reports a commit. */
const COMMIT_EVERY_MS = 10_000;
/** What a station remembers through an outage: ten minutes. */
const WINDOW_REPORTS = 300;

export interface LiveOptions {
  url: string;
  tokens: Tokens;
  signal: AbortSignal;
}

/** Goes round the recording until the signal aborts. An outage costs only what no station could remember. */
export async function playLive(hours: RecordedHours, { url, tokens, signal }: LiveOptions): Promise<void> {
  const sockets = new Map(
    STATIONS.filter((_, index) => index % 2 === 0).map(({ device }) => [
      device,
      openSocket(device, url, tokens, signal),
    ]),
  );
  const gateway = new LiveGateway(url, await tokens.gateway(), signal);
  const firstIndex = hourIndexAt(Date.now(), hours.length) + 1;
  for (let tick = 0; !signal.aborted; tick++) {
    const posted: RecordedReport[] = [];
    for (const report of reportsAt(Date.now(), firstIndex + tick, hours)) {
      const socket = sockets.get(report.device);
      if (!socket) posted.push(report);
      else if (socket.hasRoom) void socket.send({ at: report.at, metrics: report.metrics });
    }
    gateway.push(posted);
    // A little past the tick, since a timer may be a millisecond early and would tick twice.
    await sleep(TICK_MS - (Date.now() % TICK_MS) + 5, signal);
  }
}

function openSocket(device: string, url: string, tokens: Tokens, signal: AbortSignal): DeviceSocket {
  return new DeviceSocket({
    connect: async () => ({
      url: `${url}/v1/connect?commitEveryMs=${COMMIT_EVERY_MS}`,
      token: await tokens.device(device),
    }),
    windowReports: WINDOW_REPORTS,
    patienceMs: Infinity,
    signal,
  });
}
