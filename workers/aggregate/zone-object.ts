// One zone: its members, who watches them, and the stream of what changes. Asks devices only while somebody looks.
import { DurableObject } from "cloudflare:workers";
import type { Alert, AlertEvent, IncidentSnapshot } from "../../schemas/alert.ts";
import type { DeviceGlance, SnapshotFrame, ZoneFrame } from "../../schemas/live.ts";
import type { LivePush, NoticeReceipt, ZoneRpc } from "../../schemas/message.ts";
import { wallMs } from "../clock.ts";
import type { AggregateEnv } from "./env.ts";
import { ZoneAlarm } from "./zone-alarm.ts";
import { ZoneAlerts } from "./zone-alerts.ts";
import { askAll } from "./zone-ask.ts";
import { ZoneFleet } from "./zone-fleet.ts";
import { FrameLog, lastSeen, type Unnumbered } from "./zone-frames.ts";
import { ZoneStore } from "./zone-store.ts";
import { shows, type Watcher, ZoneWatchers } from "./zone-watchers.ts";

/** How long a device pushes without hearing from the zone again; a push into an unwatched zone ends it sooner. */
export const LEASE_MS = 10 * 60_000;
export const RENEW_EVERY_MS = 5 * 60_000;
/** The platform's last try of an alarm but one (Durable Objects, 2026-11: six retries). */
const RETRIES_MAX = 5;

export class ZoneObject extends DurableObject<AggregateEnv> implements ZoneRpc {
  readonly #store: ZoneStore;
  readonly #watchers: ZoneWatchers<ZoneFrame>;
  readonly #alarm: ZoneAlarm;
  readonly #alerts: ZoneAlerts;
  readonly #fleet: ZoneFleet;
  readonly #tenant: string;
  readonly #zone: string;
  readonly #log = new FrameLog<ZoneFrame>();

