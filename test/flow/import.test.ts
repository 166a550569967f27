// The committed slice of Beijing, brought along as CSV, NDJSON and Parquet, beside the same reported by its devices.
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { parquetWriteBuffer } from "hyparquet-writer";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type HourSummary, unpackSummaries } from "../../core/window/pack-summary.ts";
import { merge, type Summary } from "../../core/window/summary.ts";
import { mergeZoneHours, unpackZoneMetrics } from "../../core/window/zone-hour.ts";
import { type JobAnswer, jobAnswer } from "../../schemas/job.ts";
import { openRecording } from "../../scripts/recordings/open-recording.ts";
import type { RecordedReport } from "../../scripts/recordings/recording.ts";
import { replay } from "../../scripts/replay/play.ts";
import { signedTokens } from "../../scripts/replay/tokens.ts";
import { runScript } from "./run-script.ts";
import type { TenantClient } from "./tenant-client.ts";
import { useServer } from "./topology.ts";
import { until } from "./until.ts";

const SLICE = new URL("../../demo/beijing_air_slice.csv.gz", import.meta.url).pathname;
const HOUR_MS = 3_600_000;
/** Of the fourteen days; twelve stations an hour. */
const DAYS = 4;
const WARM_DATABASES = 3;
/** D1 keeps everything, so that it can be compared. */
const KEEP_ALL = { retention: { rawDays: 7, hourlyDays: 100_000, archiveDays: null } };

const server = useServer({ warmDatabases: WARM_DATABASES, tickEveryMs: 200 });
let folder = "";
let slice = "";
let reports: RecordedReport[] = [];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "telltale-import-"));
  const lines = gunzipSync(await readFile(SLICE))
    .toString()
    .split("\n");
  slice = await written("slice.csv.gz", gzipSync(lines.slice(0, 1 + DAYS * 24 * 12).join("\n")));
  reports = await Array.fromAsync((await openRecording(slice)).read());
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function written(name: string, content: string | Uint8Array): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, content);
  return path;
}

