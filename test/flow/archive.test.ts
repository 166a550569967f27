// The archive after all its upkeep: what the documented DuckDB recipes say of it is what the API answers.
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { afterAll, expect, it } from "vitest";
import type * as z from "zod";
import { archiveAnswer } from "../../schemas/query.ts";
import type { TenantClient } from "./tenant-client.ts";
import { eachTopology, type ServerUnderTest } from "./topology.ts";
import { until } from "./until.ts";

const DAY_MS = 86_400_000;
/** Two days of a month that is over, so long ago that D1 no longer keeps their rollups. */
const FROM = Math.floor(Date.now() / DAY_MS) * DAY_MS - 70 * DAY_MS;
const TO = FROM + 2 * DAY_MS;
const DEVICES = ["Dongsi", "Huairou", "Wanliu", "Tiantan"];
const METRICS = ["PM2.5", "temp °C"];
const WARM_DATABASES = 3;
const EVERY_MS = 15 * 60_000;

type Point = [at: number, value: number];

/** Quarters, whose sums are exact in any order. */
const readingOf = (device: string, metric: string, at: number) =>
  (((at / EVERY_MS) * (1 + DEVICES.indexOf(device)) + 7 * METRICS.indexOf(metric)) % 101) / 4;

const isLate = (at: number) => (at / EVERY_MS) % 10 === 3;
const isCorrected = (at: number) => (at / EVERY_MS) % 17 === 5;
/** The first hours of both days. */
const HOURS = 5;
const instants = [FROM, FROM + DAY_MS].flatMap((startMs) =>
  Array.from({ length: HOURS * 4 }, (_, i) => startMs + i * EVERY_MS),
);

/** What is sent first, with errors and without what comes late; and then what is missing or was wrong. */
const reportsOf = (device: string, round: "first" | "second") =>
  instants
    .filter((at) => (round === "first" ? !isLate(at) : isLate(at) || isCorrected(at)))
    .map((at) => {
      const error = round === "first" && isCorrected(at) ? 1_000 : 0;
      return { at, metrics: Object.fromEntries(METRICS.map((m) => [m, readingOf(device, m, at) + error])) };
    });

const expectedOf = (device: string, metric: string): Point[] =>
  instants.map((at) => [at, readingOf(device, metric, at)]);

const recipes = new Map<string, string>();
/** In which downloaded files lie. */
const folders: string[] = [];
afterAll(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true }))));

/** A recipe of docs/archive-format.md, of this metric of Dongsi and the files in this folder. */
async function recipe(name: string, folder: string, metric: string): Promise<string> {
  if (recipes.size === 0) {
    const text = await readFile(new URL("../../docs/archive-format.md", import.meta.url), "utf8");
    const found = text.matchAll(/<!-- recipe: (.+?) -->\n```sql\n([\s\S]+?)```/g);
    for (const [, title, sql] of found) recipes.set(title!, sql!);
  }
  return recipes
    .get(name)!
    .replaceAll(/'((?:raw|hourly)\/tenant=)demo/g, `'${folder}/$1upkeep`)
    .replaceAll("'PM2.5'", `'${metric}'`)
    .replaceAll(/date BETWEEN '[^']+' AND '[^']+'/g, "date BETWEEN '2020-01-01' AND '2100-01-01'");
}

/** Rows of a recipe; instants as epoch ms, counts as numbers. */
async function ask(sql: string): Promise<Record<string, unknown>[]> {
  const instance = await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  try {
    const rows = (await connection.runAndReadAll(sql)).getRowObjectsJS();
    return rows.map((row) =>
      Object.fromEntries(
        Object.entries(row).map(([name, value]) => [
          name,
          value instanceof Date ? value.getTime() : typeof value === "bigint" ? Number(value) : value,
        ]),
      ),
    );
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

async function filesOf(tenant: TenantClient): Promise<z.infer<typeof archiveAnswer>["files"]> {
  return archiveAnswer.parse((await tenant.get("/v1/archive?limit=1000")).body).files;
}

/** The files that the manifest lists, under their keys in a folder of their own. */
async function download(tenant: TenantClient): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "telltale-archive-"));
  folders.push(folder);
  const headers = { authorization: `Bearer ${await tenant.token("viewer")}` };
  for (const { key, bytes } of await filesOf(tenant)) {
    const content = await (await fetch(`${tenant.url}/v1/archive/${key}`, { headers })).arrayBuffer();
    expect(content.byteLength).toBe(bytes);
    await mkdir(dirname(join(folder, key)), { recursive: true });
    await writeFile(join(folder, key), new Uint8Array(content));
  }
  return folder;
}

const inBucket = async ({ run }: ServerUnderTest) => {
  const bucket = await run.miniflare.getR2Bucket("COLD", run.objectsWorker);
  return (await bucket.list()).objects.map(({ key }) => key).sort();
};

const history = async (tenant: TenantClient, metric: string, resolution: string, device = "Dongsi") =>
  (await tenant.history(device, { metric, from: FROM, to: TO, resolution })).points;

async function send(tenant: TenantClient, round: "first" | "second"): Promise<void> {
  for (const device of DEVICES) {
    await tenant.send(reportsOf(device, round), device, { "telltale-clock": String(TO) });
    await tenant.seal(device);
  }
}

/** Waits until the archive has these readings of every device. */
async function archived(tenant: TenantClient, pick: (at: number) => boolean): Promise<void> {
  for (const device of DEVICES) {
    for (const metric of METRICS) {
      await until(`${device}'s ${metric} in the archive`, async () => {
        const asked = { metric, from: FROM, to: TO, resolution: "raw", source: "cold" };
        const { points } = await tenant.history(device, asked);
        const found = points.map((point) => Object.values(point));
        const expected = expectedOf(device, metric).filter(([at]) => pick(at));
        return found.filter(([at]) => pick(at!)).toString() === expected.toString() ? true : undefined;
      });
    }
  }
}

