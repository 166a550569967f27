// What the tests of zones share: devices that joined, and streams as sockets or as server-sent events.
import { env, runInDurableObject } from "cloudflare:test";
import { expect, vi } from "vitest";
import type { SnapshotFrame, UpdateFrame, ZoneFrame } from "../../schemas/live.ts";
import { packed, rowsOnceKnown, T0, TestEvents, TestSocket, upgrade } from "../test-support.ts";

const deviceOf = (tenant: string, device: string) => env.DEVICE.getByName(`${tenant}/${device}`);

/** A device of the zone, its first reading `a` = 0 at T0. */
export async function join(tenant: string, device: string, zone = "default") {
  const stub = deviceOf(tenant, device);
  await stub.report(packed([T0, { a: 0 }]), T0);
  await rowsOnceKnown(stub);
  if (zone !== "default") await stub.setProfile({ zone, name: null, model: null });
  const members = () =>
    runInDurableObject(env.ZONE.getByName(`${tenant}/${zone}`), (_, state) =>
      state.storage.sql.exec("SELECT device FROM member WHERE device = ?", device).toArray(),
    );
  await vi.waitFor(async () => expect(await members()).toHaveLength(1));
  return stub;
}

export const watch = async (tenant: string, zone = "default", query = "") =>
  new TestSocket<ZoneFrame>(
    await env.ZONE.getByName(`${tenant}/${zone}`).fetch(upgrade(`/v1/zones/${zone}/stream${query}`)),
  );

export const follow = async (tenant: string, query = "", headers: Record<string, string> = {}) =>
  new TestEvents<ZoneFrame>(
    await env.ZONE.getByName(`${tenant}/default`).fetch(
      `https://telltale.test/v1/zones/default/stream${query}`,
      { headers },
    ),
  );

export const isSnapshot = (frame: ZoneFrame): frame is SnapshotFrame => frame.type === "snapshot";
export const isUpdate = (frame: ZoneFrame): frame is UpdateFrame => frame.type === "update";
export const shows = (metric: string, value: number) => (frame: ZoneFrame) =>
  isUpdate(frame) && frame.metrics[metric]?.value === value;

/** Closes a stream and waits until its zone knows. */
export async function leave(socket: TestSocket<ZoneFrame>): Promise<void> {
  socket.close();
  await socket.closed;
}
