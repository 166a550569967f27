// The Beijing recording, shuffled, in through the front door of a server → every tier beside what the CSV files say.
import { VERDICTS } from "../../schemas/codes.ts";
import { type LocalRun, startLocal } from "../local-run.ts";
import type { RecordedReport } from "../recordings/recording.ts";
import { replay } from "../replay/play.ts";
import type { ReplayResult } from "../replay/tally.ts";
import { signedTokens } from "../replay/tokens.ts";
import { Agreement } from "./agreement.ts";
import { atOf, type Grid, readGrid, START_MS } from "./beijing-grid.ts";
import { compareCold } from "./compare-cold.ts";
import { compareFleet } from "./compare-fleet.ts";
import { compareHot, compareLatest, compareTier, forEachColumn } from "./compare-history.ts";
import { expectationOf } from "./expectation.ts";
import { finishChores } from "./finish-chores.ts";
import { compareMonths } from "./monthly-sums.ts";
import { Operator } from "./operator.ts";
import { type Delivery, planDeliveries, REQUEST_MS, reportOf } from "./schedule.ts";

export interface VerifyOptions {
  /** The folder of `beijing_air.tgz` and `monthly_expected.csv`. */
  data: string;
  stations: number;
  months: number;
  seed: number;
  /** Where the server keeps its state; undefined: nowhere, gone with it. */
  state?: string;
  /** Told what is being done, a line at a time. */
  onStep?(step: string): void;
  onDelivered?(reports: number, ofReports: number): void;
}

export interface Verification {
  agreements: Agreement[];
  deliveries: number;
  replay: ReplayResult;
  /** The files of raw readings as the consumer wrote them, and as the chores left them. */
  files: { files: number; bytes: number };
  merged: { files: number; bytes: number };
  /** Wall time of each step, in ms. */
  stepsMs: Record<string, number>;
}

const TENANT = "beijing";
const HUNDRED_YEARS_DAYS = 36_500;
/** Requests in flight; the stations are dealt to them, so that a station's reports stay in order. */
const LANES = 2;
/** So far the play may run ahead of storage, in the recording's time, and so often it looks. */
const STORED_WITHIN_MS = 30 * 86_400_000;
const STORED_EVERY_MS = 5 * 86_400_000;
/** After this it goes on all the same: what is missing shows in the end. */
const PATIENCE_MS = 60_000;

export async function verifyBeijing(options: VerifyOptions): Promise<Verification> {
  const { data, stations, months, seed, onStep = () => {} } = options;
  const agreements: Agreement[] = [];
  const stepsMs: Record<string, number> = {};
  /** Times a step; what it compares is counted under its name. */
  const step = async <T>(name: string, work: (agreement: Agreement) => Promise<T>): Promise<T> => {
    onStep(name);
    const startedAt = performance.now();
    const agreement = new Agreement(name);
    const result = await work(agreement);
    stepsMs[name] = Math.round(performance.now() - startedAt);
    if (agreement.agreed + agreement.differed > 0) agreements.push(agreement);
    return result;
  };

  const grid = await step("read the CSV files", () => readGrid(`${data}beijing_air.tgz`, stations, months));
  await step("the files' months", (agreement) =>
    compareMonths(`${data}monthly_expected.csv`, grid, agreement),
  );
  const deliveries = planDeliveries(grid, seed);
  const expected = expectationOf(grid, deliveries);
  const run = await startLocal({
    port: 0,
    state: options.state,
    split: false,
    tenant: TENANT,
    vars: { CHORES: "always" },
    quiet: true,
  });
  try {
    const operator = new Operator(run.url, run.secret, TENANT);
    await operator.setRetention({
      rawDays: HUNDRED_YEARS_DAYS,
      hourlyDays: HUNDRED_YEARS_DAYS,
      archiveDays: null,
    });
    const result = await step("verdicts", async (agreement) => {
      const played = await play(run, operator, grid, deliveries, options);
      for (const verdict of VERDICTS)
        agreement.compare(() => verdict, expected.verdicts[verdict], played.readings[verdict]);
      agreement.compare(() => "unacknowledged", 0, played.reports.unacknowledged);
      if (played.failure !== undefined) agreement.differ(played.failure);
      return played;
    });
    await step("settle", () => operator.settle(grid.stations, atOf(grid.hours - 1)));
    await step("latest", (agreement) => compareLatest(operator, expected.grid, agreement));
    await step("hot readings", (agreement) =>
      forEachColumn(expected.grid, (column) => compareHot(operator, column, agreement)),
    );
    const compareWindowsOf = (source: "warm" | "cold", resolution: "1h" | "1d") => (agreement: Agreement) =>
      forEachColumn(expected.grid, (column) =>
        compareTier(operator, column, { source, resolution }, agreement),
      );
    await step("warm hours", compareWindowsOf("warm", "1h"));
    await step("warm days", compareWindowsOf("warm", "1d"));
    const readCold = (agreement: Agreement) => compareCold(operator, expected.grid, agreement);
    const files = await step("cold readings", readCold);
    await step("chores", () => finishChores(run, operator, grid, onStep));
    await step("fleet hours", (agreement) => compareFleet(operator, expected.grid, "1h", agreement));
    await step("fleet days", (agreement) => compareFleet(operator, expected.grid, "1d", agreement));
    await step("cold hours", compareWindowsOf("cold", "1h"));
    const merged = await step("cold readings, merged", readCold);
    return { agreements, deliveries: deliveries.length, replay: result, files, merged, stepsMs };
  } finally {
    await run.stop();
  }
}

async function play(
  run: LocalRun,
  operator: Operator,
  grid: Grid,
  deliveries: readonly Delivery[],
  options: VerifyOptions,
): Promise<ReplayResult> {
  async function* read(): AsyncGenerator<RecordedReport> {
    let waitAt = START_MS + STORED_WITHIN_MS;
    for (const delivery of deliveries) {
      // What the fleet seals in a minute of play the one consumer of this machine may take longer to store.
      if (delivery.deliveredAt >= waitAt) {
        await operator.isStored(grid.stations, waitAt - STORED_WITHIN_MS, PATIENCE_MS);
        waitAt += STORED_EVERY_MS;
      }
      yield reportOf(grid, delivery);
    }
  }
  return await replay({
    recording: { kind: "beijing-air", timeOrdered: false, read },
    url: run.url,
    tokens: signedTokens(run.secret, TENANT, Date.now()),
    concurrency: LANES,
    requestSpanMs: REQUEST_MS,
    seal: false,
    onProgress: ({ reports }) => options.onDelivered?.(reports, deliveries.length),
  });
}
