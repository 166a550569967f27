// Three warm databases: devices lie in each, and every question is answered as if there were one.
import { expect, it } from "vitest";
import { fleetPointOf, windowPointOf } from "../../core/history/point.ts";
import { windowsOfReadings } from "../../core/window/aggregate.ts";
import { summarise } from "../../core/window/summary.ts";
import {
  archiveAnswer,
  type FleetHistoryAnswer,
  fleetHistoryAnswer,
  type RawPoint,
} from "../../schemas/query.ts";
import { askDuckDb } from "./duck.ts";
import { eachTopology, type ServerUnderTest } from "./topology.ts";
import { until } from "./until.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const WARM = ["WARM_0", "WARM_1", "WARM_2"];
/** Three days, ten days ago: by now the archive answers for raw readings, and all hours are settled. */
const FROM = Math.floor(Date.now() / DAY_MS) * DAY_MS - 10 * DAY_MS;
const TO = FROM + 3 * DAY_MS;
const RANGE = { from: FROM, to: TO };
const DEVICES = Array.from({ length: 12 }, (_, i) => `pump-${i}`);
const STEP_MS = 60_000;
const zoneOf = (device: string) => (DEVICES.indexOf(device) % 2 === 0 ? "even" : "odd");

/** Eighths: sums are exact in any order. */
const READINGS = DEVICES.map((_, index) =>
  Array.from(
    { length: (TO - FROM) / STEP_MS },
    (_, i): RawPoint => ({
      at: FROM + i * STEP_MS,
      value: (((i + 1) * (index + 3)) % 997) / 8,
    }),
  ),
);
const readingsOf = (device: string) => READINGS[DEVICES.indexOf(device)]!;

function hoursOf(device: string, lengthMs = HOUR_MS) {
  const readings = readingsOf(device);
  return windowsOfReadings(
    readings.map(({ at }) => at),
    readings.map(({ value }) => value),
    lengthMs,
  ).map(windowPointOf);
}

/** What the fleet, or a part of it, has in each hour. */
function fleetHoursOf(devices: readonly string[]) {
  return Array.from({ length: (TO - FROM) / HOUR_MS }, (_, hour) => {
    const startMs = FROM + hour * HOUR_MS;
    const values = devices.flatMap((device) =>
      readingsOf(device)
        .filter(({ at }) => at >= startMs && at < startMs + HOUR_MS)
        .map(({ value }) => value),
    );
    const window = { startMs, endMs: startMs + HOUR_MS, summary: summarise(values, values) };
    return fleetPointOf(window, devices.length);
  });
}

async function play(server: ServerUnderTest): Promise<void> {
  const acme = server.tenant("acme");
  for (let day = FROM; day < TO; day += DAY_MS) {
    const reports = DEVICES.flatMap((device) =>
      readingsOf(device)
        .filter(({ at }) => at >= day && at < day + DAY_MS)
        .map(({ at, value }) => ({ device, at, metrics: { flow: value } })),
    );
    const clock = { "telltale-clock": String(day + DAY_MS) };
    expect(await acme.send(reports, undefined, clock)).toMatchObject({ stored: reports.length, refused: 0 });
  }
  // Today's report tells the objects what time it is.
  await acme.send(DEVICES.map((device) => ({ device, metrics: { on: 1 } })));
  await Promise.all(DEVICES.map((device) => acme.seal(device)));
}

async function rowsOf<Row>(server: ServerUnderTest, binding: string, sql: string): Promise<Row[]> {
  const database = await server.run.miniflare.getD1Database(binding, server.run.objectsWorker);
  return (await database.prepare(sql).all<Row>()).results;
}

