// The device door: one WebSocket a device on `GET /v1/connect`, reports in file order, acknowledged or sent again.
import type { RecordedReport } from "../recordings/recording.ts";
import { DeviceSocket } from "./device-socket.ts";
import { CLOCK_HEADER, type Door, type DoorContext, ReplayFailure } from "./door.ts";
import { postReports } from "./post-reports.ts";
import { countReadings } from "./tally.ts";

export interface SocketPlan {
  /** Asked of the server at each connection; absent: the tenant's setting. */
  commitEveryMs?: number;
  /** Most reports of a device in flight. */
  windowReports: number;
}

export function socketDoor(context: DoorContext, plan: SocketPlan): Door {
  const { tally, tokens, clockFollows } = context;
  const stop = new AbortController();
  const signal = AbortSignal.any([context.signal, stop.signal]);
  const sockets = new Map<string, DeviceSocket>();
  let refusal: string | undefined;

  function open(device: string, first: RecordedReport): DeviceSocket {
    const url = new URL("/v1/connect", context.url);
    if (plan.commitEveryMs !== undefined) url.searchParams.set("commitEveryMs", String(plan.commitEveryMs));
    const headers = clockFollows ? { [CLOCK_HEADER]: String(Math.floor(first.arrivedAt)) } : undefined;
    let attempts = 0;
    return new DeviceSocket({
      windowReports: plan.windowReports,
      patienceMs: context.retryForMs,
      signal,
      connect: async () => {
        const token = await tokens.device(device);
        tally.requests++;
        if (attempts++ > 0) tally.retries++;
        if (attempts === 2) await learnRefusal(token);
        return { url: url.href, token, headers };
      },
      onAck: (ack, reports) => {
        tally.addVerdicts(ack);
        tally.addAcknowledged(reports.length, countReadings(reports.map(({ report }) => report)));
        for (const { latencyMs } of reports) tally.addLatency(latencyMs);
        context.onProgress(reports.length, reports.at(-1)?.report.clockMs ?? first.arrivedAt);
      },
      onProblem: (code) => tally.addProblem(code),
    });
  }

  /** A WebSocket client is not told why it was refused; the HTTPS door says whether the token is at fault. */
  async function learnRefusal(token: string): Promise<void> {
    const { status, reason } = await postReports(context.url, token, "");
    if (![401, 403, 404].includes(status)) return;
    refusal = `${context.url} answered ${status}: ${reason}`;
    stop.abort();
  }

  /** Why a socket takes or acknowledges nothing more, unless the replay was interrupted. */
  function failFor(device: string, socket: DeviceSocket): void {
    const seconds = context.retryForMs / 1000;
    if (refusal) throw new ReplayFailure(refusal);
    if (socket.gaveUp) throw new ReplayFailure(`no connection of ${device} for ${seconds} s`);
    if (!context.signal.aborted)
      throw new ReplayFailure(`no acknowledgement for ${device} within ${seconds} s`);
  }

  return {
    async play(reports) {
      try {
        for await (const report of reports) {
          await context.pace(report.arrivedAt, signal);
          if (context.signal.aborted) return;
          let socket = sockets.get(report.device);
          if (!socket) {
            socket = open(report.device, report);
            sockets.set(report.device, socket);
          }
          const { at, metrics } = report;
          const clockMs = clockFollows ? Math.floor(report.arrivedAt) : undefined;
          if (!(await socket.send({ at, metrics, clockMs }))) failFor(report.device, socket);
        }
        await Promise.all(
          [...sockets].map(async ([device, socket]) => {
            if (!(await socket.drain(context.retryForMs))) failFor(device, socket);
          }),
        );
      } finally {
        stop.abort();
      }
    },
  };
}