eachTopology(
  (server) => {
    const upkeep = () => server.tenant("upkeep");

    it("[S10] [S13] [S14] [S15] late readings and corrections are in the archive, a partition is one file a warm database, and nothing else is in the bucket", async () => {
      // D1 keeps the days until their late readings are in: then they leave it.
      const keep = (hourlyDays: number) =>
        upkeep().put("/v1/tenant", { retention: { rawDays: 7, hourlyDays, archiveDays: null } }, "admin");
      await keep(3_650);
      await send(upkeep(), "first");
      await archived(upkeep(), (at) => !isLate(at) && !isCorrected(at));
      await server.run.tick();
      await send(upkeep(), "second");
      await archived(upkeep(), () => true);
      await server.run.tick();
      await keep(30);
      const files = await until("upkeep is done", async () => {
        await server.run.tick();
        const [files, keys] = [await filesOf(upkeep()), await inBucket(server)];
        const partitions = Map.groupBy(files, ({ kind, date }) => `${kind} ${date}`).values();
        const isMerged = [...partitions].every(({ length }) => length <= WARM_DATABASES);
        return isMerged && keys.length === files.length ? files : undefined;
      });
      expect(files.map(({ key }) => key)).toEqual(await inBucket(server));
      const rowsOf = (kind: string) =>
        files.filter((file) => file.kind === kind).reduce((sum, { rows }) => sum + rows, 0);
      expect(rowsOf("raw")).toBe(instants.length * DEVICES.length * METRICS.length);
      expect(rowsOf("hourly")).toBe(2 * HOURS * DEVICES.length * METRICS.length);
      await archived(upkeep(), () => true);
    }, 120_000);

    it("[S23] DuckDB gives with the documented recipes what the API answers", async () => {
      const folder = await download(upkeep());
      for (const metric of METRICS) {
        const readings = await ask(await recipe("readings", folder, metric));
        expect(readings).toEqual(expectedOf("Dongsi", metric).map(([at, value]) => ({ at, value })));
        expect(await history(upkeep(), metric, "raw")).toEqual(readings);

        const hours = (await history(upkeep(), metric, "1h")).map((point) => {
          const { startMs: start, endMs: _, ...figures } = point as { startMs: number; endMs: number };
          return { start, ...figures };
        });
        expect(hours).toHaveLength(2 * HOURS);
        expect(await ask(await recipe("hours", folder, metric))).toEqual(hours);
        const figures = await ask(await recipe("hours of readings", folder, metric));
        expect(hours).toMatchObject(figures);
        expect(figures).toHaveLength(2 * HOURS);
      }
      const days = await ask(await recipe("days", folder, ""));
      for (const device of DEVICES) {
        for (const metric of METRICS) {
          const points = await history(upkeep(), metric, "1d", device);
          const own = days.filter((row) => row.device === device && row.metric === metric);
          expect(own).toHaveLength(2);
          expect(
            points.map((point) => ({ day: "startMs" in point && point.startMs, ...point })),
          ).toMatchObject(own.map(({ day, count, min, max, mean }) => ({ day, count, min, max, mean })));
        }
      }
      expect(days).toHaveLength(2 * DEVICES.length * METRICS.length);
    });
  },
  { warmDatabases: WARM_DATABASES, vars: { GRACE_MS: "0" } },
);