  constructor(ctx: DurableObjectState, env: AggregateEnv) {
    super(ctx, env);
    this.#store = new ZoneStore(ctx.storage.sql);
    this.#watchers = new ZoneWatchers(ctx);
    [this.#tenant, this.#zone] = (ctx.id.name ?? "/").split("/") as [string, string];
    this.#alarm = new ZoneAlarm(ctx.storage);
    const address = { tenant: this.#tenant, zone: this.#zone };
    this.#alerts = new ZoneAlerts(ctx, () => this.env, address, this.#alarm);
    this.#fleet = new ZoneFleet(ctx, () => this.env, this.#tenant);
  }

  // ---- devices -----------------------------------------------------------------------------------------------------

  async presence(device: string, connected: boolean): Promise<number> {
    this.#store.put(device, connected);
    return this.#leaseOf(device);
  }

  async leave(device: string): Promise<void> {
    if (this.#store.delete(device)) this.#publish({ type: "left", device });
  }

  /** Gives the instant until which the device shall push; 0: nobody watches it. */
  async push(update: LivePush): Promise<number> {
    const untilMs = this.#leaseOf(update.device);
    if (untilMs > 0) this.#publish({ type: "update", ...update });
    return untilMs;
  }

  /** A change of a device nobody watches is in no frame, so whoever comes back gets a snapshot. */
  #leaseOf(device: string): number {
    if (this.#watchers.watch(device)) return wallMs() + LEASE_MS;
    this.#log.forget();
    return 0;
  }

  // ---- alerts ------------------------------------------------------------------------------------------------------

  async alerts(events: AlertEvent[]): Promise<void> {
    const taken = await this.#alerts.take(events);
    for (const event of taken) this.#publish({ type: "alert", device: event.alert.device, event });
    this.#fleet.push(taken);
  }

  async incident(id: string): Promise<IncidentSnapshot | null> {
    return this.#alerts.incident(id);
  }

  async told(receipts: NoticeReceipt[]): Promise<void> {
    await this.#alerts.told(receipts);
  }

  async release(): Promise<void> {
    await this.#alerts.release();
  }

  async watchAlerts(untilMs: number): Promise<Alert[]> {
    this.#fleet.lease(untilMs);
    return this.#alerts.active();
  }

  // ---- watchers ----------------------------------------------------------------------------------------------------

  /** `…/stream` (WebSocket, or server-sent events) and `…/snapshot`; `?device=` one device only, `?after=` the last seq seen. */
  override async fetch(request: Request): Promise<Response> {
    const url = new URL(request.url);
    const device = url.searchParams.get("device") ?? undefined;
    if (url.pathname.endsWith("/snapshot")) return Response.json(await this.#snapshot(device, 0));
    const { watcher, response } = this.#watchers.accept(request, device);
    this.ctx.waitUntil(this.#welcome(watcher, lastSeen(request)));
    return response;
  }

  /** The gap since `after` when the frames kept reach back to it, else a fresh snapshot; frames that pass meanwhile follow. */
  async #welcome(watcher: Watcher<ZoneFrame>, after: number): Promise<void> {
    await this.#renewLater();
    const missed = this.#log.since(after);
    if (missed !== undefined) {
      for (const frame of missed) {
        if (frame.type !== "snapshot" && shows(watcher.device, frame.device)) watcher.send(frame);
      }
      watcher.ready();
      return;
    }
    watcher.send(await this.#snapshot(watcher.device, wallMs() + LEASE_MS));
    watcher.ready();
  }

  /** Asks the devices; their answers are the snapshot, and `leaseUntilMs` above 0 makes them push from now on. */
  async #snapshot(device: string | undefined, leaseUntilMs: number): Promise<SnapshotFrame> {
    const asked = [...this.#store.members().keys()].filter((name) => device === undefined || name === device);
    const seq = this.#log.next();
    const alerts = this.#alerts.active().filter((alert) => shows(device, alert.device));
    const answers = await this.#ask(asked, leaseUntilMs);
    const devices = answers.filter((answer): answer is DeviceGlance => answer !== undefined);
    const missing = asked.filter((_, index) => answers[index] === undefined);
    return { type: "snapshot", seq, zone: this.#zone, at: wallMs(), devices, missing, alerts };
  }

  #ask(devices: string[], leaseUntilMs: number): Promise<(DeviceGlance | undefined)[]> {
    return askAll(devices, (device) =>
      this.env.DEVICE.getByName(`${this.#tenant}/${device}`).watch(leaseUntilMs),
    );
  }

  #publish(unnumbered: Unnumbered<ZoneFrame>): void {
    this.#watchers.send(this.#log.add(unnumbered));
  }

  // ---- the alarm ---------------------------------------------------------------------------------------------------

  /** Whatever is due: of the alerts, and the leases. */
  override async alarm(info?: AlarmInvocationInfo): Promise<void> {
    this.#alarm.fired();
    try {
      await this.#renew();
      const nextAt = await this.#alerts.wake();
      if (nextAt !== null) this.#alarm.plan(nextAt);
    } catch (error) {
      // The platform tries again six times and then never: what is held here has to be told.
      if ((info?.retryCount ?? 0) < RETRIES_MAX) throw error;
      console.error("alarm failed again", { zone: this.#zone, error: String(error) });
      this.#alarm.plan(wallMs() + RENEW_EVERY_MS);
    }
  }

  async #renewLater(): Promise<void> {
    await this.#alarm.ready();
    this.#watchers.renewAt ??= wallMs() + RENEW_EVERY_MS;
    this.#alarm.plan(this.#watchers.renewAt);
  }

  /** Renews the leases of every device that is watched, when it is time; without watchers it sleeps. */
  async #renew(): Promise<void> {
    const renewAt = this.#watchers.renewAt;
    if (renewAt === undefined) return;
    if (renewAt > wallMs()) {
      this.#alarm.plan(renewAt);
      return;
    }
    this.#watchers.renewAt = undefined;
    const members = [...this.#store.members().keys()];
    const watched = members.filter((device) => this.#watchers.watch(device));
    if (watched.length < members.length) this.#log.forget(); // the leases of the others run out
    if (watched.length === 0) return;
    await this.#renewLater();
    await this.#ask(watched, wallMs() + LEASE_MS);
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
