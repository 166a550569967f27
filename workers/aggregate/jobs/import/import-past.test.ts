import { env } from "cloudflare:test";
import { expect, it, vi } from "vitest";
import { PartBuilder } from "../../../../core/job/import-part.ts";
import { partKey } from "../../../import-parts.ts";
import { createJob } from "../../../jobs.ts";
import { changeSettings } from "../../../tenant.ts";
import { blockMessageOf, HOUR_MS } from "../../../test-support.ts";
import { computeZoneHours } from "../../chores/compute-zone-hours.ts";
import { exportHours } from "../../chores/export-hours.ts";
import { retain } from "../../chores/retain.ts";
import { deliver, finished, hastyEnv, instead, tick, turn, warmTablesOf } from "../jobs-test-support.ts";

vi.setConfig({ testTimeout: 60_000 });

const TEN = (Math.floor(Date.now() / HOUR_MS / 24) - 20) * 24 * HOUR_MS + 10 * HOUR_MS;

it("[S20] [S12] hours of a day that D1 had given up are computed with what is imported, also when they were computed just before", async () => {
  const retention = { rawDays: 1, hourlyDays: 1, archiveDays: null };
  await changeSettings(env.TENANT, "just-before", { latenessHorizonMs: HOUR_MS, retention });
  await deliver(
    blockMessageOf("just-before", "d1", TEN, { a: [[TEN, 1]] }),
    blockMessageOf("just-before", "d2", TEN, { a: [[TEN, 10]] }),
  );
  await tick();
  await exportHours(turn());
  await retain(turn());
  expect((await warmTablesOf("just-before")).rollups).toEqual([]);
  const { id } = await createJob(env.CONTROL, "just-before", "import", { zone: "annex" }, Date.now());
  const builder = new PartBuilder();
  builder.add({ device: "d1", at: TEN + 1_000, names: ["a"], values: [2] });
  builder.add({ device: "new", at: TEN, names: ["a"], values: [5] });
  await env.COLD.put(partKey("just-before", id, 0), builder.finish());
  let puts = 0;
  const put = async (key: string, ...rest: [Uint8Array<ArrayBuffer>, R2PutOptions]) => {
    if (key.startsWith("raw/tenant=just-before/") && ++puts > 0) await computeZoneHours(turn());
    return await env.COLD.put(key, ...rest);
  };
  const job = await finished("just-before", id, { ...hastyEnv, COLD: instead(env.COLD, { put }) });
  expect([puts, job.progress.counts]).toMatchObject([1, { restored: 2, stored: 2 }]);
  const { hours } = await warmTablesOf("just-before");
  expect(hours.map(({ zone, devices, readings }) => [zone, devices, readings])).toEqual([
    ["", 3, 4],
    ["annex", 1, 1],
    ["default", 2, 3],
  ]);
});
