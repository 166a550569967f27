// A year of hours of many devices, exported, merged and gone from D1: one device's comes back in one request.
import { setTimeout as sleep } from "node:timers/promises";
import { type FileMetaData, parquetMetadata } from "hyparquet";
import { expect, it } from "vitest";
import { windowPointOf } from "../../core/history/point.ts";
import { windowsOfParts } from "../../core/window/aggregate.ts";
import { packSummaries } from "../../core/window/pack-summary.ts";
import { summarise } from "../../core/window/summary.ts";
import { archiveAnswer, type WindowPoint } from "../../schemas/query.ts";
import { useServer } from "./topology.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const TENANT = "acme";
const END = Math.floor(Date.now() / DAY_MS) * DAY_MS;
const START = END - 365 * DAY_MS;
const DAYS = Array.from({ length: 365 }, (_, day) => START + day * DAY_MS);
const DEVICES = Array.from({ length: 10 }, (_, i) => `station-${i}`);
const METRICS = ["temperature", "humidity", "PM2.5"];
/** What a block of six hours is stored as; one reading an hour. */
const BLOCK_HOURS = 6;
/** D1 takes a bound text of 2 MB. */
const ROWS_AT_ONCE = 400;

const readingOf = (device: number, metric: number, hour: number) =>
  Math.round(1e4 * Math.sin(hour / 24 + device) + 7 * (hour % 13) + metric) / 100;

function hoursOf(device: number, metric: number, fromMs: number, toMs: number) {
  const hours = [];
  for (let startMs = fromMs; startMs < toMs; startMs += HOUR_MS) {
    const value = readingOf(device, metric, startMs / HOUR_MS);
    hours.push({ startMs, summary: summarise([startMs + 60_000 * (metric + 1)], [value]) });
  }
  return hours;
}

const pointsOf = (device: number, metric: number, windowMs: number) =>
  windowsOfParts(hoursOf(device, metric, START, END), windowMs).map(windowPointOf);

const server = useServer();
const acme = () => server.tenant(TENANT);
const warm = () => server.run.miniflare.getD1Database("WARM_0", server.run.objectsWorker);

/** The rollups as the consumer would have stored them, and the marks of their days: what exports go by. */
async function store(): Promise<void> {
  const database = await warm();
  let rows: unknown[] = [];
  const write = async () => {
    await database
      .prepare(
        `INSERT INTO rollup (tenant, device, start_ms, end_ms, revision, summaries)
         SELECT ?1, value ->> 0, value ->> 1, value ->> 2, 1, value ->> 3 FROM json_each(?2)`,
      )
      .bind(TENANT, JSON.stringify(rows))
      .run();
    rows = [];
  };
  for (const [index, device] of DEVICES.entries()) {
    for (let startMs = START; startMs < END; startMs += BLOCK_HOURS * HOUR_MS) {
      const endMs = startMs + BLOCK_HOURS * HOUR_MS;
      const rollup = new Map(METRICS.map((name, metric) => [name, hoursOf(index, metric, startMs, endMs)]));
      rows.push([device, startMs, endMs, packSummaries(rollup)]);
      if (rows.length === ROWS_AT_ONCE) await write();
    }
  }
  await write();
  const dates = JSON.stringify(DAYS.map((day) => new Date(day).toISOString().slice(0, 10)));
  await database
    .prepare("INSERT INTO archive_day SELECT ?1, value, 1, 0, 0 FROM json_each(?2)")
    .bind(TENANT, dates)
    .run();
  const control = await server.run.miniflare.getD1Database("CONTROL", server.run.objectsWorker);
  await control
    .prepare(
      "INSERT INTO device (tenant, device, zone, created_at) SELECT ?1, value, 'default', 0 FROM json_each(?2)",
    )
    .bind(TENANT, JSON.stringify(DEVICES))
    .run();
}

/** Lets the cron tick until a turn of it changes nothing more. A tick takes long: its connection may break meanwhile. */
async function settle(): Promise<void> {
  const [database, control] = [
    await warm(),
    await server.run.miniflare.getD1Database("CONTROL", server.run.objectsWorker),
  ];
  const state = async () => {
    const [days, files] = await database.batch([
      database.prepare("SELECT sum(dirty), sum(taken_by = -1) FROM archive_day"),
      database.prepare("SELECT count(*) FROM archive_file WHERE replaced_at IS NULL"),
    ]);
    return JSON.stringify([days!.results, files!.results]);
  };
  const working = () =>
    control.prepare("SELECT count(*) AS n FROM chore WHERE leased_until > 0").first<number>("n");
  for (let before = ""; ; await sleep(100)) {
    const isWhole = await server.run.tick().then(
      () => true,
      () => false,
    );
    const after = await state();
    if (isWhole && after === before && (await working()) === 0) return;
    before = after;
  }
}