const asAdmin = async (tenant: TenantClient, path: string, method = "GET", body?: object) => {
  const token = await tenant.token("admin");
  const { status, body: answer } = await tenant.ask(path, {
    method,
    token,
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
  expect(status, path).toBeLessThan(300);
  return answer;
};

interface Imported {
  job: JobAnswer;
  rows: number;
  readings: number;
  posted: number;
  refused: number;
  problems: { place: string; code: string; message: string }[];
}

async function imported(tenant: TenantClient, args: string[], code = 0): Promise<Imported> {
  const token = await tenant.token("admin");
  const ended = await runScript("import.ts", [...args, "--url", tenant.url, "--token", token, "--json"]);
  expect([ended.code, ended.stderr]).toEqual([code, ""]);
  const result = JSON.parse(ended.stdout) as Imported;
  return { ...result, job: jobAnswer.parse(result.job) };
}

async function rowsOf<Row>(tenant: string, query: string): Promise<Row[]> {
  const rows: Row[] = [];
  for (let i = 0; i < WARM_DATABASES; i++) {
    const database = await server.run.miniflare.getD1Database(`WARM_${i}`, server.run.objectsWorker);
    rows.push(...(await database.prepare(query).bind(tenant).all<Row>()).results);
  }
  return rows;
}

/** `device metric hour` → its summary, merged from the rollups. */
async function hourlyFigures(tenant: string): Promise<Map<string, Summary>> {
  const rows = await rowsOf<{ device: string; summaries: string }>(
    tenant,
    "SELECT device, summaries FROM rollup WHERE tenant = ?",
  );
  const figures = new Map<string, Summary>();
  for (const { device, summaries } of rows) {
    for (const [metric, hours] of unpackSummaries(summaries)) {
      for (const { startMs, summary } of hours as HourSummary[]) {
        const key = `${device} ${metric} ${startMs}`;
        const known = figures.get(key);
        figures.set(key, known === undefined ? summary : merge(known, summary));
      }
    }
  }
  return new Map([...figures].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** `zone hour` → its figures over all databases: what does not depend on the order in which devices are merged. */
async function zoneHours(tenant: string): Promise<Map<string, unknown>> {
  const rows = await rowsOf<{ id: string; devices: number; readings: number; metrics: string }>(
    tenant,
    "SELECT zone || ' ' || hour_ms AS id, devices, readings, metrics FROM zone_hour WHERE tenant = ? ORDER BY id",
  );
  const hours = Map.groupBy(rows, ({ id }) => id);
  return new Map(
    [...hours].map(([id, own]) => {
      const merged = mergeZoneHours(own.map((row) => ({ ...row, ...unpackZoneMetrics(row.metrics) })))!;
      const metrics = [...merged.metrics].map(([metric, { devices, summary }]) => {
        const { count, min, max, sum, squares, sketch } = summary;
        return [
          metric,
          { devices, count, min, max, sum: sum.high, squares: squares.high.toPrecision(14), sketch },
        ] as const;
      });
      return [
        id,
        { ...merged, metrics: Object.fromEntries(metrics.toSorted(([a], [b]) => (a < b ? -1 : 1))) },
      ];
    }),
  );
}

const settled = (tenant: string) =>
  until("no hour to compute", async () =>
    (await rowsOf(tenant, "SELECT 1 FROM dirty_hour WHERE tenant = ?")).length === 0 ? true : undefined,
  );

it("[S20] imported from CSV, NDJSON and Parquet, the slice of Beijing has the figures it has through the front door", async () => {
  const front = server.tenant("front");
  await asAdmin(front, "/v1/tenant", "PUT", KEEP_ALL);
  const played = await replay({
    recording: await openRecording(slice),
    selection: {},
    url: server.run.url,
    tokens: signedTokens(server.run.secret, "front", Date.now()),
  });
  const readings = played.readings.acknowledged;
  expect(readings).toBeGreaterThan(11_000);
  const expected = await until("every reading in the rollups", async () => {
    const figures = await hourlyFigures("front");
    const count = [...figures.values()].reduce((sum, summary) => sum + summary.count, 0);
    return count === readings ? figures : undefined;
  });
  await settled("front");
  const expectedHours = await zoneHours("front");

  const lines = reports.map(({ device, at, metrics }) =>
    JSON.stringify({ device, at: new Date(at).toISOString(), metrics }),
  );
  const points = reports.flatMap(({ device, at, metrics }) =>
    Object.entries(metrics).map(([metric, value]) => ({ device, at, metric, value })),
  );
  const column = <K extends "device" | "metric" | "at" | "value">(name: K) =>
    points.map((point) => point[name]);
  const parquet = parquetWriteBuffer({
    columnData: [
      { name: "device", data: column("device"), type: "STRING" },
      { name: "metric", data: column("metric"), type: "STRING" },
      { name: "at", data: column("at").map((at) => new Date(at)), type: "TIMESTAMP" },
      { name: "value", data: column("value"), type: "DOUBLE" },
    ],
  });
  const metrics = [...new Set(column("metric"))].join();
  const sources = {
    csv: [slice, "--device-column", "station", "--at-column", "year,month,day,hour", "--metrics", metrics],
    // Shuffled, and in two files that overlap.
    ndjson: [
      await written(
        "a.ndjson.gz",
        gzipSync(
          lines
            .toSorted((a, b) => hash(a) - hash(b))
            .slice(0, 600)
            .join("\n"),
        ),
      ),
      await written(
        "b.ndjson",
        lines
          .toSorted((a, b) => hash(a) - hash(b))
          .slice(550)
          .join("\n"),
      ),
    ],
    parquet: [await written("all.parquet", new Uint8Array(parquet))],
  };
  for (const [name, args] of Object.entries(sources)) {
    const tenant = server.tenant(`from-${name}`);
    await asAdmin(tenant, "/v1/tenant", "PUT", KEEP_ALL);
    const { job, refused, posted } = await imported(tenant, args);
    expect([name, job.status, refused, posted]).toEqual([name, "done", 0, 0]);
    expect(job.progress.counts.stored).toBe(readings);
    expect(await hourlyFigures(`from-${name}`)).toEqual(expected);
    expect(await zoneHours(`from-${name}`)).toEqual(expectedHours);
  }

  const csv = server.tenant("from-csv");
  const [{ device, at }] = reports as [RecordedReport];
  const asked = { metric: "TEMP", from: at, to: at + DAYS * 24 * HOUR_MS };
  for (const query of [
    { ...asked, resolution: "1h" },
    { ...asked, resolution: "raw", source: "cold" },
  ]) {
    const answer = await csv.history(device, query);
    expect(answer.points).toEqual((await front.history(device, query)).points);
    expect(answer.points.length).toBeGreaterThan(90);
  }
  // Once more, and then with one value corrected.
  expect((await imported(csv, sources.csv)).job.progress.counts).toMatchObject({
    stored: 0,
    duplicate: readings,
    corrected: 0,
  });
  expect(await hourlyFigures("from-csv")).toEqual(expected);
  const corrected = await written("corrected.csv", `device,at,metric,value\n${device},${at},TEMP,-40\n`);
  expect((await imported(csv, [corrected])).job.progress.counts).toMatchObject({
    stored: 0,
    duplicate: 0,
    corrected: 1,
  });
  const hour = (await csv.history(device, { metric: "TEMP", from: at, to: at + HOUR_MS, resolution: "1h" }))
    .points[0];
  expect(hour).toMatchObject({ count: 1, min: -40, max: -40 });
}, 300_000);

/** An order that has nothing to do with time. */
const hash = (text: string) =>
  [...text].reduce((sum, character) => (Math.imul(sum, 31) + character.charCodeAt(0)) | 0, 7);

it("[S20] ten years on, of a tenant as it comes: hours and readings are answered from the archive", async () => {
  const tenant = server.tenant("attic");
  const start = Date.UTC(2014, 5, 1);
  const rows = Array.from({ length: 500 }, (_, i) => `${start + i * 600_000},${i / 8}`);
  const file = await written("attic.csv", ["at,temp", ...rows].join("\n"));
  const { job } = await imported(tenant, [file, "--device", "barometer", "--zone", "house"]);
  expect(job).toMatchObject({ status: "done", progress: { counts: { stored: 500 } } });
  const asked = { metric: "temp", from: start, to: start + 4 * 24 * HOUR_MS };
  const hours = await until("the hours in the archive", async () => {
    const found = await tenant.history("barometer", { ...asked, resolution: "1h" });
    return found.points.length > 0 && found.source === "cold" ? found.points : undefined;
  });
  expect(hours).toHaveLength(Math.ceil(500 / 6));
  expect(hours[1]).toMatchObject({ startMs: start + HOUR_MS, count: 6, min: 6 / 8, max: 11 / 8 });
  expect(await tenant.readings("barometer", "temp")).toEqual(rows.map((row) => row.split(",").map(Number)));
  expect((await tenant.get("/v1/devices/barometer")).body).toMatchObject({
    zone: "house",
    firstSeenAt: null,
  });
  // The device reports for the first time: it has its past, and what it says now.
  expect(await tenant.send({ metrics: { temp: 99 } }, "barometer")).toMatchObject({ stored: 1 });
  expect((await tenant.readings("barometer", "temp")).length).toBe(501);
});

it("[S20] what lies within the horizon goes through the front door, and every row that cannot be taken is told", async () => {
  const tenant = server.tenant("mixed");
  const now = Date.now();
  const lines = [
    `d1,${now - 1_000},temp,1`,
    `d1,${Date.UTC(2020, 0, 1)},temp,2`,
    `d1,${Date.UTC(2020, 0, 1) / 1_000},temp,3`,
    `d1,${Date.UTC(2020, 0, 2)},temp,x`,
  ];
  const file = await written("mixed.csv", ["device,at,metric,value", ...lines].join("\n"));
  const gateway = ["--gateway-token", await tenant.token("gateway")];
  const result = await imported(tenant, [file, ...gateway], 1);
  expect(result).toMatchObject({
    rows: 4,
    readings: 1,
    posted: 1,
    refused: 2,
    job: { status: "done", progress: { counts: { stored: 1 } } },
  });
  expect(result.problems).toMatchObject([
    { place: `${file}:4`, code: "at_in_seconds" },
    { place: `${file}:5`, code: "not_a_number" },
  ]);
  expect((await tenant.latest("d1")).metrics.temp).toMatchObject({ at: now - 1_000, value: 1 });
  expect(await imported(tenant, [file], 1)).toMatchObject({
    posted: 0,
    refused: 3,
    problems: [{ code: "too_recent" }, {}, {}],
  });

  const strict = await runScript("import.ts", [
    file,
    "--strict",
    "--url",
    tenant.url,
    "--token",
    await tenant.token("admin"),
  ]);
  expect([strict.code, strict.stderr]).toEqual([
    1,
    expect.stringMatching(/mixed\.csv:2.*too_recent|mixed\.csv:2.*telemetry.*nothing was stored/),
  ]);
  const usage = await runScript("import.ts", ["--url", "ftp://x", file]);
  expect([usage.code, usage.stderr]).toEqual([2, expect.stringMatching(/--url ftp:\/\/x.*usage:/s)]);
});

it("[S38] [S40] the archive's own files give a correction back in any order of the files, and so does its export as CSV", async () => {
  const tenant = server.tenant("corrected");
  const at = Date.UTC(2019, 4, 1);
  const name = "=1+1";
  const rows = (value: string) => `device;at;Temperatur, Grad;${name}\nk1;${at};${value};-5\n`;
  // Taken after each import: files that are merged later are among them.
  const kept = new Map<string, string>();
  for (const value of ["10,5", "777,25"]) {
    await imported(tenant, [await written(`${value}.csv`, rows(value)), "--zone", "hall"]);
    const { files } = (await asAdmin(tenant, "/v1/archive?limit=1000")) as { files: { key: string }[] };
    for (const { key } of files.filter((file) => file.key.startsWith("raw/") && !kept.has(file.key))) {
      const answer = await fetch(`${tenant.url}/v1/archive/${key}`, {
        headers: { authorization: `Bearer ${await tenant.token("viewer")}` },
      });
      const bytes = new Uint8Array(await answer.arrayBuffer());
      kept.set(key, await written(`own-${kept.size}.parquet`, bytes));
    }
  }
  const paths = [...kept.values()];
  expect(paths.length).toBeGreaterThan(1);
  for (const [i, order] of [paths, paths.toReversed()].entries()) {
    const again = server.tenant(`again-${i}`);
    expect((await imported(again, order)).job.progress.counts).toMatchObject({ stored: 2, corrected: 0 });
    expect(await again.readings("k1", "Temperatur, Grad")).toEqual([[at, 777.25]]);
  }
  const exported = await fetch(
    `${tenant.url}/v1/devices/k1/history/export?metric=${encodeURIComponent(name)}&format=csv&from=${at}&to=${at + 1}`,
    { headers: { authorization: `Bearer ${await tenant.token("viewer")}` } },
  );
  const text = await exported.text();
  expect(text).toBe(`metric,at,value\r\n"'=1+1",${at},-5\r\n`);
  const back = server.tenant("back");
  await imported(back, [await written("export.csv", text), "--device", "k1"]);
  expect(await back.readings("k1", name)).toEqual([[at, -5]]);
});
