// What the tests of zones share: devices that joined, and streams as sockets or as server-sent events.
import { env, runInDurableObject } from "cloudflare:test";
import { expect, vi } from "vitest";
import type { QueuedNotice } from "../../../schemas/alert.ts";
import type { SnapshotFrame, UpdateFrame, ZoneFrame } from "../../../schemas/live.ts";
import type { NoticeReceipt } from "../../../schemas/message.ts";
import { packed, rowsOnceKnown, T0, TestEvents, TestSocket, upgrade } from "../../test-support.ts";
import type { ZoneObject } from "./zone-object.ts";

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

export type ZoneStub = DurableObjectStub<ZoneObject>;
export const zoneOf = (tenant: string, zone = "north"): ZoneStub => env.ZONE.getByName(`${tenant}/${zone}`);

/** A queue of notices that keeps what it is sent. `refusing`: it takes nothing. */
export class KeptNotices {
  readonly sent: QueuedNotice[] = [];
  refusing = false;
  #answers = Promise.resolve();

  async sendBatch(batch: Iterable<MessageSendRequest<QueuedNotice>>): Promise<void> {
    await this.#answers;
    if (this.refusing) throw new Error("the queue is away");
    for (const { body } of batch) this.sent.push(body);
  }

  /** It answers nobody until the function given is called. */
  hold(): () => void {
    let answer: () => void = () => undefined;
    this.#answers = new Promise((resolve) => {
      answer = resolve;
    });
    return answer;
  }

  /** Stands in for the real queue of a zone's object until that is evicted. */
  async into(zone: ZoneStub): Promise<this> {
    await runInDurableObject<ZoneObject, void>(zone, (object) => {
      const own = (object as unknown as { env: object }).env;
      Object.defineProperty(object, "env", { value: { ...own, NOTICES: this } });
    });
    return this;
  }

  /** Keys of notices, in the order they were sent. */
  notices(): string[] {
    return this.sent.filter(({ type }) => type === "notice").map(({ key }) => key);
  }

  /** `<alert> <revision>` of every event sent. */
  events(): string[] {
    return this.sent
      .flatMap((message) => (message.type === "events" ? message.events : []))
      .map(({ alert }) => `${alert.id} ${alert.revision}`);
  }

  /** Receipts of all that was sent. */
  receipts(): NoticeReceipt[] {
    return [...new Set(this.sent.map(({ key }) => key))].map((key) => ({ key, deferUntilMs: null }));
  }
}

/** Rows of each of the zone's tables of alerts; none: it has no tables. */
export const alertRows = (zone: ZoneStub): Promise<Record<string, number>> =>
  runInDurableObject(zone, (_, { storage: { sql } }) => {
    const tables = sql
      .exec<{ name: string }>("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
      .toArray()
      .map(({ name }) => name)
      .filter((name) => ["incident", "alert", "news", "outbox"].includes(name));
    return Object.fromEntries(
      tables.map((name) => [
        name,
        sql.exec<{ rows: number }>(`SELECT count(*) AS rows FROM ${name}`).one().rows,
      ]),
    );
  });

/** The registry knows a device of each of these zones. */
export async function register(tenant: string, ...zones: string[]): Promise<void> {
  const insert = env.CONTROL.prepare(
    "INSERT INTO device (tenant, device, zone, created_at) VALUES (?, ?, ?, 0) ON CONFLICT DO NOTHING",
  );
  await env.CONTROL.batch(zones.map((zone) => insert.bind(tenant, `of-${zone}`, zone)));
}
