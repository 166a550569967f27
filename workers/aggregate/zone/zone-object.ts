// One zone: its members, who watches them, and the stream of what changes. Asks devices only while somebody looks.
import { DurableObject } from "cloudflare:workers";
import { fitPage, SnapshotFit } from "../../../core/live/fit-snapshot.ts";
import type { Alert, AlertEvent, IncidentSnapshot, Refusal } from "../../../schemas/alert.ts";
import { GLANCE_METRICS_MAX, METRICS_PER_REPORT_MAX, SNAPSHOT_PAGE_MAX } from "../../../schemas/limits.ts";
import type { DeviceGlance, SnapshotFrame, ZoneFrame } from "../../../schemas/live.ts";
import type { LivePush, NoticeReceipt, ZoneRpc } from "../../../schemas/message.ts";
import type { Revocation } from "../../../schemas/token.ts";
import { wallMs } from "../../clock.ts";
import { problemResponse } from "../../problem.ts";
import { readSettings } from "../../tenant.ts";
import type { AggregateEnv } from "../env.ts";
import { askAll } from "../live/ask-all.ts";
import { endVoidWatchers } from "../live/end-void-watchers.ts";
import { FrameLog, lastSeen, type Unnumbered, written } from "../live/frame-log.ts";
import { LEASE_MS, RENEW_EVERY_MS } from "../live/lease.ts";
import { ZoneAlarm } from "../live/object-alarm.ts";
import { type Frame, shows, type Watcher, welcomed, ZoneWatchers } from "../live/watchers.ts";
import { ZoneAlerts } from "./zone-alerts.ts";
import { ZoneFleet } from "./zone-fleet.ts";
import { ZoneStore } from "./zone-store.ts";

/** The platform's last try of an alarm but one (Durable Objects, 2026-11: six retries). */
const RETRIES_MAX = 5;

