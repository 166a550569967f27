// npm run cost: a fleet is played with everything billed counted, day by day of a time that is ours → a device-month's bill.
import { parseArgs } from "node:util";
import Table from "cli-table3";
import { byMeter, type Counted, type Ledger, ledgerOf } from "../core/cost/ledger.ts";
import { PRICES_AS_OF } from "../core/cost/prices.ts";
import { runCommand, UsageError } from "../scripts/command/run-command.ts";
import type { Played, PlayedFleet } from "./ledger/fleet.ts";

const USAGE = `usage: npm run -s cost -- [--devices 10] [--zone-size 10] [--transport socket|https|gateway] [--commit-every-ms 900000]
                          [--reports-a-request 6] [--report-every-ms 10000] [--days 5] [--json]
  Plays so many days of a fleet of devices that report ten metrics, and bills the last: a laptop plays ten devices for five days in
  some minutes. What is taken, not counted, is marked "estimated". List prices, without the plan's allotments.`;

const OPTIONS = {
  devices: { type: "string", default: "10" },
  "zone-size": { type: "string", default: "10" },
  transport: { type: "string", default: "socket" },
  "commit-every-ms": { type: "string", default: "900000" },
  "reports-a-request": { type: "string", default: "6" },
  "report-every-ms": { type: "string", default: "10000" },
  days: { type: "string", default: "5" },
  json: { type: "boolean", default: false },
  help: { type: "boolean", short: "h", default: false },
} as const;

/** So that all that is done day after day is done by the fifth: readings go from the objects, hours from D1, files are merged. */
const SETTINGS = {
  latenessHorizonMs: 86_400_000,
  retention: { rawDays: 1, hourlyDays: 3, archiveDays: null },
};
/** The retention that is billed: a device keeps a week of readings, D1 a month of hours, R2 all: in month 12 what eleven months and a half made. */
const KEPT = { rawDays: 7, hourlyDays: 30, archiveDays: 11.5 * 30 };
const DAYS_MIN = 4;
/** Taken: CPU of a Worker for a request; measured apart (a profile of the consumer, 2026-11-30): µs a reading it stores. */
const REQUEST_CPU_MS = 1;
const CONSUMER_CPU_US = 2.8;
const METRICS = 10;
const DAY_MS = 86_400_000;

function numberOf(name: string, text: string, least: number): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < least)
    throw new UsageError(`--${name} ${text}: a whole number, ${least} or more`);
  return value;
}

async function main(): Promise<number> {
  const { values } = parseArgs({ options: OPTIONS });
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  const { transport } = values;
  if (transport !== "socket" && transport !== "https" && transport !== "gateway")
    throw new UsageError(`--transport ${transport}: socket, https or gateway`);
  const fleet: PlayedFleet = {
    tenant: "fleet",
    devices: numberOf("devices", values.devices, 1),
    zoneSize: numberOf("zone-size", values["zone-size"], 1),
    transport,
    reportEveryMs: numberOf("report-every-ms", values["report-every-ms"], 1_000),
    commitEveryMs: numberOf("commit-every-ms", values["commit-every-ms"], 0),
    reportsARequest: numberOf("reports-a-request", values["reports-a-request"], 1),
    days: numberOf("days", values.days, DAYS_MIN),
    settings: SETTINGS,
  };
  const ledger = await countFleet(fleet);
  console.log(values.json ? JSON.stringify(ledger) : shown(ledger, fleet));
  return 0;
}

/** Plays a day without devices, then the fleet; bills its last day. */
async function countFleet(fleet: PlayedFleet): Promise<Ledger> {
  // wrangler and Miniflare take a second or more to load: a usage is not to wait for them.
  const { startLedger } = await import("./ledger/start.ts");
  const ledger = await startLedger();
  try {
    const { settings: _none, ...nobody } = fleet;
    const empty = await ledger.play({
      ...nobody,
      tenant: "nobody",
      devices: 0,
      days: 1,
      reportEveryMs: 60_000,
    });
    const played = await ledger.play(fleet);
    const day = played.days.at(-1)!;
    return ledgerOf({
      day,
      emptyDay: empty.days[0]!,
      devices: fleet.devices,
      estimated: estimatedOf(played, fleet),
    });
  } finally {
    await ledger.stop();
  }
}

/** What a device stores in month 12, and CPU. */
function estimatedOf(
  { days, stored }: Played,
  { devices, reportEveryMs }: PlayedFleet,
): Counted["estimated"] {
  const day = days.at(-1)!;
  const requests = Object.entries(day)
    .filter(([key]) => key.startsWith("workerRequests "))
    .reduce((sum, [, count]) => sum + count, 0);
  const gb = (bytes: number) => bytes / 1e9 / devices;
  // Nothing is given up by D1 and the objects on the first days, and little merged on the last.
  const warmBytesADay = stored[1]!.warmBytes - stored[0]!.warmBytes;
  const objectBytesADay = stored[0]!.objectBytes;
  const r2BytesADay = stored.at(-1)!.r2Bytes - stored.at(-2)!.r2Bytes;
  const readingsAMonth = (KEPT.hourlyDays * DAY_MS * METRICS) / reportEveryMs;
  return [
    { meter: "d1GbMonths", what: "hours of a month", quantity: gb(warmBytesADay * KEPT.hourlyDays) },
    { meter: "r2GbMonths", what: "files of a year", quantity: gb(r2BytesADay * KEPT.archiveDays) },
    { meter: "objectGbMonths", what: "readings of a week", quantity: gb(objectBytesADay * KEPT.rawDays) },
    { meter: "workerCpuMs", what: "requests", quantity: (requests * REQUEST_CPU_MS * 30) / devices },
    { meter: "workerCpuMs", what: "consumer", quantity: (readingsAMonth * CONSUMER_CPU_US) / 1_000 },
  ];
}

function shown(ledger: Ledger, fleet: PlayedFleet): string {
  const table = new Table({
    head: ["meter", "what", "a device-month", "$", ""],
    colAligns: ["left", "left", "right", "right", "left"],
    style: { head: [], border: [], compact: true },
  });
  for (const { meter, what, quantity, dollars, estimated } of ledger.lines)
    if (dollars >= 1e-6)
      table.push([meter, what, quantity.toPrecision(4), dollars.toFixed(6), estimated ? "estimated" : ""]);
  const meters = byMeter(ledger.lines).lines.map(({ meter, usd }) => `${meter} ${usd.toFixed(5)}`);
  return [
    `${fleet.devices} devices, zones of ${fleet.zoneSize}, ${fleet.transport}; prices of ${PRICES_AS_OF}; the last of ${fleet.days} days`,
    table.toString(),
    `$ a device-month: ${ledger.dollarsPerDeviceMonth.toFixed(5)} (${meters.join(", ")})`,
    `$ a month of the deployment without devices: ${ledger.fixedDollars.toFixed(3)}`,
  ].join("\n");
}

runCommand(USAGE, main);
