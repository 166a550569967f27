// The program that is deployed, on a bad day: its bindings fail, its objects die, its queue does as it likes, all by order of
// the harness at /local/fault. Nothing of this is known to the program.
import { decodeState } from "../../../core/device/state.ts";
import single, {
  ChannelObject as SoundChannel,
  DeviceObject as SoundDevice,
  ZoneObject as SoundZone,
} from "../../../workers/single.ts";
import { warmsOf } from "../../../workers/warm.ts";
import type { FaultOrder } from "../faults.ts";
import { consumed, consumeFaultily, faultyQueue, release, taken } from "./faulty-queue.ts";
import { actLate, aroundStores, suffer } from "./faulty-storage.ts";
import { mortally } from "./mortal.ts";
import { obey, strikes, takeCounts } from "./strikes.ts";

export { FleetObject, TenantObject } from "../../../workers/single.ts";

type Env = ConstructorParameters<typeof SoundDevice>[1] & Parameters<typeof single.fetch>[1];

/** A receiver that takes ten seconds has failed; here a second, for many do in a round. */
const RECEIVER_MS_MAX = 1_000;
const timeout = AbortSignal.timeout.bind(AbortSignal);
AbortSignal.timeout = (ms) => timeout(Math.min(ms, RECEIVER_MS_MAX));

/** Hundreds of lines a second, and the process that starts this runtime reads none while Miniflare waits for an answer of it. */
console.warn = console.error = () => undefined;

export class DeviceObject extends SoundDevice {
  readonly #place: string;

  constructor(ctx: DurableObjectState, env: Env) {
    const place = ctx.id.name ?? "";
    super(ctx, { ...aroundStores(env, suffer), ROLLUPS: faultyQueue(env.ROLLUPS, ctx, place) });
    this.#place = place;
  }

  override report(...report: Parameters<SoundDevice["report"]>): ReturnType<SoundDevice["report"]> {
    return this.#mortally(() => super.report(...report));
  }

  override webSocketMessage(ws: WebSocket, message: string | ArrayBuffer): Promise<void> {
    return this.#mortally(() => super.webSocketMessage(ws, message));
  }

  override confirm(...stored: Parameters<SoundDevice["confirm"]>): Promise<void> {
    return this.#mortally(() => super.confirm(...stored));
  }

  override async alarm(): Promise<void> {
    if (!strikes("alarm never fires", this.#place)) await super.alarm();
  }

  /** What the device's row says: readings by verdict, and how many blocks are unconfirmed or not sealed. */
  row(): { counts: number[]; pending: number } {
    const row = this.ctx.storage.sql.exec<{ row: ArrayBuffer }>("SELECT row FROM state").one().row;
    const { counts, open, outbox } = decodeState(new Uint8Array(row));
    return { counts, pending: open.length + outbox.length };
  }

  #mortally<T>(step: () => Promise<T>): Promise<T> {
    return mortally(this.ctx, "object", this.#place, step);
  }
}

export class ZoneObject extends SoundZone {
  readonly #place: string;

  constructor(ctx: DurableObjectState, env: Env) {
    const place = ctx.id.name ?? "";
    super(ctx, { ...aroundStores(env, suffer), NOTICES: faultyQueue(env.NOTICES, ctx, place) });
    this.#place = place;
  }

  override alerts(...events: Parameters<SoundZone["alerts"]>): Promise<void> {
    return this.#mortally(() => super.alerts(...events));
  }

  override told(...receipts: Parameters<SoundZone["told"]>): Promise<void> {
    return this.#mortally(() => super.told(...receipts));
  }

  override alarm(info?: AlarmInvocationInfo): Promise<void> {
    return this.#mortally(() => super.alarm(info));
  }

  #mortally<T>(step: () => Promise<T>): Promise<T> {
    return mortally(this.ctx, "zone", this.#place, step);
  }
}

export class ChannelObject extends SoundChannel {
  readonly #place: string;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#place = ctx.id.name ?? "";
  }

  override deliver(...message: Parameters<SoundChannel["deliver"]>): Promise<void> {
    return this.#mortally(() => super.deliver(...message));
  }

  override alarm(): Promise<void> {
    return this.#mortally(() => super.alarm());
  }

  #mortally<T>(step: () => Promise<T>): Promise<T> {
    return mortally(this.ctx, "channel", this.#place, step);
  }
}

/**
 * `[device, startMs, revision]` of every rollup of a tenant, and of every block that its files say they took in; a file that
 * others were merged into says of none.
 */
async function storedBlocks(env: Env, tenant: string) {
  const ask = async <Row>(query: string) =>
    (await Promise.all(warmsOf(env).map((warm) => warm.prepare(query).bind(tenant).all<Row>()))).flatMap(
      ({ results }) => results,
    );
  const rollups = await ask<{ device: string; start_ms: number; revision: number }>(
    "SELECT device, start_ms, revision FROM rollup WHERE tenant = ?",
  );
  const dirty = await ask<{ hour_ms: number }>("SELECT hour_ms FROM dirty_hour WHERE tenant = ?");
  const files = await ask<{ blocks: string }>(
    "SELECT blocks FROM archive_file WHERE tenant = ? AND kind = 'raw' AND replaced_at IS NULL",
  );
  return {
    rollups: rollups.map(({ device, start_ms, revision }) => [device, start_ms, revision]),
    dirtyHours: dirty.length,
    isMerged: files.some(({ blocks }) => blocks === "[]"),
    blocks: files
      .flatMap(({ blocks }) => JSON.parse(blocks) as unknown[][])
      .map((block) => block.slice(0, 3)),
  };
}

async function obeyHarness(request: Request, env: Env): Promise<Response> {
  const url = new URL(request.url);
  switch (`${request.method} ${url.pathname}`) {
    case "POST /local/fault":
      obey(await request.json<FaultOrder>());
      return Response.json(takeCounts());
    case "GET /local/fault/taken":
      return Response.json(taken.get(url.searchParams.get("object")!) ?? []);
    case "POST /local/fault/release":
      await actLate(true);
      return Response.json({ consumedAt: consumed() + (await release(env)) });
    case "GET /local/fault/consumed":
      return Response.json(consumed());
    case "POST /local/fault/tick":
      await single.scheduled({ cron: "* * * * *" } as ScheduledController, aroundStores(env, suffer));
      return new Response();
    case "POST /local/fault/expire":
      // Who had a chore is dead or has come back: its lease is over, as it would be in five minutes.
      await env.CONTROL.prepare("UPDATE chore SET leased_until = 0").run();
      return new Response();
    case "GET /local/fault/stored":
      return Response.json(await storedBlocks(env, url.searchParams.get("tenant")!));
    case "GET /local/fault/row": {
      const object = env.DEVICE.getByName(
        url.searchParams.get("object")!,
      ) as unknown as DurableObjectStub<DeviceObject>;
      return Response.json(await object.row());
    }
    default:
      return new Response("no such order", { status: 404 });
  }
}

export default {
  fetch(request, env, ctx) {
    ctx.waitUntil(actLate());
    const { pathname } = new URL(request.url);
    return pathname.startsWith("/local/fault") ? obeyHarness(request, env) : single.fetch(request, env, ctx);
  },
  queue: (batch, env) => consumeFaultily(batch, env, single.queue),
  scheduled: (controller, env) => single.scheduled(controller, aroundStores(env, suffer)),
} satisfies ExportedHandler<Env>;
