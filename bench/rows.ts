// Operations counted while the deployed program runs, for 1,000 reports → dollars a device-month at list price.
import { setTimeout as sleep } from "node:timers/promises";
import { billOf, type Operations, objectGbSecondsOf, objectRequestsOf, scale } from "../core/cost/bill.ts";
import { REPORT_EVERY_MS, REPORTS_A_DEVICE_MONTH } from "../core/cost/device-month.ts";
import { PRICES_AS_OF } from "../core/cost/prices.ts";
import { type CountedRun, startCounted } from "./counted/start.ts";
import { loadHttp } from "./run/http-load.ts";
import { count, runAlone, type Section, threeDigits } from "./run/section.ts";
import { SocketFleet } from "./run/socket-load.ts";
import {
  acknowledged,
  type BenchDevice,
  connectionOf,
  FLUSH_FRAME,
  introduce,
  makeDevices,
  reportFrame,
  telemetryRequest,
} from "./run/telltale.ts";

const REPORTS_AN_HOUR = 360;
/** Wall time an object is active for a request or message, and CPU of the Worker for a request: taken, not measured here. */
const OBJECT_MS = 2;
const WORKER_CPU_MS = 1;

interface Mode {
  name: string;
  /** The goal, $ a device-month. */
  atMost?: number;
  send(run: CountedRun, device: BenchDevice, reports: number): Promise<void>;
}

const MODES: Mode[] = [
  { name: "socket, commit every 15 min", atMost: 0.01, send: bySocket(90) },
  { name: "socket, commit every minute", atMost: 0.052, send: bySocket(6) },
  { name: "socket, each report committed", atMost: 0.27, send: bySocket(undefined) },
  { name: "HTTPS, 6 reports a request", atMost: 0.07, send: byHttp(6, 1) },
  { name: "HTTPS, each report its own request", atMost: 0.385, send: byHttp(1, 1) },
  { name: "HTTPS, 32 requests in flight to one device", send: byHttp(1, 32) },
];

/** A queue's batch waits 5 s for more (wrangler.toml); the blocks of a run's end are taken in after that. */
const QUEUE_WAIT_MS = 6_500;

export async function benchRows(quick: boolean): Promise<Section[]> {
  const run = await startCounted();
  try {
    const hours = quick ? 2 : 8;
    const sent = [];
    for (const [index, mode] of MODES.entries()) {
      const tenant = `mode-${index}`;
      const [device] = await makeDevices(run.secret, "device", 1, tenant);
      await introduce(run.url, [device!]);
      await byHttp(60, 1)(run, device!, REPORTS_AN_HOUR - 1); // the first hour, in which nothing is sealed
      const before = await run.operations();
      await mode.send(run, device!, hours * REPORTS_AN_HOUR);
      const workerRequests =
        ((await run.operations())[""]!["worker requests"] ?? 0) - (before[""]!["worker requests"] ?? 0);
      sent.push({ mode, tenant, before: before[tenant]!, workerRequests });
    }
    await sleep(QUEUE_WAIT_MS);
    const after = await run.operations();
    const blocks = sent.reduce((sum, { tenant }) => sum + (after[tenant]!["blocks sent"] ?? 0), 0);
    const d1RowsABlock = (after[""]!["d1 rows"] ?? 0) / blocks;
    const results = sent.map(({ mode, tenant, before, workerRequests }) => {
      const entries = Object.entries(after[tenant]!).map(
        ([what, times]) => [what, times - (before[what] ?? 0)] as const,
      );
      const counted: Record<string, number> = {
        ...Object.fromEntries(entries),
        "worker requests": workerRequests,
      };
      return { mode, counted, ...billed(counted, d1RowsABlock, hours) };
    });
    return [sectionOf(results, hours)];
  } finally {
    await run.stop();
  }
}

