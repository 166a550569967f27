// What D1 had, lost and got back from the archive and from the devices, by the command its operator runs.
import { expect, it } from "vitest";
import { unpackSummaries } from "../../core/window/pack-summary.ts";
import { jobAnswer, jobList } from "../../schemas/job.ts";
import { runScript } from "./run-script.ts";
import type { TenantClient } from "./tenant-client.ts";
import { eachTopology, type ServerUnderTest } from "./topology.ts";
import { until } from "./until.ts";

const HOUR_MS = 3_600_000;
const START = (Math.floor(Date.now() / (24 * HOUR_MS)) - 2) * 24 * HOUR_MS;
const RANGE = ["--from", new Date(START).toISOString(), "--to", new Date(START + 24 * HOUR_MS).toISOString()];
const WARM_DATABASES = 3;
const DEVICES = ["a", "b", "c", "d", "e", "f"];
const reports = (device: string) =>
  Array.from({ length: 200 }, (_, i) => ({
    at: START + i * 180_000,
    metrics: { temp: i / 7, [`only-${device}`]: -i },
  }));

async function databases(server: ServerUnderTest) {
  return await Promise.all(
    Array.from({ length: WARM_DATABASES }, (_, i) =>
      server.run.miniflare.getD1Database(`WARM_${i}`, server.run.objectsWorker),
    ),
  );
}

/** Rollups and hours of the tenant in every warm database. */
async function tablesOf(server: ServerUnderTest, tenant: string) {
  const found = [];
  for (const database of await databases(server)) {
    const of = async (query: string) =>
      (await database.prepare(query).bind(tenant).all<Record<string, unknown>>()).results;
    const rollups = await of("SELECT * FROM rollup WHERE tenant = ? ORDER BY device, start_ms");
    const hours = await of("SELECT * FROM zone_hour WHERE tenant = ? ORDER BY zone, hour_ms");
    found.push({
      rollups: rollups.map(({ summaries, ...row }) => ({
        ...row,
        summaries: unpackSummaries(summaries as string),
      })),
      hours: hours.map(({ metrics, ...row }) => ({
        ...row,
        metrics: JSON.parse(metrics as string) as unknown,
      })),
      dirty: await of("SELECT * FROM dirty_hour WHERE tenant = ?"),
    });
  }
  return found;
}

/** From blocks, what comes last is stored after the job has seen the rest. */
const settled = (server: ServerUnderTest) =>
  until("no hour to compute", async () =>
    (await tablesOf(server, "replayed")).every(({ dirty }) => dirty.length === 0) ? true : undefined,
  );

async function replayArchive(tenant: TenantClient, args: readonly string[]) {
  const ended = await runScript("replay-archive.ts", [
    ...args,
    "--url",
    tenant.url,
    "--token",
    await tenant.token("admin"),
    "--json",
  ]);
  expect([ended.code, ended.stderr]).toEqual([0, ""]);
  return jobAnswer.parse(JSON.parse(ended.stdout));
}

eachTopology(
  (server) => {
    it("[S18] [S10] rollups and hours that D1 lost come back as they were, from the archive and from the devices", async () => {
      const tenant = server.tenant("replayed");
      for (const device of DEVICES) {
        await tenant.send(reports(device).slice(0, 150), device);
        await tenant.seal(device);
        await tenant.send(reports(device).slice(100), device);
        await tenant.send({ at: START, metrics: { temp: 1_000 } }, device);
        await tenant.seal(device);
      }
      const total = DEVICES.length * 400;
      const before = await until("everything stored and computed", async () => {
        const tables = await tablesOf(server, "replayed");
        const hours = tables.flatMap(({ hours }) => hours as unknown as { zone: string; readings: number }[]);
        const readings = hours
          .filter(({ zone }) => zone === "")
          .reduce((sum, hour) => sum + hour.readings, 0);
        return readings === total && tables.every(({ dirty }) => dirty.length === 0) ? tables : undefined;
      });
      expect(before.every(({ rollups }) => rollups.length > 0)).toBe(true);

      for (const source of ["archive", "blocks"]) {
        for (const database of await databases(server)) {
          await database
            .prepare("DELETE FROM rollup WHERE tenant = 'replayed' AND device IN ('a', 'c', 'e')")
            .run();
          await database.prepare("UPDATE rollup SET summaries = '{}' WHERE tenant = 'replayed'").run();
          if (source === "archive")
            await database.prepare("DELETE FROM zone_hour WHERE tenant = 'replayed' AND zone = ''").run();
        }
        const job = await replayArchive(tenant, [...RANGE, "--source", source]);
        expect(job).toMatchObject({ kind: "replay", status: "done", error: null, spec: { source } });
        await settled(server);
        expect(await tablesOf(server, "replayed")).toEqual(before);
      }
    }, 180_000);

    it("[S19] a job is listed, stopped and resumed by its id, by admins of its tenant only", async () => {
      const tenant = server.tenant("replayed");
      const token = await tenant.token("admin");
      const { jobs } = jobList.parse((await tenant.ask("/v1/admin/jobs", { token })).body);
      expect(jobs.map(({ kind, status }) => [kind, status])).toEqual([
        ["replay", "done"],
        ["replay", "done"],
      ]);
      const [{ id }] = jobs as [(typeof jobs)[number]];
      for (const change of ["stop", "resume"]) {
        const answer = await tenant.ask(`/v1/admin/jobs/${id}/${change}`, { method: "POST", token });
        expect(answer).toMatchObject({ status: 200, body: { id, status: "done" } });
      }
      const rival = server.tenant("rival");
      expect((await rival.ask(`/v1/admin/jobs/${id}`, { token: await rival.token("admin") })).status).toBe(
        404,
      );
      expect(
        (await tenant.ask(`/v1/admin/jobs/${id}`, { token: await tenant.token("operator") })).status,
      ).toBe(403);
      const wrong = await tenant.ask("/v1/admin/replay", {
        method: "POST",
        token,
        body: '{"from":2,"to":1}',
      });
      expect(wrong).toMatchObject({ status: 400, body: { code: "invalid_body" } });
      expect(await replayArchive(tenant, ["--watch", id])).toMatchObject({ id, status: "done" });
    });
  },
  { warmDatabases: WARM_DATABASES, tickEveryMs: 300 },
);
