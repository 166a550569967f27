// One reading's life: in at the door, live at once, sealed, in D1 and R2, and out again by every way there is.
import { expect, it } from "vitest";
import { archiveAnswer } from "../../schemas/query.ts";
import { askDuckDb } from "./duck.ts";
import type { TenantClient } from "./tenant-client.ts";
import { eachSharedTopology } from "./topology.ts";
import { until } from "./until.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** Yesterday at ten: both hours are over, and on one day of the archive. */
const TEN = Math.floor(Date.now() / DAY_MS) * DAY_MS - 14 * HOUR_MS;
const DATE = new Date(TEN).toISOString().slice(0, 10);
const RANGE = { from: TEN, to: TEN + 2 * HOUR_MS };
const DUST = "PM2.5 in µg/m³";
/** Forty reports in the first hour, twenty in the second; sums of quarters are exact in any order. */
const REPORTS = Array.from({ length: 60 }, (_, i) => ({
  at: TEN + i * 90_000,
  metrics: { temp: ((i * 7) % 60) / 4 - 3, [DUST as typeof DUST]: i === 5 ? -0 : i === 6 ? 5e-324 : i / 3 },
}));
const LATE = { at: TEN + 1_234, metrics: { temp: -17.25 } };
const CORRECTION = { at: TEN, metrics: { temp: 99.5 } };

/** As JSON, with the −0 that JSON.stringify writes as 0. */
const BODY = JSON.stringify(REPORTS, (_, value: unknown) => (Object.is(value, -0) ? "-0" : value)).replace(
  '"-0"',
  "-0",
);

const valuesOf = (metric: "temp" | typeof DUST) =>
  REPORTS.map(({ at, metrics }) => [at, metrics[metric]!] as [number, number]);
const hourly = (tenant: TenantClient) =>
  tenant.history("pump-1", { metric: "temp", ...RANGE, resolution: "1h" });
const figures = (values: number[]) => ({
  count: values.length,
  min: Math.min(...values),
  max: Math.max(...values),
  sum: values.reduce((sum, value) => sum + value),
});

async function raw(tenant: TenantClient, metric: string, source: string): Promise<unknown[]> {
  const answer = await tenant.history("pump-1", { metric, ...RANGE, resolution: "raw", source });
  expect(answer.source).toBe(source);
  return answer.points.map((point) => Object.values(point));
}

async function archived(tenant: TenantClient): Promise<Uint8Array[]> {
  const { files } = archiveAnswer.parse((await tenant.get(`/v1/archive?from=${DATE}&to=${DATE}`)).body);
  const token = await tenant.token("viewer");
  return Promise.all(
    files.map(async ({ key, bytes }) => {
      const response = await fetch(`${tenant.url}/v1/archive/${key}`, {
        headers: { authorization: `Bearer ${token}` },
      });
      expect(response.headers.get("content-type")).toBe("application/vnd.apache.parquet");
      const content = new Uint8Array(await response.arrayBuffer());
      expect(content.length).toBe(bytes);
      return content;
    }),
  );
}