function billed(counted: Record<string, number>, d1RowsABlock: number, hours: number) {
  const of = (what: string) => counted[what] ?? 0;
  const reports = hours * REPORTS_AN_HOUR;
  const rows = of("device rows") + of("device alarms") + of("zone rows") + of("zone alarms");
  // A run is so fast that one call confirms several blocks; in the field each has its own.
  const calls = of("device requests") + of("zone requests") + of("blocks sent");
  const operations: Operations = {
    workerRequests: of("worker requests"),
    workerCpuMs: of("worker requests") * WORKER_CPU_MS,
    objectRequests: objectRequestsOf(calls, of("messages")),
    objectGbSeconds: objectGbSecondsOf((calls + of("messages")) * OBJECT_MS),
    objectRowsWritten: rows,
    queueOperations: of("queue operations"),
    d1RowsWritten: of("blocks sent") * d1RowsABlock,
  };
  const deviceMonth = billOf(scale(operations, REPORTS_A_DEVICE_MONTH / reports));
  return {
    reports,
    rowsPerThousand: (rows * 1_000) / reports,
    perThousand: scale(operations, 1_000 / reports),
    deviceMonth,
  };
}

function sectionOf(
  results: ({ mode: Mode; counted: Record<string, number> } & ReturnType<typeof billed>)[],
  hours: number,
): Section {
  return {
    title: `Operations for 1,000 reports, and $ a device-month (prices of ${PRICES_AS_OF})`,
    notes: [
      `Counted while the deployed program ran ${hours} hours of reports (10 metrics, 10 s apart), with what follows: sealing, queue, D1.`,
      `$ is extrapolated to ${count(REPORTS_A_DEVICE_MONTH)} reports. Alarms set are rows; each block sent is one confirming call. Not counted but added: ${OBJECT_MS} ms of an object's`,
      `time a request or message, ${WORKER_CPU_MS} ms of CPU a Worker's request. Left out: R2 puts, which a fleet's devices share.`,
    ],
    head: [
      "",
      "rows written",
      "object req.",
      "Worker req.",
      "queue ops",
      "D1 rows",
      "$ a month",
      "goal",
      "÷ goal",
    ],
    rows: results.map(({ mode, rowsPerThousand, perThousand, deviceMonth }) => [
      mode.name,
      threeDigits(rowsPerThousand),
      threeDigits(perThousand.objectRequests!),
      threeDigits(perThousand.workerRequests!),
      threeDigits(perThousand.queueOperations!),
      threeDigits(perThousand.d1RowsWritten!),
      deviceMonth.usd.toFixed(4),
      mode.atMost?.toFixed(3) ?? "",
      mode.atMost === undefined ? "" : (deviceMonth.usd / mode.atMost).toFixed(2),
    ]),
    goals: results.flatMap(({ mode, deviceMonth }) =>
      mode.atMost === undefined
        ? []
        : [{ what: `$ a device-month, ${mode.name}`, atMost: mode.atMost, measured: deviceMonth.usd }],
    ),
    figures: results.map(({ mode, ...rest }) => ({ name: mode.name, ...rest })),
  };
}

function byHttp(reportsARequest: number, connections: number): Mode["send"] {
  return async ({ url }, device, reports) => {
    const end = device.made + reports;
    const next = () =>
      device.made >= end
        ? undefined
        : telemetryRequest("/v1/telemetry", device, Math.min(reportsARequest, end - device.made));
    const { failure } = await loadHttp({ url, connections, durationMs: 60_000, next });
    if (failure !== undefined) throw new Error(`a request failed: ${failure}`);
  };
}

function bySocket(commitReports: number | undefined): Mode["send"] {
  return async ({ url }, device, reports) => {
    const connection = connectionOf(url, device, (commitReports ?? 0) * REPORT_EVERY_MS);
    const fleet = await SocketFleet.open([connection], {
      windowMessages: 200,
      flushFrame: FLUSH_FRAME,
      message: (_index, n) => reportFrame(device, n),
      answered: acknowledged,
    });
    await fleet.run({ messages: reports });
    fleet.close();
  };
}

if (import.meta.main) runAlone(benchRows);
