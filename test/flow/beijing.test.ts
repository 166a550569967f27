// A month of a real recording, in through the front door twice: the merged rollups equal an independent computation.
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { unpackSummaries } from "../../core/window/pack-summary.ts";
import { merge, type Summary } from "../../core/window/summary.ts";
import { type LocalRun, startLocal } from "../../scripts/local-run.ts";
import { openRecording } from "../../scripts/recordings/open-recording.ts";
import { replay } from "../../scripts/replay/play.ts";
import { signedTokens } from "../../scripts/replay/tokens.ts";

const DATA = new URL("../../../shared/data/beijing_air/", import.meta.url).pathname;
const MONTH = "2013-03";
const TENANT = "beijing";
const FROM_MS = Date.UTC(2013, 2, 1);
const TO_MS = Date.UTC(2013, 3, 1);
const hasRecording = existsSync(`${DATA}beijing_air.tgz`);
if (!hasRecording) console.warn("../shared/data/beijing_air is not here: the month of Beijing is not played");

let run: LocalRun;
beforeAll(async () => {
  if (hasRecording)
    run = await startLocal({ port: 0, state: undefined, split: false, tenant: TENANT, quiet: true });
});
afterAll(() => run?.stop());

const play = async () =>
  await replay({
    recording: await openRecording(`${DATA}beijing_air.tgz`),
    selection: { fromMs: FROM_MS, toMs: TO_MS },
    url: run.url,
    tokens: signedTokens(run.secret, TENANT, Date.now()),
    batchReports: 288, // a day of the twelve stations: the clock follows day by day
    concurrency: 1,
  });

/** `station metric` → the month's summary, merged from the hourly rollups in D1. */
async function monthFromRollups(): Promise<Map<string, Summary>> {
  const warm = await run.miniflare.getD1Database("WARM_0", run.objectsWorker);
  const { results } = await warm
    .prepare("SELECT device, summaries FROM rollup WHERE tenant = ?")
    .bind(TENANT)
    .all<{
      device: string;
      summaries: string;
    }>();
  const month = new Map<string, Summary>();
  for (const { device, summaries } of results) {
    for (const [metric, hours] of unpackSummaries(summaries)) {
      const key = `${device} ${metric}`;
      for (const { summary } of hours) {
        const known = month.get(key);
        month.set(key, known === undefined ? summary : merge(known, summary));
      }
    }
  }
  return month;
}

/** Waits until D1 has every reading in its rollups. */
async function settledMonth(readings: number): Promise<Map<string, Summary>> {
  for (const deadline = Date.now() + 60_000; Date.now() < deadline; await sleep(500)) {
    const month = await monthFromRollups();
    if ([...month.values()].reduce((sum, { count }) => sum + count, 0) === readings) return month;
  }
  throw new Error(`D1 did not get all ${readings} readings in a minute`);
}

async function expectAsComputed(month: Map<string, Summary>): Promise<void> {
  const lines = (await readFile(`${DATA}monthly_expected.csv`, "utf8")).trim().split("\n");
  const expected = lines.map((line) => line.split(",")).filter(([, when]) => when === MONTH);
  expect(expected).toHaveLength(24);
  for (const [station, , metric, count, min, max, sum] of expected) {
    const summary = month.get(`${station} ${metric}`)!;
    // The recording has at most two decimals; ten places of the float64 sum are therefore its decimal sum.
    expect([summary.count, summary.min, summary.max, Number(summary.sum.high.toFixed(10))]).toEqual(
      [count, min, max, sum].map(Number),
    );
  }
}

it.runIf(hasRecording)(
  "[S2] [W2] a month of Beijing gives the expected figures, and played twice says duplicate and gives them again",
  async () => {
    const first = await play();
    expect(first.readings).toMatchObject({ stored: first.readings.acknowledged, unaccounted: 0 });
    const month = await settledMonth(first.readings.acknowledged);
    await expectAsComputed(month);

    const second = await play();
    expect(second.readings).toMatchObject({
      duplicate: first.readings.acknowledged,
      stored: 0,
      late: 0,
      corrected: 0,
    });
    expect(await monthFromRollups()).toEqual(month);
  },
  240_000,
);
