// The program that is deployed, with its billed operations counted while it runs; `GET /bench/operations` tells them.
import program, * as telltale from "telltale";
import { queueOperationsOf } from "../../core/cost/bill.ts";

/** Counted since the start, by tenant and by what was done. All objects of a local run share this isolate. */
const counts: Record<string, Record<string, number>> = {};

/** Whose it is that several tenants may share. */
const SHARED = "";

function count(tenant: string, what: string, times = 1): void {
  counts[tenant] ??= {};
  counts[tenant][what] = (counts[tenant][what] ?? 0) + times;
}

/** Objects are named `tenant/…`. */
const tenantOf = (ctx: DurableObjectState) => ctx.id.name?.split("/")[0] ?? SHARED;

/** Billed with the socket they came by, or not at all: sockets' ends are no requests. */
const FREE = new Set(["constructor", "webSocketClose", "webSocketError", "rowsWritten"]);

/** Rows and alarms as the object's own storage tells them, calls as they come in. */
function countedClass<T extends typeof telltale.DeviceObject>(kind: string, base: T): T {
  for (const name of Object.getOwnPropertyNames(base.prototype)) {
    const { value: method } = Object.getOwnPropertyDescriptor(base.prototype, name)!;
    if (FREE.has(name) || typeof method !== "function") continue;
    Object.defineProperty(base.prototype, name, {
      configurable: true,
      value(this: { ctx: DurableObjectState }, ...args: unknown[]) {
        count(tenantOf(this.ctx), name === "webSocketMessage" ? "messages" : `${kind} requests`);
        return method.apply(this, args);
      },
    });
  }
  const Counted = class extends (base as typeof telltale.DeviceObject) {
    constructor(ctx: DurableObjectState, env: Record<string, unknown>) {
      const { sql } = ctx.storage;
      const exec = sql.exec.bind(sql);
      sql.exec = (query, ...bindings) => {
        const cursor = exec(query, ...bindings);
        count(tenantOf(ctx), `${kind} rows`, cursor.rowsWritten);
        return cursor;
      };
      const setAlarm = ctx.storage.setAlarm.bind(ctx.storage);
      ctx.storage.setAlarm = (atMs) => {
        count(tenantOf(ctx), `${kind} alarms`);
        return setAlarm(atMs);
      };
      super(ctx, countedEnv(env));
    }
  };
  return Counted as unknown as T;
}

interface BlockMessage {
  body: { tenant: string; block: Uint8Array };
}
interface BlockQueue {
  sendBatch(messages: BlockMessage[]): Promise<void>;
}
interface Database {
  prepare(query: string): unknown;
  batch(statements: unknown[]): Promise<{ meta: { rows_written: number } }[]>;
}
interface Bucket {
  put(...args: unknown[]): Promise<unknown>;
}

/** Names and numbers around the block, in the queue's own encoding. */
const MESSAGE_FRAMING_BYTES = 200;

function countedEnv(env: Record<string, unknown>): Record<string, unknown> {
  const { ROLLUPS, WARM_0, COLD } = env as { ROLLUPS: BlockQueue; WARM_0: Database; COLD: Bucket };
  return {
    ...env,
    ROLLUPS: {
      sendBatch: (messages: BlockMessage[]) => {
        for (const { body } of messages) {
          count(body.tenant, "blocks sent");
          count(
            body.tenant,
            "queue operations",
            queueOperationsOf(body.block.length + MESSAGE_FRAMING_BYTES),
          );
        }
        return ROLLUPS.sendBatch(messages);
      },
    },
    WARM_0: {
      prepare: (query: string) => WARM_0.prepare(query),
      batch: async (statements: unknown[]) => {
        const results = await WARM_0.batch(statements);
        for (const { meta } of results) count(SHARED, "d1 rows", meta.rows_written);
        return results;
      },
    },
    COLD: new Proxy(COLD, {
      get: (bucket, name) => {
        const member = Reflect.get(bucket, name, bucket);
        if (typeof member !== "function") return member;
        if (name === "put") count(SHARED, "r2 puts");
        return member.bind(bucket);
      },
    }),
  };
}

export const DeviceObject = countedClass("device", telltale.DeviceObject);
export const ZoneObject = countedClass("zone", telltale.ZoneObject);
export const TenantObject = telltale.TenantObject;
export const ChannelObject = telltale.ChannelObject;
export const FleetObject = telltale.FleetObject;

export default {
  fetch(request: Request, env: Record<string, unknown>, ctx: unknown): Promise<Response> | Response {
    if (new URL(request.url).pathname === "/bench/operations") return Response.json(counts);
    count(SHARED, "worker requests");
    return program.fetch(request, countedEnv(env), ctx);
  },
  queue: (batch: unknown, env: Record<string, unknown>) => program.queue(batch, countedEnv(env)),
};
