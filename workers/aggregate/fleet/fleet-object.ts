// The alerts of all zones of a tenant, for whoever watches the fleet. Zones push here only while somebody looks.
import { DurableObject } from "cloudflare:workers";
import { fitAlerts, fitMissing } from "../../../core/live/fit-snapshot.ts";
import type { Alert } from "../../../schemas/alert.ts";
import { SNAPSHOT_BYTES_MAX } from "../../../schemas/limits.ts";
import type { FleetFrame, FleetSnapshotFrame } from "../../../schemas/live.ts";
import type { FleetRpc, TenantRules, ZoneAlertEvent } from "../../../schemas/message.ts";
import type { Revocation } from "../../../schemas/token.ts";
import { wallMs } from "../../clock.ts";
import { logFailure, missingMigration } from "../../missing-migration.ts";
import { Problem, problemResponse } from "../../problem.ts";
import { tellEach } from "../../push-rules.ts";
import { withDeadline } from "../../with-deadline.ts";
import type { AggregateEnv } from "../env.ts";
import { askAll } from "../live/ask-all.ts";
import { endVoidWatchers } from "../live/end-void-watchers.ts";
import { FrameLog, lastSeen, type Written, written } from "../live/frame-log.ts";
import { LEASE_MS, RENEW_EVERY_MS } from "../live/lease.ts";
import { ZoneAlarm } from "../live/object-alarm.ts";
import { type Watcher, welcomed, ZoneWatchers } from "../live/watchers.ts";

const REGISTRY_ANSWERS_MS = 5_000;
/** The rest of a snapshot is for the zones that did not answer. */
const FLEET_ALERT_BYTES_MAX = (SNAPSHOT_BYTES_MAX * 7) / 8;

/**
 * The fleet object of one tenant, named by it, or one of those that tell a share of the fleet; keeps nothing in storage.
 * FleetRpc describes its methods.
 */
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

  async tell(devices: string[], rules: TenantRules): Promise<string[]> {
    const [tenant = ""] = (this.ctx.id.name ?? "").split("/");
    return await tellEach(this.env.DEVICE, tenant, devices, rules);
  }

  async endVoid(revoked: Revocation): Promise<void> {
    this.#watchers.endVoid(revoked);
  }

  async viewers(): Promise<number> {
    return this.#watchers.count;
  }

  /** `/v1/fleet/stream`: WebSocket, or server-sent events; `?after=` the last seq seen. 503: the registry is away. */
  override async fetch(request: Request): Promise<Response> {
    const missed = this.#watchers.watch() ? this.#log.since(lastSeen(request)) : undefined;
    const zones = missed === undefined ? await this.#zones() : [];
    if (zones instanceof Problem) return zones.toResponse();
    try {
      const { watcher, response } = this.#watchers.accept(request);
      this.ctx.waitUntil(welcomed(watcher, this.#welcome(watcher, missed, zones)));
      return response;
    } catch (error) {
      return problemResponse(error);
    }
  }

  /** The gap where it is kept, else a fresh snapshot; frames that pass meanwhile follow. */
  async #welcome(watcher: Watcher<FleetFrame>, missed: Written<FleetFrame>[] | undefined, zones: string[]) {
    await this.#renewLater();
    for (const frame of missed ?? [written<FleetFrame>(await this.#snapshot(zones))]) watcher.send(frame);
    watcher.ready();
  }

  /** The tenant's zones, or why the registry cannot answer. */
  async #zones(): Promise<string[] | Problem> {
    const query = this.env.CONTROL.prepare("SELECT DISTINCT zone FROM device WHERE tenant = ? ORDER BY zone");
    try {
      const asked = query.bind(this.ctx.id.name).all<{ zone: string }>();
      const { results } = await withDeadline(REGISTRY_ANSWERS_MS, "D1", asked);
      return results.map(({ zone }) => zone);
    } catch (error) {
      logFailure("error", "zones not listed", { tenant: this.ctx.id.name }, error);
      const missing = missingMigration(error);
      return missing === undefined
        ? new Problem("unavailable", "the registry cannot answer right now; ask the same again")
        : new Problem("migrations_missing", missing);
    }
  }

  /** Asks the zones, which push from now on; what they push meanwhile is in it. */
  async #snapshot(zones: string[]): Promise<FleetSnapshotFrame> {
    const pushed: ZoneAlertEvent[] = [];
    this.#meanwhile.add(pushed);
    const untilMs = wallMs() + LEASE_MS;
    const found: Alert[] = [];
    const ask = (zone: string) => this.env.ZONE.getByName(`${this.ctx.id.name}/${zone}`).watchAlerts(untilMs);
    const missing = await askAll(zones, ask, (answer) => {
      for (const alert of answer) found.push(alert);
    });
    this.#meanwhile.delete(pushed);
    const alerts = new Map<string, Alert>();
    for (const alert of [...found, ...pushed.map(({ alert }) => alert)]) {
      if ((alerts.get(alert.id)?.revision ?? 0) < alert.revision) alerts.set(alert.id, alert);
    }
    return {
      type: "snapshot",
      seq: this.#log.next(),
      at: wallMs(),
      ...fitAlerts(
        [...alerts.values()].filter(({ resolvedAt }) => resolvedAt === null),
        FLEET_ALERT_BYTES_MAX,
      ),
      ...fitMissing(missing),
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
    await endVoidWatchers(this.env.TENANT, this.ctx.id.name ?? "", this.#watchers);
    await this.#renewLater();
    const zones = await this.#zones();
    if (!(zones instanceof Problem)) this.#watchers.send(written<FleetFrame>(await this.#snapshot(zones))); // else leases last until the next alarm
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
