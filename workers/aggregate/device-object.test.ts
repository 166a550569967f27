import { env, evictDurableObject, runInDurableObject } from "cloudflare:test";
import { expect, it } from "vitest";
import { ReportPacker } from "../../core/report/pack.ts";

const T0 = Date.UTC(2026, 10, 22, 10);

function packed(...reports: [at: number, metrics: Record<string, number>][]) {
  const packer = new ReportPacker();
  for (const [index, [at, metrics]] of reports.entries()) packer.add(index, at, at, Object.keys(metrics), Object.values(metrics));
  return packer.finish();
}

it("[D1] a commit writes exactly one row", async () => {
  const device = env.DEVICE.getByName("acme/one-row");
  await device.report(packed([T0, { temperature: 20 }]), T0);
  const before = await runInDurableObject(device, (object) => object.rowsWritten);
  for (let i = 1; i <= 10; i++) await device.report(packed([T0 + i * 1000, { temperature: 20 + i, humidity: i }]), T0 + i * 1000);
  const after = await runInDurableObject(device, (object) => object.rowsWritten);
  expect(after - before).toBe(10);
});

it("[D2] a duplicate, a correction, and both survive an eviction", async () => {
  const device = env.DEVICE.getByName("acme/twice");
  expect((await device.report(packed([T0, { a: 1, b: 2 }]), T0)).counts).toEqual([2, 0, 0, 0, 0, 0]);
  await evictDurableObject(device);
  expect((await device.report(packed([T0, { a: 1, b: 3 }]), T0 + 5)).counts).toEqual([0, 1, 1, 0, 0, 0]);
  await evictDurableObject(device);
  expect(await device.latest()).toMatchObject({ metrics: { a: { value: 1 }, b: { value: 3 } } });
});
