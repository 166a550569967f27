import { expect, it } from "vitest";
import { byMeter, type Counted, ledgerOf } from "./ledger.ts";

const counted: Counted = {
  day: {
    "objectRowsWritten device insert state": 2_000,
    "workerRequests cron": 1_464,
    "r2ClassA put raw": 48,
  },
  emptyDay: { "workerRequests cron": 1_464, "d1RowsWritten control insert chore": 3_000 },
  devices: 20,
  estimated: [{ meter: "r2GbMonths", what: "raw files", quantity: 0.01 }],
};

it("[C7] a device-month is thirty counted days shared by the devices, less what a deployment without devices does", () => {
  const { lines, dollarsPerDeviceMonth } = ledgerOf(counted);
  expect(lines.map(({ meter, what, quantity, estimated }) => [meter, what, quantity, estimated])).toEqual([
    ["objectRowsWritten", "device insert state", 3_000, false],
    ["r2ClassA", "put raw", 72, false],
    ["r2GbMonths", "raw files", 0.01, true],
  ]);
  expect(dollarsPerDeviceMonth).toBeCloseTo(0.003 + 72 * 4.5e-6 + 0.01 * 0.015, 12);
});

it("[C7] what a deployment does without devices is told apart, a month of it", () => {
  const { fixedLines, fixedDollars } = ledgerOf(counted);
  expect(fixedLines.map(({ what, quantity }) => [what, quantity])).toEqual([
    ["control insert chore", 90_000],
    ["cron", 43_920],
  ]);
  expect(fixedDollars).toBeCloseTo(0.09 + 43_920 * 0.3e-6, 12);
});

it("[C8] each line is its quantity at the price of its meter, and by meter they add up to the same bill", () => {
  const { lines, dollarsPerDeviceMonth } = ledgerOf(counted);
  expect(byMeter(lines).usd).toBeCloseTo(dollarsPerDeviceMonth, 12);
  expect(byMeter(lines).lines.map(({ meter }) => meter)).toEqual([
    "objectRowsWritten",
    "r2ClassA",
    "r2GbMonths",
  ]);
});
