// What was counted of a fleet in a day → a device-month's bill, every meter and what it was for on a line of its own.
import { billOf, type Operations } from "./bill.ts";
import { type Meter, PRICES } from "./prices.ts";

/** How often in a day, by `meter what`: "d1RowsWritten warm insert rollup". */
export type DayCounts = Record<string, number>;

export interface LedgerLine {
  meter: Meter;
  /** What it was done for: "warm insert rollup". */
  what: string;
  /** A device-month; of the fixed ones a month of the deployment. */
  quantity: number;
  dollars: number;
  /** Whether it is computed from what was taken or measured apart, not counted in this run. */
  estimated: boolean;
}

export interface Ledger {
  dollarsPerDeviceMonth: number;
  /** Of a deployment without devices, a month. */
  fixedDollars: number;
  /** A device-month, dearest first. */
  lines: LedgerLine[];
  fixedLines: LedgerLine[];
}

export interface Counted {
  /** A day of the fleet, and one of the same deployment before it had a device. */
  day: DayCounts;
  emptyDay: DayCounts;
  devices: number;
  /** Of a device-month, computed apart. */
  estimated: { meter: Meter; what: string; quantity: number }[];
}

const DAYS_A_MONTH = 30;

/** Returns the bill of a device-month at list price, without the allotments: what was counted, and what is estimated beside it. */
export function ledgerOf({ day, emptyDay, devices, estimated }: Counted): Ledger {
  const fixedLines = linesOf(emptyDay, DAYS_A_MONTH);
  const own = Object.fromEntries(
    Object.entries(day).map(([key, count]) => [key, Math.max(0, count - (emptyDay[key] ?? 0))]),
  );
  const lines = [
    ...linesOf(own, DAYS_A_MONTH / devices),
    ...estimated.map((line) => lineOf(line.meter, line.what, line.quantity, true)),
  ].sort((a, b) => b.dollars - a.dollars);
  return {
    dollarsPerDeviceMonth: lines.reduce((sum, { dollars }) => sum + dollars, 0),
    fixedDollars: fixedLines.reduce((sum, { dollars }) => sum + dollars, 0),
    lines,
    fixedLines,
  };
}

/** Returns the same by meter alone, dearest first. */
export function byMeter(lines: readonly LedgerLine[]): ReturnType<typeof billOf> {
  const operations: Operations = {};
  for (const { meter, quantity } of lines) operations[meter] = (operations[meter] ?? 0) + quantity;
  return billOf(operations);
}

const linesOf = (counts: DayCounts, factor: number): LedgerLine[] =>
  Object.entries(counts)
    .filter(([, count]) => count > 0)
    .map(([key, count]) => {
      const at = key.indexOf(" ");
      const meter = key.slice(0, at) as Meter;
      return lineOf(meter, key.slice(at + 1), count * factor, meter === "objectGbSeconds");
    })
    .sort((a, b) => b.dollars - a.dollars);

const lineOf = (meter: Meter, what: string, quantity: number, estimated: boolean): LedgerLine => ({
  ...{ meter, what, quantity },
  dollars: quantity * PRICES[meter].usd,
  estimated,
});
