// Windows over what real devices sent: quantiles and merging against the sorted columns, watermarks against expected.json.
import { existsSync, readdirSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { type WindowSummary, windowsOfParts, windowsOfReadings } from "../../core/window/aggregate.ts";
import { isClosed, watermarkOf } from "../../core/window/align.ts";
import { quantileOf, summarise } from "../../core/window/summary.ts";
import { RESOLUTION_MS } from "../../schemas/query.ts";
import { type Selection, selectReports } from "../replay/select-reports.ts";
import { openRecording } from "./open-recording.ts";

const pathOf = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const shared = pathOf("../shared/data/");
const exists = existsSync(shared);
if (!exists)
  console.info("the whole recordings are not here (../shared/data): windows over them are not tested");

const QUANTILES = [0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 1];

interface Readings {
  at: number[];
  value: number[];
}

/** `device metric` → its readings, ascending; of an instant that came twice the later value. */
async function columnsIn(path: string, selection: Selection = {}): Promise<Map<string, Readings>> {
  const byInstant = new Map<string, Map<number, number>>();
  for await (const { device, at, metrics } of selectReports(await openRecording(path), selection)) {
    for (const [metric, value] of Object.entries(metrics)) {
      const column = `${device} ${metric}`;
      const known = byInstant.get(column) ?? new Map<number, number>();
      byInstant.set(column, known.set(at, value));
    }
  }
  return new Map(
    [...byInstant].map(([column, readings]) => {
      const sorted = [...readings].sort(([a], [b]) => a - b);
      return [column, { at: sorted.map(([at]) => at), value: sorted.map(([, value]) => value) }];
    }),
  );
}

/** How far the answers lie from the readings of their ranks, at most, in parts of the reading. */
function worstError({ at, value }: Readings): number {
  const summary = summarise(at, value);
  const sorted = Float64Array.from(value).sort();
  const errors = QUANTILES.map((q) => {
    const exact = sorted[Math.floor(q * (sorted.length - 1))]!;
    const answer = quantileOf(summary, q)!;
    return answer === exact ? 0 : Math.abs(answer - exact) / Math.abs(exact);
  });
  return Math.max(...errors);
}

/** What windows say, as text: of the pairs only what a reader sees, rounded to a float64. Texts compare fast. */
const figuresOf = (windows: WindowSummary[]) =>
  windows
    .map(({ summary, ...window }) => ({
      ...window,
      ...summary,
      sum: summary.sum.high,
      squares: summary.squares.high,
    }))
    .map((window) => JSON.stringify(window));

/** Each length's windows merged from the shorter ones, and computed from the readings. */
function expectMergedAsDirect({ at, value }: Readings): void {
  let merged = windowsOfReadings(at, value, RESOLUTION_MS["1m"]);
  for (const lengthMs of [RESOLUTION_MS["5m"], RESOLUTION_MS["1h"], RESOLUTION_MS["1d"]]) {
    merged = windowsOfParts(merged.toReversed(), lengthMs);
    const direct = figuresOf(windowsOfReadings(at, value, lengthMs));
    expect(figuresOf(merged)).toEqual(direct);
  }
}

async function expectAsComputed(path: string, columns: number, selection: Selection = {}): Promise<void> {
  const found = await columnsIn(path, selection);
  expect(found.size).toBe(columns);
  for (const [column, readings] of found) {
    expect([column, worstError(readings)]).toEqual([column, expect.toSatisfy((e: number) => e <= 0.01)]);
    expectMergedAsDirect(readings);
  }
}

describe("windows of recordings", () => {
  it("[W7] [W8] [W3] two weeks of Beijing, twelve stations of eleven metrics", {
    timeout: 60_000,
  }, async () => {
    await expectAsComputed(pathOf("demo/beijing_air_slice.csv.gz"), 132);
  });
});

describe.skipIf(!exists)("windows of whole recordings", () => {
  const timeout = 120_000;

  it("[W7] [W8] [W3] the first month of Beijing", { timeout }, async () => {
    const toMs = Date.UTC(2013, 3);
    await expectAsComputed(`${shared}beijing_air/beijing_air.tgz`, 132, { toMs });
  });

  it.each([
    ["Tour Perret", "TourPerret_ems-tourperret-A81758FFFE04B1C1-2", 10],
    ["Helium FTD", "Helium_FTD_0018B20000020", 32],
  ])("[W7] [W8] [W3] the uplinks of %s", { timeout }, async (_, name, columns) => {
    await expectAsComputed(`${shared}campusiot/${name}.ndjson.gz`, columns);
  });

  it("[W7] [W8] [W3] the 31 series of NAB", { timeout }, async () => {
    const files = readdirSync(`${shared}nab/data`, { recursive: true, encoding: "utf8" });
    const series = files.filter((name) => /\.csv(\.gz)?$/.test(name));
    expect(series).toHaveLength(31);
    for (const name of series) await expectAsComputed(`${shared}nab/data/${name}`, 1);
  });
});

interface ExpectedDisorder {
  events: number;
  out_of_order: number;
  late_more_than_ms: Record<string, number>;
  dropped_by_1000ms_tumbling_window_allowed_lateness: Record<string, number>;
  dropped_by_5000ms_tumbling_window_allowed_lateness: Record<string, number>;
}

/**
 * The phones' events in order of arrival, each with the largest event time before it. The event time is the phone's
 * own clock, S.Client.Detection.Time, and the phones of a session share one watermark.
 */
async function eventsIn(path: string): Promise<{ at: number; newestAt: number }[]> {
  const events: { at: number; newestAt: number }[] = [];
  let newestAt = -Infinity;
  for await (const { at } of (await openRecording(path)).read()) {
    events.push({ at, newestAt });
    newestAt = Math.max(newestAt, at);
  }
  return events;
}

describe.skipIf(!exists)("out of order, whole", () => {
  it.each(["d-1", "d-2"])("[W6] what windows of %s drop at each lateness is as expected", async (session) => {
    const all = JSON.parse(await readFile(`${shared}out_of_order/expected.json`, "utf8"));
    const expected = all[session] as ExpectedDisorder;
    const events = await eventsIn(`${shared}out_of_order/${session}.csv.gz`);
    const countsOf = (
      asked: Record<string, number>,
      counted: (at: number, newestAt: number, ms: number) => boolean,
    ) =>
      Object.fromEntries(
        Object.keys(asked).map((ms) => [
          ms,
          events.filter(({ at, newestAt }) => counted(at, newestAt, Number(ms))).length,
        ]),
      );
    const droppedBy = (lengthMs: number, asked: Record<string, number>) =>
      countsOf(asked, (at, newestAt, latenessMs) =>
        isClosed(at, lengthMs, watermarkOf(newestAt, latenessMs)),
      );
    const found: ExpectedDisorder = {
      events: events.length,
      out_of_order: events.filter(({ at, newestAt }) => at < newestAt).length,
      late_more_than_ms: countsOf(
        expected.late_more_than_ms,
        (at, newestAt, ms) => at < watermarkOf(newestAt, ms),
      ),
      dropped_by_1000ms_tumbling_window_allowed_lateness: droppedBy(
        1_000,
        expected.dropped_by_1000ms_tumbling_window_allowed_lateness,
      ),
      dropped_by_5000ms_tumbling_window_allowed_lateness: droppedBy(
        5_000,
        expected.dropped_by_5000ms_tumbling_window_allowed_lateness,
      ),
    };
    expect(found).toEqual(expected);
  });
});