eachTopology(
  (server) => {
    const acme = () => server.tenant("acme");
    const fleet = async (path: string, query = ""): Promise<FleetHistoryAnswer> => {
      const answer = await acme().get(`${path}/history?metric=flow&from=${FROM}&to=${TO}${query}`);
      return fleetHistoryAnswer.parse(answer.body);
    };

    it("[S10] a device's rollups and files lie in one of three databases, and each has some", async () => {
      for (const device of DEVICES) await acme().put(`/v1/devices/${device}`, { zone: zoneOf(device) });
      await play(server);
      const devicesIn = (binding: string) =>
        rowsOf<{ device: string }>(server, binding, "SELECT DISTINCT device FROM rollup ORDER BY device");
      await until("every device's last block in D1", async () => {
        const rows = await Promise.all(
          WARM.map((binding) =>
            rowsOf<{ device: string }>(server, binding, `SELECT device FROM rollup WHERE end_ms > ${TO}`),
          ),
        );
        return rows.flat().length === DEVICES.length || undefined;
      });
      const parts = await Promise.all(WARM.map(devicesIn));
      for (const part of parts) expect(part.length).toBeGreaterThan(0);
      expect(
        parts
          .flat()
          .map(({ device }) => device)
          .toSorted(),
      ).toEqual(DEVICES.toSorted());
    });

    it("[S10] [Q1] [Q2] a device's history comes from its own database and files", async () => {
      for (const device of DEVICES) {
        const asked = { metric: "flow", ...RANGE };
        const hourly = await acme().history(device, { ...asked, resolution: "1h" });
        expect(hourly).toMatchObject({ source: "warm", points: hoursOf(device) });
        const raw = await acme().history(device, { ...asked, resolution: "raw" });
        expect(raw).toMatchObject({ source: "cold", points: readingsOf(device) });
        const daily = await acme().history(device, { ...asked, resolution: "1d" });
        expect(daily.points).toEqual(hoursOf(device, DAY_MS));
      }
    });

    it("[S10] [S12] [Q14] the fleet's hours, and a zone's, are merged from all databases", async () => {
      await server.run.tick();
      const answer = await until("all hours computed", async () => {
        const found = await fleet("/v1/fleet");
        if (found.dirtyHours === 0) return found;
        await server.run.tick();
        return undefined;
      });
      expect(answer).toMatchObject({ source: "warm", settledToMs: TO, partial: false });
      expect(answer.points).toEqual(fleetHoursOf(DEVICES));
      const odd = DEVICES.filter((device) => zoneOf(device) === "odd");
      expect((await fleet("/v1/zones/odd")).points).toEqual(fleetHoursOf(odd));
      const daily = await fleet("/v1/fleet", "&resolution=1d");
      expect(daily.points.map(({ count, devices }) => [count, devices])).toEqual(
        Array(3).fill([12 * 1_440, 12]),
      );
    });

    it("[S10] [Q7] [S23] the archive is that of all databases, page by page, each file to be had", async () => {
      const files: { key: string }[] = [];
      for (let after = ""; ; ) {
        const page = archiveAnswer.parse((await acme().get(`/v1/archive?limit=5${after}`)).body);
        files.push(...page.files.filter(({ kind }) => kind === "raw"));
        if (page.next === null) break;
        after = `&after=${encodeURIComponent(page.next)}`;
      }
      expect(files.map(({ key }) => key)).toEqual([...new Set(files.map(({ key }) => key))].toSorted());
      const token = await acme().token("viewer");
      const contents = await Promise.all(
        files.map(async ({ key }) => {
          const headers = { authorization: `Bearer ${token}` };
          const response = await fetch(`${server.run.url}/v1/archive/${key}`, { headers });
          expect(response.status).toBe(200);
          return new Uint8Array(await response.arrayBuffer());
        }),
      );
      const counts = await askDuckDb(
        contents,
        "SELECT device, count(DISTINCT \"at\"), sum(value) FROM files WHERE metric = 'flow' GROUP BY device ORDER BY device",
      );
      expect(counts).toEqual(
        DEVICES.toSorted().map((device) => {
          const readings = readingsOf(device);
          return [device, BigInt(readings.length), readings.reduce((sum, { value }) => sum + value, 0)];
        }),
      );
    });

    it("[Q11] an export of archive and device is every reading once; its CSV is what DuckDB reads", async () => {
      const device = DEVICES[0]!;
      const path = `/v1/devices/${device}/history/export?metric=flow&metric=on&from=${FROM}&to=${Date.now() + HOUR_MS}`;
      const lines = String((await acme().get(path)).body)
        .trimEnd()
        .split("\n");
      const rows = lines.map((line) => JSON.parse(line) as { metric: string; at: number; value: number });
      expect(rows.slice(0, -1)).toEqual(readingsOf(device).map((point) => ({ metric: "flow", ...point })));
      expect(rows.at(-1)).toMatchObject({ metric: "on", value: 1 });
      const csv = await acme().get(path, { accept: "text/csv" });
      expect(csv.contentType).toMatch(/^text\/csv/);
      expect(String(csv.body).split("\r\n")).toHaveLength(rows.length + 2);
    });

    it("[Q11] an export whose file is gone breaks off: nobody takes it for whole", async () => {
      const device = DEVICES[1]!;
      const path = `/v1/devices/${device}/history/export?metric=flow&from=${FROM}&to=${TO}&resolution=1m`;
      const whole = String((await acme().get(path)).body);
      const manifest = await Promise.all(
        WARM.map((binding) =>
          rowsOf<{ key: string }>(
            server,
            binding,
            `SELECT key FROM archive_file WHERE kind = 'raw' AND replaced_at IS NULL AND from_ms >= ${FROM + 2 * DAY_MS} AND to_ms <= ${TO}
             AND min_device <= '${device}' AND max_device >= '${device}'`,
          ),
        ),
      );
      const bucket = await server.run.miniflare.getR2Bucket("COLD", server.run.objectsWorker);
      await bucket.delete(manifest.flat().map(({ key }) => key));
      for (const format of ["ndjson", "csv"]) {
        const token = await acme().token("viewer");
        const headers = { authorization: `Bearer ${token}` };
        const response = await fetch(`${server.run.url}${path}&format=${format}`, { headers });
        expect(response.status).toBe(200);
        let text = "";
        const reading = async () => {
          for await (const piece of response.body!.pipeThrough(new TextDecoderStream())) text += piece;
        };
        await expect(reading()).rejects.toThrow();
        if (format === "ndjson") {
          const lines = text.trimEnd().split("\n");
          expect(JSON.parse(lines.pop()!)).toMatchObject({ error: { code: "unavailable" } });
          expect(whole.startsWith(lines.join("\n"))).toBe(true);
        }
      }
    });
  },
  { warmDatabases: 3 },
);
