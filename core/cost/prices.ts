// The dated price table: what Cloudflare charges for each operation Telltale makes it do. List prices, no allotments.

/** When the prices were read from Cloudflare's pages. */
export const PRICES_AS_OF = "2026-11-22";

export interface Price {
  /** US dollars for one unit; storage is for a month. */
  usd: number;
  /** What one unit is. */
  unit: string;
  /** The page that says so, in Cloudflare's documentation. */
  source: string;
}

const MILLION = 1_000_000;

/** Each meter by the name under which operations are counted. */
export const PRICES = {
  workerRequests: {
    usd: 0.3 / MILLION,
    unit: "a request to a Worker; a WebSocket's upgrade is one, its messages are none",
    source: "workers/platform/pricing",
  },
  workerCpuMs: { usd: 0.02 / MILLION, unit: "a ms of CPU of a Worker", source: "workers/platform/pricing" },
  objectRequests: {
    usd: 0.15 / MILLION,
    unit: "an HTTP request, RPC, alarm or WebSocket connect of an object; 20 messages to it are one",
    source: "durable-objects/platform/pricing",
  },
  objectGbSeconds: {
    usd: 12.5 / MILLION,
    unit: "a GB-s of an object: 0.128 a second of wall time in which it works or cannot hibernate",
    source: "durable-objects/platform/pricing",
  },
  objectRowsRead: {
    usd: 0.001 / MILLION,
    unit: "a row read in an object",
    source: "durable-objects/platform/pricing",
  },
  objectRowsWritten: {
    usd: 1 / MILLION,
    unit: "a row written in an object, whatever its size; setAlarm is one, a delete is one",
    source: "durable-objects/platform/pricing",
  },
  objectGbMonths: {
    usd: 0.2,
    unit: "a GB stored in objects for a month",
    source: "durable-objects/platform/pricing",
  },
  queueOperations: {
    usd: 0.4 / MILLION,
    unit: "64 KB of a message written, read or deleted",
    source: "queues/platform/pricing",
  },
  d1RowsRead: { usd: 0.001 / MILLION, unit: "a row read in D1", source: "d1/platform/pricing" },
  d1RowsWritten: {
    usd: 1 / MILLION,
    unit: "a row written in D1, and one more for each index on a column written",
    source: "d1/platform/pricing",
  },
  d1GbMonths: { usd: 0.75, unit: "a GB stored in D1 for a month", source: "d1/platform/pricing" },
  r2ClassA: { usd: 4.5 / MILLION, unit: "a put or a list of R2", source: "r2/pricing" },
  r2ClassB: { usd: 0.36 / MILLION, unit: "a get or a head of R2", source: "r2/pricing" },
  logGb: {
    usd: 0.25 + (0.1 * 7) / 30,
    unit: "a GB of logs and traces, as from 2026-12-01; kept for seven days",
    source: "observability/pricing",
  },
  r2GbMonths: { usd: 0.015, unit: "a GB stored in R2 for a month", source: "r2/pricing" },
} as const satisfies Record<string, Price>;

export type Meter = keyof typeof PRICES;