async function hourlyFiles(): Promise<{ metadata: FileMetaData; footerBytes: number; bytes: number }[]> {
  const { files } = archiveAnswer.parse((await acme().get("/v1/archive?limit=1000")).body);
  const headers = { authorization: `Bearer ${await acme().token("viewer")}` };
  return await Promise.all(
    files.map(async ({ key, kind, bytes }) => {
      expect(kind).toBe("hourly");
      const response = await fetch(`${server.run.url}/v1/archive/${key}`, { headers });
      const content = await response.arrayBuffer();
      const metadata = parquetMetadata(content);
      return { metadata, footerBytes: metadata.metadata_length + 8, bytes };
    }),
  );
}

/** The bytes of the row groups that can hold a device's metric, by their statistics. */
function groupBytes(metadata: FileMetaData, device: string, metric: string): number {
  return metadata.row_groups
    .filter(({ columns }) =>
      [device, metric].every((value, column) => {
        const { min_value, max_value } = columns[column]!.meta_data!.statistics!;
        return min_value! <= value && value <= max_value!;
      }),
    )
    .reduce(
      (sum, { columns }) => sum + columns.reduce((s, c) => s + Number(c.meta_data!.total_compressed_size), 0),
      0,
    );
}

it("[S15] [S16] a year of rollups is exported, merged, and gone from D1 but for what is kept", async () => {
  await store();
  await settle();
  const database = await warm();
  const left = await database.prepare("SELECT min(start_ms) AS fromMs FROM rollup").first<number>("fromMs");
  expect(left).toBeGreaterThan(END - 32 * DAY_MS);
  expect((await hourlyFiles()).length).toBeLessThan(60);
}, 600_000);

it("[Q16] [Q13] a year of hours of one device is one request that reads footers and its row groups only", async () => {
  const files = await hourlyFiles();
  const total = files.reduce((sum, { bytes }) => sum + bytes, 0);
  const [device, metric] = [7, 1];
  const asked = { metric: METRICS[metric]!, from: START, to: END };
  for (const source of ["cold", "auto"]) {
    const answer = await acme().history(DEVICES[device]!, { ...asked, resolution: "1h", source });
    expect(answer.points).toHaveLength(8_760);
    expect(answer.points).toEqual(pointsOf(device, metric, HOUR_MS));
    expect(answer.segments.map((segment) => segment.source)).toEqual(
      source === "cold" ? ["cold"] : ["cold", "warm"],
    );
    const most = files.reduce(
      (sum, { metadata, footerBytes }) =>
        sum + Math.max(32 * 1024, footerBytes) + groupBytes(metadata, DEVICES[device]!, METRICS[metric]!),
      0,
    );
    expect(answer.bytesRead).toBeLessThanOrEqual(most);
    expect(answer.bytesRead).toBeLessThan(total / 5);
  }
});

it("[Q13] [Q12] [Q10] its days, its pages and its chart come from there too", async () => {
  const [device, metric] = [3, 2];
  const asked = { metric: METRICS[metric]!, from: START, to: END };
  const name = DEVICES[device]!;
  const daily = await acme().history(name, { ...asked, resolution: "1d" });
  expect(daily.points).toEqual(pointsOf(device, metric, DAY_MS));
  const points: unknown[] = [];
  for (let after: string | null | undefined; after !== null; ) {
    const paging = after === undefined ? {} : { after };
    const page = await acme().history(name, { ...asked, resolution: "1h", limit: 3_000, ...paging });
    points.push(...page.points);
    after = page.next;
  }
  expect(points).toEqual(pointsOf(device, metric, HOUR_MS));
  const chart = await acme().history(name, { ...asked, resolution: "1h", maxPoints: 800 });
  expect(chart).toMatchObject({ resolution: "1h", thinned: { method: "minmax", from: 8_760 } });
  expect(chart.points.length).toBeLessThanOrEqual(800);
  const figures = (points: WindowPoint[]) => [
    Math.min(...points.map(({ min }) => min)),
    Math.max(...points.map(({ max }) => max)),
  ];
  expect(figures(chart.points as WindowPoint[])).toEqual(figures(pointsOf(device, metric, HOUR_MS)));
  expect(await acme().history(name, { ...asked, maxPoints: 800 })).toMatchObject({ resolution: "1d" });
});
