// A device deleted in the middle of its life: gone from every tier and every object of the bucket, and nobody else is.
import { expect, it } from "vitest";
import { type JobAnswer, jobAnswer } from "../../schemas/job.ts";
import { fleetAnswer } from "../../schemas/query.ts";
import { askDuckDb } from "./duck.ts";
import type { TenantClient } from "./tenant-client.ts";
import { eachTopology, type ServerUnderTest } from "./topology.ts";
import { until } from "./until.ts";

const HOUR_MS = 3_600_000;
const START = Math.floor((Date.now() - 30 * HOUR_MS) / HOUR_MS) * HOUR_MS;
const DEVICES = ["pump-1", "pump-2", "pump-3"];
/** Two hours of minutes. */
const REPORTS = Array.from({ length: 120 }, (_, i) => ({
  at: START + i * 60_000,
  metrics: { temp: i / 4, flow: -i },
}));
const VALUES = REPORTS.map(({ at, metrics }) => [at, metrics.temp]);

const asAdmin = async (tenant: TenantClient, path: string, method = "GET") =>
  tenant.ask(path, { method, token: await tenant.token("admin") });

/** Lets the cron tick until the job is over. */
async function finished(server: ServerUnderTest, tenant: TenantClient, id: string): Promise<JobAnswer> {
  return until(`the end of job ${id}`, async () => {
    await server.run.tick();
    const job = jobAnswer.parse((await asAdmin(tenant, `/v1/admin/jobs/${id}`)).body);
    return job.finishedAt === null ? undefined : job;
  });
}

const stored = (tenant: TenantClient, device: string) =>
  until(`${device} in D1`, async () => {
    const { source } = await tenant.history(device, {
      metric: "temp",
      from: START,
      to: START + 2 * HOUR_MS,
      resolution: "1h",
    });
    return source === "warm" ? true : undefined;
  });

/** Each Parquet object of a kind of the tenant, in the bucket, manifest or not. */
async function objectsOf(
  server: ServerUnderTest,
  kind: "raw" | "hourly",
  name: string,
): Promise<Uint8Array[]> {
  const bucket = await server.run.miniflare.getR2Bucket("COLD", server.run.objectsWorker);
  const { objects } = await bucket.list({ prefix: `${kind}/tenant=${name}/` });
  return Promise.all(
    objects.map(async ({ key }) => new Uint8Array(await (await bucket.get(key))!.arrayBuffer())),
  );
}

/** How many readings of each device DuckDB finds in all the objects. */
async function readingsOf(server: ServerUnderTest, tenant: string): Promise<Record<string, number>> {
  const rows = await askDuckDb(
    await objectsOf(server, "raw", tenant),
    'SELECT device, count(*) FROM (SELECT DISTINCT device, metric, "at" FROM files) GROUP BY device',
  );
  return Object.fromEntries(rows.map(([device, count]) => [device, Number(count)]));
}

async function devicesInHours(server: ServerUnderTest, tenant: string): Promise<unknown[]> {
  const files = await objectsOf(server, "hourly", tenant);
  expect(files.length).toBeGreaterThan(0);
  return (await askDuckDb(files, "SELECT DISTINCT device FROM files ORDER BY device")).flat();
}

eachTopology((server) => {
  it("[S17] a deleted device is in no tier and no object, the others are whole, and it may begin anew", async () => {
    const acme = server.tenant("deletion");
    for (const device of DEVICES) {
      expect(await acme.send(REPORTS, device)).toMatchObject({ stored: 240 });
      await acme.seal(device);
    }
    for (const device of DEVICES) await stored(acme, device);
    await server.run.tick();
    expect(await readingsOf(server, "deletion")).toEqual({ "pump-1": 240, "pump-2": 240, "pump-3": 240 });
    expect(await devicesInHours(server, "deletion")).toEqual(DEVICES);
    // What is open, what is sealed and what is on its way to storage goes too.
    expect(await acme.send({ at: START + 5 * HOUR_MS, metrics: { temp: 5 } }, "pump-2")).toMatchObject({
      stored: 1,
    });
    expect(await acme.send({ at: START + 9 * HOUR_MS, metrics: { temp: 9 } }, "pump-2")).toMatchObject({
      stored: 1,
    });
    await acme.seal("pump-2");
    expect(await acme.send({ at: START + 11 * HOUR_MS, metrics: { temp: 11 } }, "pump-2")).toMatchObject({
      stored: 1,
    });

    const answer = await asAdmin(acme, "/v1/devices/pump-2", "DELETE");
    const job = jobAnswer.parse(answer.body);
    expect([answer.status, answer.headers.get("location")]).toEqual([202, `/v1/admin/jobs/${job.id}`]);
    expect(job).toMatchObject({ kind: "delete", status: "running", spec: { device: "pump-2" } });
    expect((await asAdmin(acme, "/v1/devices/pump-2", "DELETE")).body).toMatchObject({ id: job.id });
    const done = await finished(server, acme, job.id);
    expect(done).toMatchObject({ status: "done", error: null, progress: { phase: "done" } });
    expect(done.progress.counts.rows).toBeGreaterThanOrEqual(240);

    expect(await readingsOf(server, "deletion")).toEqual({ "pump-1": 240, "pump-3": 240 });
    expect(await devicesInHours(server, "deletion")).toEqual(["pump-1", "pump-3"]);
    for (const path of ["", "/latest", "/history?metric=temp"])
      expect((await acme.get(`/v1/devices/pump-2${path}`)).status, path).toBe(404);
    expect((await asAdmin(acme, "/v1/devices/pump-2", "DELETE")).status).toBe(404);
    for (const device of ["pump-1", "pump-3"]) expect(await acme.readings(device, "temp")).toEqual(VALUES);
    expect(fleetAnswer.parse((await acme.get("/v1/fleet")).body).devices).toBe(2);

    // The same instants again, with other values: the ring does not know them, and storage takes them.
    const again = REPORTS.map(({ at }) => ({ at, metrics: { temp: 1_000 } }));
    expect(await acme.send(again, "pump-2")).toMatchObject({ duplicate: 0, corrected: 0, refused: 0 });
    await acme.seal("pump-2");
    await stored(acme, "pump-2");
    await server.run.tick();
    expect(await acme.readings("pump-2", "temp")).toEqual(REPORTS.map(({ at }) => [at, 1_000]));
    expect(await readingsOf(server, "deletion")).toEqual({ "pump-1": 240, "pump-2": 120, "pump-3": 240 });
  });

  it("[S17] a device nobody knows, or of another tenant, is 404; who is no admin may not delete", async () => {
    const acme = server.tenant("deletion-a");
    await acme.send({ metrics: { temp: 1 } }, "mine");
    expect(await asAdmin(acme, "/v1/devices/nobody", "DELETE")).toMatchObject({
      status: 404,
      body: { code: "device_not_found" },
    });
    expect((await asAdmin(server.tenant("deletion-b"), "/v1/devices/mine", "DELETE")).status).toBe(404);
    const asOperator = await acme.ask("/v1/devices/mine", {
      method: "DELETE",
      token: await acme.token("operator"),
    });
    expect(asOperator).toMatchObject({ status: 403, body: { code: "forbidden" } });
    expect((await acme.latest("mine")).metrics.temp!.value).toBe(1);
    expect((await asAdmin(acme, "/v1/admin/jobs")).body).toEqual({ jobs: [], next: null });
  });
});
