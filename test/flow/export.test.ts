// All of a tenant, taken as docs/archive-format.md says: what the devices were told is stored is in the files, as DuckDB reads them.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { expect, it } from "vitest";
import { exportManifest } from "../../schemas/export.ts";
import { archiveAnswer } from "../../schemas/query.ts";
import type { TenantClient } from "./tenant-client.ts";
import { eachTopology } from "./topology.ts";
import { until } from "./until.ts";

const DEVICES = Array.from({ length: 30 }, (_, i) => `d${10 + i}`);
const READINGS = 20;

/** A file of the API in a folder, by its last name. */
async function take(tenant: TenantClient, path: string, folder: string): Promise<void> {
  const headers = { authorization: `Bearer ${await tenant.token("admin")}` };
  const answer = await fetch(tenant.url + path, { headers });
  expect(answer.status).toBe(200);
  await writeFile(join(folder, path.split("/").at(-1)!), new Uint8Array(await answer.arrayBuffer()));
}

eachTopology((server) => {
  it("[S56] [S57] the files of an export and of the archive have every device and every reading that was acknowledged", async () => {
    const tenant = server.tenant("export");
    const now = Date.now();
    for (const [number, device] of DEVICES.entries()) {
      const reports = Array.from({ length: READINGS }, (_, i) => ({
        at: now - (READINGS - i) * 1_000,
        metrics: { a: number + i / 4 },
      }));
      expect((await tenant.send(reports, device)).stored).toBe(READINGS);
    }
    await until("the devices in the registry", async () => {
      const { body } = await tenant.get("/v1/devices?limit=1000");
      return (body as { devices: object[] }).devices.length === DEVICES.length || undefined;
    });
    const asAdmin = async (path: string, method = "GET") =>
      (await tenant.ask(path, { method, token: await tenant.token("admin") })).body;
    const { id } = (await asAdmin("/v1/tenant/export", "POST")) as { id: string };
    await until("the export", async () => {
      await server.run.tick();
      const { status } = (await asAdmin(`/v1/admin/jobs/${id}`)) as { status: string };
      return status === "done" || undefined;
    });

    const folder = await mkdtemp(join(tmpdir(), "telltale-export-"));
    const duck = await DuckDBInstance.create(":memory:");
    const connection = await duck.connect();
    const rows = async (sql: string) => (await connection.runAndReadAll(sql)).getRowsJson();
    try {
      const { files } = exportManifest.parse(await asAdmin(`/v1/tenant/exports/${id}`));
      for (const { file } of files) await take(tenant, `/v1/tenant/exports/${id}/${file}`, folder);
      const archive = archiveAnswer.parse(await asAdmin("/v1/archive?limit=1000"));
      for (const { key } of archive.files.filter(({ kind }) => kind === "raw"))
        await take(tenant, `/v1/archive/${key}`, folder);
      const devices = await rows(`SELECT device FROM read_json('${folder}/device-*.ndjson.gz') ORDER BY 1`);
      expect(devices.flat()).toEqual(DEVICES);
      const readings = `SELECT DISTINCT device, "at", value FROM read_parquet('${folder}/*.parquet')`;
      expect(
        await rows(`SELECT device, count(*)::INT, sum(value) FROM (${readings}) GROUP BY 1 ORDER BY 1`),
      ).toEqual(
        DEVICES.map((device, number) => [
          device,
          READINGS,
          READINGS * number + (READINGS * (READINGS - 1)) / 8,
        ]),
      );
    } finally {
      connection.closeSync();
      duck.closeSync();
      await rm(folder, { recursive: true });
    }
  });
});
