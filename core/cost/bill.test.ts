import { describe, expect, it } from "vitest";
import {
  add,
  billOf,
  type Operations,
  objectGbSecondsOf,
  objectRequestsOf,
  queueOperationsOf,
  scale,
} from "./bill.ts";
import { REPORTS_A_DEVICE_MONTH as R } from "./device-month.ts";
import { PRICES, PRICES_AS_OF } from "./prices.ts";

const HOURS = 720;

/** What every case of the sheet has: 2 ms of wall time a report, an alarm, a queue message and ten D1 rows an hour. */
const hourly: Operations = {
  objectRequests: HOURS,
  objectRowsWritten: HOURS,
  queueOperations: HOURS * queueOperationsOf(20_000),
  d1RowsWritten: HOURS * 10,
};
const wall = (reports: number): Operations => ({ objectGbSeconds: objectGbSecondsOf(reports * 2) });
const https = (requests: number): Operations => ({
  workerRequests: requests,
  workerCpuMs: requests,
  objectRequests: requests,
  ...wall(requests),
});
const socket = (messages: number): Operations => ({
  workerRequests: 30,
  objectRequests: objectRequestsOf(30, messages),
  ...wall(messages),
});
const rows = (objectRowsWritten: number): Operations => ({ objectRowsWritten });

/** Cases computed by hand from Cloudflare's price pages: dollars a device-month, rounded to a tenth of a cent. */
const SHEET: [name: string, operations: Operations, usd: number][] = [
  ["HTTPS, a row a report", add(https(R), rows(R)), 0.391],
  ["HTTPS, a row a report and a delete for each", add(https(R), rows(2 * R)), 0.65],
  ["HTTPS, a row a minute", add(https(R), rows(R / 6)), 0.175],
  ["HTTPS, six reports a request", add(https(R / 6), rows(R / 6)), 0.073],
  ["socket, a row a report", add(socket(R), rows(R)), 0.271],
  ["socket, a row a minute", add(socket(R), rows(R / 6)), 0.055],
  ["socket, six reports a message", add(socket(R / 6), rows(R / 6)), 0.053],
  ["socket, thirty reports a message", add(socket(R / 30), rows(R / 30)), 0.018],
];

describe("bill", () => {
  it.each(SHEET)("[C1] a device-month: %s costs $%s", (_name, operations, usd) => {
    // The sheet adds rounded lines, so it is exact to a tenth of a cent.
    expect(Math.abs(billOf(add(operations, hourly)).usd - usd)).toBeLessThan(0.001);
  });

  it("[C1] an object that never hibernates for a month costs $4.15", () => {
    expect(billOf({ objectGbSeconds: objectGbSecondsOf(30 * 86_400_000) }).usd).toBeCloseTo(4.147, 3);
  });

  it("[C2] lines come dearest first, add up to the bill, and leave out what was not done", () => {
    const bill = billOf({ workerRequests: 1_000_000, objectRowsWritten: 1_000_000, r2ClassA: 0 });
    expect(bill.lines).toEqual([
      { meter: "objectRowsWritten", count: 1_000_000, usd: 1 },
      { meter: "workerRequests", count: 1_000_000, usd: 0.3 },
    ]);
    expect(bill.usd).toBeCloseTo(1.3, 12);
    expect(billOf({})).toEqual({ usd: 0, lines: [] });
  });

  it.each([
    [0, 3],
    [63_900, 3],
    [63_901, 6],
    [128_000, 9],
  ])(
    "[C3] a message of %i bytes is %i queue operations: written, read, deleted, per 64 KB with its metadata",
    (bytes, count) => {
      expect(queueOperationsOf(bytes)).toBe(count);
    },
  );

  it("[C4] a hundred messages to an object are five requests; calls, alarms and connects are one each", () => {
    expect(objectRequestsOf(7, 100)).toBe(12);
  });

  it("[C5] the bill is linear: twice the operations cost twice as much, and bills of parts add up", () => {
    const part = add(socket(1000), hourly);
    expect(billOf(scale(part, 2)).usd).toBeCloseTo(2 * billOf(part).usd, 12);
    expect(billOf(add(part, hourly)).usd).toBeCloseTo(billOf(part).usd + billOf(hourly).usd, 12);
  });

  it("[C6] every price is above zero, dated, and names its unit and source", () => {
    expect(PRICES_AS_OF).toMatch(/^\d{4}-\d\d-\d\d$/);
    for (const { usd, unit, source } of Object.values(PRICES)) {
      expect(usd).toBeGreaterThan(0);
      expect(unit).not.toBe("");
      expect(source).toMatch(/pricing$/);
    }
  });
});