/** The object of one zone, named `tenant/zone`. ZoneRpc describes its methods. */
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
    this.#store = new ZoneStore(ctx.storage);
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
    if (this.#store.delete(device)) this.#serve(() => this.#publish({ type: "left", device }));
  }

  /**
   * Shows an update to who watches. Returns until when the device shall push, by the wall clock; 0: nobody watches.
   */
  async push(update: LivePush): Promise<number> {
    const untilMs = this.#leaseOf(update.device);
    if (untilMs > 0) this.#serve(() => this.#publish({ type: "update", ...update }));
    return untilMs;
  }

  /** A change of a device nobody watches is in no frame, so whoever comes back gets a snapshot. */
  #leaseOf(device: string): number {
    if (this.#serve(() => this.#watchers.watch(device))) return wallMs() + LEASE_MS;
    this.#log.forget();
    return 0;
  }

  /** Does something for viewers. What goes wrong there is logged, and ends nothing else: least of all an alert. */
  #serve<T>(act: () => T): T | undefined {
    try {
      return act();
    } catch (error) {
      console.error("viewers not served", { tenant: this.#tenant, zone: this.#zone, error: String(error) });
      return undefined;
    }
  }

  // ---- alerts ------------------------------------------------------------------------------------------------------

  async alerts(events: AlertEvent[]): Promise<void> {
    const taken = await this.#alerts.receive(events);
    this.#serve(() => {
      for (const event of taken) this.#publish({ type: "alert", device: event.alert.device, event });
    });
    this.#serve(() => this.#fleet.push(taken));
  }

  async incident(id: string): Promise<IncidentSnapshot | null> {
    return this.#alerts.incident(id);
  }

  async forget(device: string, generation: number): Promise<{ pending: boolean }> {
    return this.#alerts.forget(device, generation);
  }

  async told(receipts: NoticeReceipt[]): Promise<void> {
    await this.#alerts.told(receipts);
  }

  async refused(incident: string, refusal: Refusal): Promise<IncidentSnapshot | null> {
    return await this.#alerts.refused(incident, refusal);
  }

  async release(): Promise<void> {
    await this.#alerts.release();
  }

  async watchAlerts(untilMs: number): Promise<Alert[]> {
    this.#fleet.lease(untilMs);
    return this.#alerts.active();
  }

  // ---- watchers ----------------------------------------------------------------------------------------------------

  async endVoid(revoked: Revocation): Promise<void> {
    this.#watchers.endVoid(revoked);
  }

  async erase(): Promise<void> {
    const { isEnding } = await readSettings(this.env.TENANT, this.#tenant);
    if (!isEnding) return;
    await this.endVoid({ notBeforeMs: wallMs(), ids: [] });
    const wiped = this.ctx.storage.deleteAll(); // the alarm too
    this.#alarm.fired();
    this.#store.forget();
    this.#alerts.forgetAll();
    this.#fleet.forget();
    this.#log.forget();
    await wiped;
  }

  async viewers(): Promise<number> {
    return this.#watchers.count;
  }

  /**
   * `…/stream` (WebSocket, or server-sent events) and `…/snapshot`; `?device=` one device only. `?after=` of a stream: the last
   * seq seen; of a snapshot with `?limit=` a page of devices.
   */
  override async fetch(request: Request): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url);
    const device = searchParams.get("device") ?? undefined;
    if (pathname.endsWith("/snapshot")) {
      const isPage = searchParams.has("after") || searchParams.has("limit");
      return Response.json(isPage ? await this.#page(searchParams) : await this.#snapshot(device, 0));
    }
    try {
      const { watcher, response } = this.#watchers.accept(request, device);
      this.ctx.waitUntil(welcomed(watcher, this.#welcome(watcher, lastSeen(request))));
      return response;
    } catch (error) {
      return problemResponse(error);
    }
  }

  /** The gap since `after` when the frames kept reach back to it, else a fresh snapshot; frames that pass meanwhile follow. */
  async #welcome(watcher: Watcher<ZoneFrame>, after: number): Promise<void> {
    await this.#renewLater();
    const missed = this.#log.since(after);
    if (missed !== undefined) {
      for (const frame of missed) {
        const { device } = frame.frame as Frame;
        if (device === undefined || shows(watcher.device, device)) watcher.send(frame);
      }
      watcher.ready();
      return;
    }
    watcher.send(written<ZoneFrame>(await this.#snapshot(watcher.device, wallMs() + LEASE_MS)));
    watcher.ready();
  }

  /**
   * Asks the devices; their answers, as far as they fit, are the snapshot, and `leaseUntilMs` above 0 makes them push from
   * now on. Holds two snapshots' bytes at most.
   */
  async #snapshot(device: string | undefined, leaseUntilMs: number): Promise<SnapshotFrame> {
    const asked = [...this.#store.members().keys()].filter((name) => device === undefined || name === device);
    const seq = this.#log.next();
    const alerts = this.#alerts.active().filter((alert) => shows(device, alert.device));
    const metricsMax = device === undefined ? GLANCE_METRICS_MAX : undefined;
    const fit = new SnapshotFit(metricsMax ?? METRICS_PER_REPORT_MAX);
    const missing = await this.#ask(asked, leaseUntilMs, metricsMax, (glance) => fit.add(glance));
    return { type: "snapshot", seq, zone: this.#zone, at: wallMs(), ...fit.finish(missing, alerts) };
  }

  /** A page of the devices by id, whoever reported when: asks them, and leases nothing. */
  async #page(query: URLSearchParams): Promise<SnapshotFrame> {
    const after = query.get("after") ?? "";
    const limit = Number(query.get("limit") ?? SNAPSHOT_PAGE_MAX);
    const following = [...this.#store.members().keys()].filter((name) => name > after).sort();
    const asked = following.slice(0, limit);
    const seq = this.#log.next();
    const onPage = new Set(asked);
    const alerts = this.#alerts.active().filter((alert) => onPage.has(alert.device));
    const answers: (DeviceGlance | undefined)[] = new Array(asked.length).fill(undefined);
    await this.#ask(asked, 0, GLANCE_METRICS_MAX, (glance, index) => {
      answers[index] = glance;
    });
    const page = fitPage(asked, answers, alerts, asked.length === following.length);
    return { type: "snapshot", seq, zone: this.#zone, at: wallMs(), ...page };
  }

  /** Hands each answer to `take`. Returns who did not answer, or never reported. */
  async #ask(
    devices: string[],
    leaseUntilMs: number,
    metricsMax: number | undefined,
    take: (glance: DeviceGlance, index: number) => void = () => undefined,
  ): Promise<string[]> {
    return await askAll(
      devices,
      (device) => this.env.DEVICE.getByName(`${this.#tenant}/${device}`).watch(leaseUntilMs, metricsMax),
      take,
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
      const nextAt = await this.#alerts.wake();
      if (nextAt !== null) this.#alarm.plan(nextAt);
      await this.#renew();
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

  /**
   * Renews the leases of every device that is watched, when it is time; without watchers it sleeps. Never fails: what
   * went wrong is tried again at the next renewal, and a lease outlasts one that is missed.
   */
  async #renew(): Promise<void> {
    try {
      await this.#renewDue();
    } catch (error) {
      console.error("leases not renewed", { tenant: this.#tenant, zone: this.#zone, error: String(error) });
      this.#alarm.plan(wallMs() + RENEW_EVERY_MS);
    }
  }

  async #renewDue(): Promise<void> {
    const renewAt = this.#watchers.renewAt;
    if (renewAt === undefined) return;
    if (renewAt > wallMs()) {
      this.#alarm.plan(renewAt);
      return;
    }
    this.#watchers.renewAt = undefined;
    await endVoidWatchers(this.env.TENANT, this.#tenant, this.#watchers);
    const members = [...this.#store.members().keys()];
    const watched = members.filter((device) => this.#watchers.watch(device));
    if (watched.length < members.length) this.#log.forget(); // the leases of the others run out
    if (watched.length === 0) return;
    await this.#renewLater();
    await this.#ask(watched, wallMs() + LEASE_MS, GLANCE_METRICS_MAX); // the answers are not shown
  }

  override async webSocketMessage(ws: WebSocket, said: string | ArrayBuffer): Promise<void> {
    this.#watchers.heard(ws, said);
  }

  override async webSocketClose(ws: WebSocket): Promise<void> {
    this.#watchers.forget(ws);
    ws.close(); // answers the viewer's close: of a hibernating socket nobody else does
  }

  override async webSocketError(ws: WebSocket): Promise<void> {
    this.#watchers.forget(ws);
  }
}
