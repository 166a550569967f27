// One device: takes its reports, keeps its open blocks, ring and outbox, and wires what `core/device` decides.
import { DurableObject } from "cloudflare:workers";
import { activeAlerts } from "../../../core/alert/state.ts";
import { isAlertedHot, isOverdue, noteAlarm, planAlarm } from "../../../core/device/alarm.ts";
import { commit, seeReports } from "../../../core/device/commit.ts";
import { readHot } from "../../../core/device/hot.ts";
import { confirm } from "../../../core/device/outbox.ts";
import type { SealedBlock } from "../../../core/device/seal.ts";
import {
  type DeviceState,
  decodeState,
  encodeState,
  newState,
  receiptMs,
} from "../../../core/device/state.ts";
import { type QueueHeard, slowDownMsOf } from "../../../core/device/strain.ts";
import type { Alert, AlertAction } from "../../../schemas/alert.ts";
import type { DeviceGlance } from "../../../schemas/live.ts";
import type {
  AlertAnswer,
  BlockReceipt,
  DeviceLife,
  DeviceRpc,
  HotReadings,
  ObjectProfile,
  ReportAnswer,
  Swept,
  TenantRules,
  Verdicts,
} from "../../../schemas/message.ts";
import type { LatestAnswer } from "../../../schemas/query.ts";
import { defaultSettings } from "../../../schemas/tenant.ts";
import type { RevokeOrder } from "../../../schemas/token.ts";
import { wallMs } from "../../clock.ts";
import { type AggregateEnv, timingOf } from "../env.ts";
import { DeviceAlerts } from "./device-alerts.ts";
import { DeviceAnnouncer, isNews } from "./device-announce.ts";
import { DeviceDoors } from "./device-doors.ts";
import type { DeviceHost, Work } from "./device-host.ts";
import { DeviceLive, latestOf } from "./device-live.ts";
import { DeviceSettings } from "./device-settings.ts";
import { DeviceSockets } from "./device-sockets.ts";
import { DeviceStore } from "./device-store.ts";
import { DeviceUpkeep } from "./device-upkeep.ts";
import { sendBlocks } from "./send-blocks.ts";

/** The object of one device, named `tenant/device`. DeviceRpc describes its methods. */
export class DeviceObject extends DurableObject<AggregateEnv> implements DeviceRpc {
  readonly #store: DeviceStore;
  readonly #sockets: DeviceSockets;
  readonly #live: DeviceLive;
  readonly #announcer: DeviceAnnouncer;
  readonly #settings: DeviceSettings;
  readonly #alerts: DeviceAlerts;
  readonly #doors: DeviceDoors;
  readonly #upkeep: DeviceUpkeep;
  readonly #timing: ReturnType<typeof timingOf>;
  #state: DeviceState | undefined;
  /** The last sending of blocks to the queue; never fails. */
  #sending: Promise<void> = Promise.resolve();
  /** What the queue said at the last sending. */
  #heard: QueueHeard | undefined;

