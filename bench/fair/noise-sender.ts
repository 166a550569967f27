// A process of its own that sends what others are not to be hurt by: so many requests a second, whatever the answers.
//   started by noise.ts: its one argument is a JSON list of streams; it is told to stop by a message, and tells what came.
import { Agent, request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import type { NoiseHeard, Stream } from "./noise.ts";

/** Kept connections; what does not get one waits here, and is sent late. */
const agent = new Agent({ keepAlive: true, maxSockets: 200 });

const { url, streams } = JSON.parse(process.argv[2]!) as { url: string; streams: Stream[] };
const heard: NoiseHeard = { statuses: {}, busy: 0, perSecond: 0 };
const stopping = new AbortController();
let at = Date.now();

function bodyOf({ devices, metrics }: Stream, nth: number): string {
  const values = Object.fromEntries(Array.from({ length: metrics }, (_, i) => [`m${i}`, nth]));
  const device = devices.length === 0 ? undefined : devices[nth % devices.length];
  return JSON.stringify({ device, at: ++at, metrics: values });
}

async function send(stream: Stream, nth: number): Promise<void> {
  const body = bodyOf(stream, nth);
  const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(body) };
  const status = await new Promise<number | string>((resolve) => {
    const sent = request(
      `${url}/v1/telemetry`,
      {
        method: "POST",
        agent,
        headers: stream.token === null ? headers : { ...headers, authorization: `Bearer ${stream.token}` },
      },
      (response) => {
        response.resume();
        response.once("end", () => resolve(response.statusCode!));
      },
    );
    sent.once("error", ({ message }) => resolve(message));
    sent.end(body);
  });
  heard.statuses[status] = (heard.statuses[status] ?? 0) + 1;
}

/** Open loop: who is answered late sends no less. */
async function play(stream: Stream): Promise<void> {
  const startedAt = performance.now();
  const begun: Promise<void>[] = [];
  for (let nth = 0; !stopping.signal.aborted; nth++) {
    const waitMs = startedAt + (nth * 1_000) / stream.perSecond - performance.now();
    if (waitMs > 0) await sleep(waitMs);
    begun.push(send(stream, nth));
  }
  await Promise.all(begun);
}

process.once("message", () => stopping.abort());
const [before, startedAt] = [performance.eventLoopUtilization(), performance.now()];
await Promise.all(streams.map(play));
heard.busy = performance.eventLoopUtilization(before).utilization;
const answers = Object.values(heard.statuses).reduce((sum, times) => sum + times, 0);
heard.perSecond = (1_000 * answers) / (performance.now() - startedAt);
process.send!(heard);
process.disconnect();
agent.destroy();
