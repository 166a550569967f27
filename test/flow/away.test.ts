// A server that was away longer than a device may be silent: who reports when it is back is not missed, who does not is.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { startLocal } from "../../scripts/local-run.ts";
import { AlertClient } from "./alert-client.ts";
import { TenantClient } from "./tenant-client.ts";
import { until } from "./until.ts";

const AFTER_MS = 10_000;

it("[A63] a restart gives every device its time again", async () => {
  const state = await mkdtemp(join(tmpdir(), "telltale-away-"));
  const start = async () => {
    const run = await startLocal({ port: 0, state, split: false, tenant: "local", quiet: true });
    const tenant = new TenantClient(run.url, run.secret, "away");
    return { run, tenant, client: new AlertClient(tenant, run.secret) };
  };
  const report = (tenant: TenantClient, ...devices: string[]) =>
    tenant.send(devices.map((device) => ({ device, metrics: { level: 1 } })));
  const first = await start();
  await first.client.addRule({ id: "silent", condition: { type: "no_data", afterMs: AFTER_MS } });
  await report(first.tenant, "lives", "dead");
  await first.run.stop();
  await sleep(AFTER_MS + 2_000);
  const startedAt = Date.now();
  const { run, tenant, client } = await start();
  try {
    const [alert] = await until("the device that is silent", async () => {
      await report(tenant, "lives");
      await sleep(500);
      const { alerts } = await client.alerts();
      return alerts.length > 0 ? alerts : undefined;
    });
    expect(alert).toMatchObject({ device: "dead", state: "no_data" });
    expect(alert!.firedAt).toBeGreaterThanOrEqual(startedAt + AFTER_MS);
    expect((await client.alerts()).alerts.map(({ device }) => device)).toEqual(["dead"]);
  } finally {
    await run.stop();
    await rm(state, { recursive: true });
  }
}, 120_000);
