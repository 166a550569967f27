// The alerts of all zones of a tenant, for whoever watches the fleet. Zones push here only while somebody looks.
import { DurableObject } from "cloudflare:workers";
import { oldestFirst } from "../../core/alert/oldest-first.ts";
import type { Alert } from "../../schemas/alert.ts";
import type { FleetFrame, FleetSnapshotFrame } from "../../schemas/live.ts";
import type { FleetRpc, ZoneAlertEvent } from "../../schemas/message.ts";
import { wallMs } from "../clock.ts";
import { within } from "../within.ts";
import type { AggregateEnv } from "./env.ts";
import { ZoneAlarm } from "./zone-alarm.ts";
import { askAll } from "./zone-ask.ts";
import { FrameLog, lastSeen } from "./zone-frames.ts";
import { LEASE_MS, RENEW_EVERY_MS } from "./zone-object.ts";
import { type Watcher, ZoneWatchers } from "./zone-watchers.ts";

const REGISTRY_ANSWERS_MS = 5_000;

/** Keeps nothing: named by the tenant. */
export class FleetObject extends DurableObject<AggregateEnv> implements FleetRpc {
  readonly #watchers: ZoneWatchers<FleetFrame>;
  readonly #alarm: ZoneAlarm;
  readonly #log = new FrameLog<FleetFrame>();
  /** What was pushed while a snapshot was being made: it is newer than the zones' answers. */
  readonly #meanwhile = new Set<ZoneAlertEvent[]>();

  constructor(ctx: DurableObjectState, env: AggregateEnv) {
    super(ctx, env);
    this.#watchers = new ZoneWatchers(ctx);
    this.#alarm = new ZoneAlarm(ctx.storage);
  }

  async push(events: ZoneAlertEvent[]): Promise<boolean> {
    for (const pushed of this.#meanwhile) pushed.push(...events);
    if (!this.#watchers.watch()) {
      this.#log.forget();
      return false;
    }
    for (const event of events) {
      this.#watchers.send(this.#log.add({ type: "alert", device: event.alert.device, event }));
    }
    return true;
  }

  /** `/v1/fleet/stream`: WebSocket, or server-sent events; `?after=` the last seq seen. 503: the registry is away. */
  override async fetch(request: Request): Promise<Response> {
    const missed = this.#watchers.watch() ? this.#log.since(lastSeen(request)) : undefined;
    const zones = missed === undefined ? await this.#zones() : [];
    if (zones === undefined) return new Response("the registry cannot answer right now\n", { status: 503 });
    const { watcher, response } = this.#watchers.accept(request);
    this.ctx.waitUntil(this.#welcome(watcher, missed, zones));
    return response;
  }

  /** The gap where it is kept, else a fresh snapshot; frames that pass meanwhile follow. */
  async #welcome(watcher: Watcher<FleetFrame>, missed: FleetFrame[] | undefined, zones: string[]) {
    await this.#renewLater();
    for (const frame of missed ?? [await this.#snapshot(zones)]) watcher.send(frame);
    watcher.ready();
  }

  /** The tenant's zones; undefined: the registry cannot answer. */
  async #zones(): Promise<string[] | undefined> {
    const query = this.env.CONTROL.prepare("SELECT DISTINCT zone FROM device WHERE tenant = ? ORDER BY zone");
    try {
      const asked = query.bind(this.ctx.id.name).all<{ zone: string }>();
      const { results } = await within(REGISTRY_ANSWERS_MS, "D1", asked);
      return results.map(({ zone }) => zone);
    } catch (error) {
      console.error("zones not listed", { tenant: this.ctx.id.name, error: String(error) });
      return undefined;
    }
  }

  /** Asks the zones, which push from now on; what they push meanwhile is in it. */
  async #snapshot(zones: string[]): Promise<FleetSnapshotFrame> {
    const pushed: ZoneAlertEvent[] = [];
    this.#meanwhile.add(pushed);
    const untilMs = wallMs() + LEASE_MS;
    const answers = await askAll(zones, (zone) =>
      this.env.ZONE.getByName(`${this.ctx.id.name}/${zone}`).watchAlerts(untilMs),
    );
    this.#meanwhile.delete(pushed);
    const alerts = new Map<string, Alert>();
    for (const alert of [...answers.flatMap((answer) => answer ?? []), ...pushed.map(({ alert }) => alert)]) {
      if ((alerts.get(alert.id)?.revision ?? 0) < alert.revision) alerts.set(alert.id, alert);
    }
    return {
      type: "snapshot",
      seq: this.#log.next(),
      at: wallMs(),
      alerts: [...alerts.values()].filter(({ resolvedAt }) => resolvedAt === null).sort(oldestFirst),
      missing: zones.filter((_, index) => answers[index] === undefined),
    };
  }

  // ---- leases ------------------------------------------------------------------------------------------------------

  async #renewLater(): Promise<void> {
    await this.#alarm.ready();
    this.#alarm.plan(wallMs() + RENEW_EVERY_MS);
  }

  /** Renews the zones' leases, also of zones that are new, and shows all anew: a push that got lost is made good. */
  override async alarm(): Promise<void> {
    this.#alarm.fired();
    this.#log.forget();
    if (!this.#watchers.watch()) return;
    await this.#renewLater();
    const zones = await this.#zones();
    if (zones !== undefined) this.#watchers.send(await this.#snapshot(zones)); // else leases last until the next alarm
  }

  override async webSocketMessage(): Promise<void> {
    // Watchers have nothing to say yet; what they send is ignored.
  }

  override async webSocketClose(ws: WebSocket): Promise<void> {
    this.#watchers.forget(ws);
    ws.close(); // answers the viewer's close: of a hibernating socket nobody else does
  }

  override async webSocketError(ws: WebSocket): Promise<void> {
    this.#watchers.forget(ws);
  }
}