eachSharedTopology((server) => {
  const acme = () => server.tenant("acme");

  it("[D4] [D15] a report posted is in latest and in the hot history at once", async () => {
    const { status, body: answer } = await acme().post(BODY, "pump-1");
    expect(status).toBe(200);
    expect(answer).toEqual({
      stored: 120,
      duplicate: 0,
      corrected: 0,
      late: 0,
      quarantined: 0,
      refused: 0,
      problems: [],
    });
    const { zone, connected, metrics } = await acme().latest("pump-1");
    expect({ zone, connected }).toEqual({ zone: "default", connected: false });
    expect(metrics.temp).toMatchObject(
      REPORTS.map(({ at, metrics }) => ({ at, value: metrics.temp })).at(-1)!,
    );
    expect(await raw(acme(), "temp", "hot")).toEqual(valuesOf("temp"));
  });

  it("[D2] the same reports once more are duplicates, every one", async () => {
    expect(await acme().post(BODY, "pump-1")).toMatchObject({
      body: { stored: 0, duplicate: 120, corrected: 0, late: 0 },
    });
  });

  it("[S1] [Q1] [Q3] sealed and through the queue, the hours come from D1 with the same figures", async () => {
    const sealed = await acme().seal("pump-1");
    expect(sealed).toMatchObject({ status: 200, body: { sealed: 2 } });
    const answer = await until("hours from D1", async () => {
      const found = await hourly(acme());
      return found.source === "warm" ? found : undefined;
    });
    const values = valuesOf("temp").map(([, value]) => value);
    expect(answer.points).toEqual([
      expect.objectContaining({
        startMs: TEN,
        endMs: TEN + HOUR_MS,
        ...figures(values.slice(0, 40)),
        first: -3,
      }),
      expect.objectContaining({ startMs: TEN + HOUR_MS, ...figures(values.slice(40)), last: values[59] }),
    ]);
    const hot = await acme().history("pump-1", { metric: "temp", ...RANGE, resolution: "1h", source: "hot" });
    expect(answer.points).toEqual(hot.points);
  });

  it.each(["temp", DUST] as const)(
    "[Q2] [Q5] the archive gives back every raw reading of %s, bit by bit",
    async (metric) => {
      expect(await raw(acme(), metric, "cold")).toEqual(
        // JSON, by which the API answers, writes −0 as 0; the Parquet file keeps it.
        valuesOf(metric).map(([at, value]) => [at, value + 0]),
      );
    },
  );

  it("[S5] [S6] DuckDB reads from the files of the manifest exactly what was sent, sorted", async () => {
    const files = await archived(acme());
    expect(files).toHaveLength(1);
    const columns = await askDuckDb(
      files,
      "SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM files)",
    );
    expect(columns.map(([name]) => name)).toEqual([
      "device",
      "metric",
      "at",
      "value",
      "revision",
      "block_start",
      "block_end",
    ]);
    expect(columns.map(([, type]) => type)).toEqual([
      "VARCHAR",
      "VARCHAR",
      expect.stringMatching(/^TIMESTAMP/),
      "DOUBLE",
      "INTEGER",
      expect.stringMatching(/^TIMESTAMP/),
      expect.stringMatching(/^TIMESTAMP/),
    ]);
    const rows = await askDuckDb(files, 'SELECT device, metric, epoch_ms("at"), value, revision FROM files');
    const sent = ([DUST, "temp"] as const).flatMap((metric) =>
      valuesOf(metric).map(([at, value]) => ["pump-1", metric, BigInt(at), value, 1]),
    );
    expect(rows).toEqual(sent);
    expect(Object.is(rows[5]![3], -0)).toBe(true);
  });

  it("[D11] [S4] a late reading and a correction after sealing: revision 2 corrects D1 and R2", async () => {
    expect(await acme().send([LATE, CORRECTION], "pump-1")).toMatchObject({
      stored: 0,
      late: 1,
      corrected: 1,
    });
    const unsettled = await hourly(acme());
    expect(unsettled.source).toBe("hot");
    await acme().seal("pump-1");
    const answer = await until("the corrected hour from D1", async () => {
      const found = await hourly(acme());
      return found.source === "warm" ? found : undefined;
    });
    const corrected = [
      99.5,
      -17.25,
      ...valuesOf("temp")
        .map(([, value]) => value)
        .slice(1, 40),
    ];
    expect(answer.points[0]).toMatchObject({ ...figures(corrected), first: 99.5 });
    expect(answer.points).toEqual(unsettled.points);
    const union = [[TEN, 99.5], [LATE.at, -17.25], ...valuesOf("temp").slice(1)];
    expect(await raw(acme(), "temp", "cold")).toEqual(union);
    expect(await raw(acme(), "temp", "hot")).toEqual(union);
  });

  it("[S4] DuckDB finds the same by the highest revision of each reading", async () => {
    const files = await archived(acme());
    expect(files).toHaveLength(2);
    const newest = `SELECT epoch_ms("at"), value, revision FROM files WHERE metric = 'temp'
      QUALIFY row_number() OVER (PARTITION BY device, metric, "at" ORDER BY revision DESC) = 1 ORDER BY "at"`;
    const rows = await askDuckDb(files, newest);
    expect(rows.slice(0, 3)).toEqual([
      [BigInt(TEN), 99.5, 2],
      [BigInt(LATE.at), -17.25, 2],
      [BigInt(TEN + 90_000), REPORTS[1]!.metrics.temp, 2],
    ]);
    expect(rows.map(([at, value]) => [Number(at), value])).toEqual(await raw(acme(), "temp", "cold"));
    // The second hour had nothing new: its block stayed at revision 1.
    expect(rows.slice(41).every(([, , revision]) => revision === 1)).toBe(true);
  });

  it("[I5] to another tenant neither the readings nor the files exist, even by their names", async () => {
    const rival = server.tenant("rival");
    const { files } = archiveAnswer.parse((await acme().get("/v1/archive")).body);
    const history = "/v1/devices/pump-1/history?metric=temp&resolution=raw";
    for (const path of [`${history}&source=cold`, history, ...files.map(({ key }) => `/v1/archive/${key}`)]) {
      expect([(await rival.get(path)).status, (await acme().get(path)).status], path).toEqual([404, 200]);
    }
    expect((await rival.get("/v1/archive")).body).toEqual({ files: [], next: null });
  });

  it("[Q1] a range that is partly settled is stitched from D1 and the device, without gap or overlap", async () => {
    expect(await acme().send({ metrics: { temp: 4 } }, "pump-1")).toMatchObject({ stored: 1 });
    const to = Date.now() + HOUR_MS;
    const { source, segments, points } = await acme().history("pump-1", {
      metric: "temp",
      from: TEN,
      to,
      resolution: "1h",
    });
    expect(source).toBe("mixed");
    expect(segments.map((segment) => segment.source)).toEqual(["warm", "hot"]);
    expect(segments[0]!.endMs).toBe(segments[1]!.startMs);
    expect(points.map((point) => ("count" in point ? point.count : 0))).toEqual([41, 20, 1]);
  });
});
