// DELETE of a device as it is answered: what holds from the 202 on, and when there is none.
import { env } from "cloudflare:test";
import { afterEach, expect, it, vi } from "vitest";
import type { JobAnswer } from "../../schemas/job.ts";
import { held, packed, problem, rowsOnceKnown, T0 } from "../test-support.ts";
import { answerOf, ask } from "./api-test-support.ts";

afterEach(() => vi.restoreAllMocks());

const remove = (tenant: string, bindings = {}) =>
  ask(tenant, "admin", "/v1/devices/d1", { method: "DELETE", bindings });

/** The job of a DELETE that is answered 202. */
async function removed(tenant: string): Promise<JobAnswer> {
  const answer = await remove(tenant);
  expect(answer.status).toBe(202);
  return await answer.json<JobAnswer>();
}

async function reporting(tenant: string) {
  const device = env.DEVICE.getByName(`${tenant}/d1`);
  await device.report(packed([T0, { a: 1 }]), T0);
  await rowsOnceKnown(device);
  return device;
}

it("[D28] [S32] from the 202 on what the device sends and what PUT says of it is its next life", async () => {
  const device = await reporting("reborn");
  await removed("reborn");
  expect(await device.latest()).toBeNull();
  await problem(ask("reborn", "viewer", "/v1/devices/d1"), 404, "device_not_found");
  const put = { method: "PUT", body: { zone: "attic", name: "again" } };
  expect((await ask("reborn", "operator", "/v1/devices/d1", put)).status).toBe(200);
  await device.report(packed([T0 + 1, { a: 2 }]), T0 + 1);
  expect(await held(device, "a")).toEqual([[T0 + 1, 2]]);
  expect(await answerOf(ask("reborn", "viewer", "/v1/devices/d1"))).toMatchObject({
    zone: "attic",
    name: "again",
  });
});

it("[D28] an object that is away: 503, the deletion is asked for, and DELETE again ends the life", async () => {
  vi.spyOn(console, "error").mockImplementation(() => undefined);
  const device = await reporting("away");
  const away = {
    life: () => device.life(),
    latest: () => device.latest(),
    forget: async () => {
      throw new Error("away");
    },
  };
  const answer = await problem(remove("away", { DEVICE: { getByName: () => away } }), 503, "unavailable");
  expect(answer.detail).toContain("ask again");
  expect(await held(device, "a")).toEqual([[T0, 1]]);
  const { jobs } = await answerOf<{ jobs: JobAnswer[] }>(ask("away", "admin", "/v1/admin/jobs"));
  expect(jobs).toMatchObject([{ kind: "delete", status: "running" }]);
  expect((await removed("away")).id).toBe(jobs[0]!.id);
  expect(await device.latest()).toBeNull();
});

it("[D30] repeated, it is the same job; a next life that has begun meanwhile ends too", async () => {
  const device = await reporting("repeated");
  const first = await removed("repeated");
  const { generation } = await device.life();
  expect(await removed("repeated")).toEqual(first);
  expect((await device.life()).generation).toBe(generation);

  await device.report(packed([T0 + 1, { a: 2 }]), T0 + 1);
  const again = await removed("repeated");
  expect(again.id).toBe(first.id);
  expect((again as { spec: { generation: number } }).spec.generation).toBeGreaterThanOrEqual(generation);
  expect(await device.latest()).toBeNull();
  expect((await device.life()).generation).toBeGreaterThan(generation);
});

it("[D30] asked by several at once, it is one job, and everybody's answer holds", async () => {
  const device = await reporting("crowd");
  const jobs = await Promise.all(Array.from({ length: 5 }, () => removed("crowd")));
  expect(new Set(jobs.map(({ id }) => id)).size).toBe(1);
  expect(await device.latest()).toBeNull();
  await device.report(packed([T0 + 1, { a: 2 }]), T0 + 1);
  expect(await held(device, "a")).toEqual([[T0 + 1, 2]]);
});

it("[S33] a part of an import that was made before brings nothing of it back, and says so; a later import's is taken", async () => {
  await reporting("parts");
  const makeImport = async () =>
    (await (await ask("parts", "admin", "/v1/admin/import", { method: "POST", body: {} })).json<JobAnswer>())
      .id;
  const put = (id: string, device: string) =>
    ask("parts", "admin", `/v1/admin/import/${id}/parts/0`, {
      method: "PUT",
      body: JSON.stringify({ device, at: T0 - 90 * 86_400_000, metrics: { a: 1 } }),
    });
  const before = await makeImport();
  expect((await put(before, "d1")).status).toBe(200);
  await removed("parts");
  expect((await problem(put(before, "d1"), 409, "conflict")).detail).toContain("d1");
  expect((await put(before, "d2")).status).toBe(200);
  await scheduler.wait(2);
  expect((await put(await makeImport(), "d1")).status).toBe(200);
});