  constructor(ctx: DurableObjectState, env: AggregateEnv) {
    super(ctx, env);
    this.#store = new DeviceStore(ctx.storage);
    this.#sockets = new DeviceSockets(ctx);
    this.#live = new DeviceLive(ctx, env);
    this.#announcer = new DeviceAnnouncer(env.CONTROL, this.#store, this.#live, {
      isCurrent: (state) => this.#state === state,
      isConnected: () => this.#sockets.count() > 0,
      move: (state, profile) => this.#alerts.move(state, profile, now(state)),
      isOver: () => ctx.waitUntil(this.#prepare(true)),
    });
    this.#alerts = new DeviceAlerts(env, ctx.storage, this.#store, (state) => this.#state === state);
    this.#settings = new DeviceSettings(env, this.#alerts);
    this.#timing = timingOf(env);
    const host: DeviceHost = {
      load: () => this.#load(),
      loadKnown: () => this.#loadKnown(),
      prepare: (refresh) => this.#prepare(refresh),
      commit: (nowMs, work) => this.#commit(nowMs, work),
      sync: () => ctx.storage.sync(),
      send: (state, blocks) => this.#send(state, blocks),
      sent: () => this.#sending,
      slowDownMs: () => slowDownMsOf(this.#load(), this.#heard, wallMs(), this.#timing),
      begin: (state) => {
        this.#state = state;
      },
    };
    const parts = { store: this.#store, sockets: this.#sockets, live: this.#live, alerts: this.#alerts };
    this.#doors = new DeviceDoors(host, { ...parts, ctx, env, settings: this.#settings });
    this.#upkeep = new DeviceUpkeep(host, {
      ...parts,
      env: () => this.env,
      storage: ctx.storage,
      announcer: this.#announcer,
      timing: this.#timing,
    });
  }

  /** Rows written by commits since the object woke: what tests and benchmarks count. */
  get rowsWritten(): number {
    return this.#store.rowsWritten;
  }

  report(...args: Parameters<DeviceRpc["report"]>): Promise<ReportAnswer> {
    return this.#doors.report(...args);
  }

  /** Load is done; decide → save → act. Exactly one row, and one more for each block sealed with it. */
  #commit(nowMs: number, { requests, mustSeal, deleted }: Work = {}): Verdicts[] {
    const state = this.#load();
    state.clockOffsetMs = this.env.CLOCK === "settable" ? nowMs - wallMs() : 0;
    try {
      // What sockets hold came first.
      const sockets = this.#sockets.all();
      const holding = sockets.filter((socket) => socket.isHolding);
      const held = holding.map((socket) => socket.held());
      const input = { held, requests, nowMs, wallMs: wallMs(), mustSeal };
      const made = commit(state, input, this.#store, this.#timing);
      if (made.alarmWallAt !== undefined) void this.ctx.storage.setAlarm(made.alarmWallAt);
      this.#store.save(encodeState(state), made.sealed, deleted);
      for (const [index, socket] of holding.entries()) socket.settle(made.heldVerdicts[index]!);
      for (const socket of sockets) socket.forgetConfirmed();
      this.#live.note(state, made.changed, this.#sockets.count() > 0);
      const outgoing = [...made.sealed, ...this.#store.readSealed(made.overdue)];
      if (outgoing.length > 0) {
        this.#sending = this.#send(state, outgoing);
        this.ctx.waitUntil(this.#sending);
      }
      if (made.mustTell) this.ctx.waitUntil(this.#alerts.tellSoon(state));
      if (isNews(state)) this.ctx.waitUntil(this.#announcer.announce(state));
      return made.verdicts;
    } catch (error) {
      this.#state = undefined; // half applied: the next event loads what is durable
      throw error;
    }
  }

  /** After the commit is durable: what left for the queue is in the ring. */
  async #send(state: DeviceState, blocks: readonly SealedBlock[]): Promise<void> {
    await this.ctx.storage.sync();
    this.#heard = await sendBlocks(this.env.ROLLUPS, state, blocks);
  }

  override async alarm(): Promise<void> {
    const state = this.#loadKnown();
    if (state === undefined) return; // deleted meanwhile
    const nowMs = now(state);
    state.alarmAt = null;
    this.#doors.endVoid();
    const isHot = this.#alerts.judgeHot(state, wallMs()) || isAlertedHot(state); // then its heat is kept, once a minute
    const isAlert = this.#alerts.judgeNoData(state, nowMs);
    if (isHot || isAlert || isOverdue(state, nowMs, this.#timing)) return void this.#commit(nowMs);
    // Woken for a lack of data that ended meanwhile: it only looks again later, which no commit has to note.
    const alarmAt = planAlarm(state, nowMs, this.#timing, false);
    if (alarmAt === undefined) return;
    noteAlarm(state, alarmAt);
    await this.ctx.storage.setAlarm(state.alarmWallAt!);
  }

  override fetch(request: Request): Promise<Response> {
    return this.#doors.connect(request);
  }

  override webSocketMessage(ws: WebSocket, message: string | ArrayBuffer): Promise<void> {
    return this.#doors.message(ws, message);
  }

  override webSocketClose(ws: WebSocket): Promise<void> {
    return this.#doors.closed(ws);
  }

  override webSocketError(ws: WebSocket): Promise<void> {
    return this.webSocketClose(ws);
  }

  async latest(): Promise<LatestAnswer | null> {
    const state = this.#loadKnown();
    return state === undefined ? null : latestOf(state, this.#sockets.count() > 0);
  }

  async newestAt(): Promise<number | null> {
    return this.#loadKnown()?.newestAt || null;
  }

  async readings(metric: string, fromMs: number, toMs: number): Promise<HotReadings | null> {
    const state = this.#loadKnown();
    return state === undefined ? null : readHot(state, this.#store, metric, fromMs, toMs, now(state));
  }

  setProfile(profile: ObjectProfile): Promise<void> {
    return this.#upkeep.setProfile(profile);
  }

  seal(): Promise<{ sealed: number; pending: number }> {
    return this.#upkeep.seal();
  }

  async unconfirmed(beforeMs: number): Promise<number> {
    return this.#upkeep.unconfirmed(beforeMs);
  }

  async confirm(stored: BlockReceipt[]): Promise<void> {
    this.#upkeep.confirm(stored);
  }

  async setRules(rules: TenantRules): Promise<void> {
    const state = this.#loadKnown();
    if (state === undefined) return; // its first report asks
    const isChosen = this.#settings.take(state, rules.settings);
    if (this.#alerts.setRules(state, rules, now(state)) || isChosen) this.#commit(now(state));
    if (isChosen) this.#doors.endVoid();
  }

  revoke(order: RevokeOrder): Promise<boolean> {
    return this.#doors.revoke(order);
  }

  act(alert: string, action: AlertAction, by: string): Promise<AlertAnswer> {
    return this.#upkeep.act(alert, action, by);
  }

  async alerts(): Promise<Alert[]> {
    return activeAlerts(this.#load().alerts);
  }

  async watch(untilMs: number, metricsMax?: number): Promise<DeviceGlance | null> {
    const state = this.#loadKnown();
    if (state === undefined) return null;
    if (this.#live.lease(state, untilMs)) this.#commit(now(state));
    return this.#live.glance(state, this.#sockets.count() > 0, metricsMax);
  }

  sweep(): Promise<Swept> {
    this.#doors.endVoid();
    return this.#upkeep.sweep();
  }

  resend(fromMs: number, toMs: number, afterMs: number): Promise<{ sent: number; nextMs: number | null }> {
    return this.#upkeep.resend(fromMs, toMs, afterMs);
  }

  handOver(beforeMs: number): Promise<{ pending: number }> {
    return this.#upkeep.handOver(beforeMs);
  }

  async life(): Promise<DeviceLife> {
    return this.#upkeep.life();
  }

  forget(generation: number): Promise<void> {
    return this.#upkeep.forget(generation);
  }

  erase(generation: number): Promise<void> {
    return this.#upkeep.erase(generation);
  }

  /**
   * The state, for an object that is about to take reports: a new one asks its tenant's settings first, any asks hourly. A
   * life that was deleted with its tenant, unnoticed, ends here.
   */
  async #prepare(refresh = false): Promise<DeviceState> {
    if (refresh) await this.#settings.refresh(this.#load());
    for (;;) {
      const state = this.#load();
      const { generation } = state.settings;
      if (this.#settings.areDue(state)) await this.#settings.refresh(state);
      else if (state.generation >= generation) return state;
      else if (this.#loadKnown() === undefined) state.generation = generation;
      else await this.#upkeep.forget(generation - 1, false);
    }
  }

  /**
   * The state of a device that has seen or committed something; undefined for an object somebody merely asked for.
   */
  #loadKnown(): DeviceState | undefined {
    const state = this.#load();
    return state.commits === 0 && state.latest.size === 0 ? undefined : state;
  }

  #load(): DeviceState {
    if (this.#state !== undefined) return this.#state;
    const row = this.#store.load();
    const [tenant, device] = (this.ctx.id.name ?? "/").split("/") as [string, string];
    const state = row === undefined ? newState(tenant, device, defaultSettings, 0) : decodeState(row);
    for (const socket of this.#sockets.all()) {
      confirm(state, socket.confirmed);
      if (socket.isHolding) seeReports(state, socket.held());
    }
    this.#state = state;
    return state;
  }
}

/** Now by the receipt clock. */
const now = (state: DeviceState) => receiptMs(state, wallMs());
