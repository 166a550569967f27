// One device: takes its reports, keeps its open blocks, ring and outbox, and wires what `core/device` decides.
import { DurableObject } from "cloudflare:workers";
import { activeAlerts } from "../../../core/alert/state.ts";
import { isAlertedHot, isOverdue, noteAlarm, planAlarm } from "../../../core/device/alarm.ts";
import { admit, refusesConnection, spentOf, withRefusal } from "../../../core/device/allowance.ts";
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
import { isVoid } from "../../../core/device/void-token.ts";
import { countReports } from "../../../core/report/pack.ts";
import { revoke } from "../../../core/token/revocation.ts";
import { noVerdicts } from "../../../core/verdicts.ts";
import type { Alert, AlertAction } from "../../../schemas/alert.ts";
import { REVOKED_PER_DEVICE_MAX } from "../../../schemas/limits.ts";
import type { DeviceGlance } from "../../../schemas/live.ts";
import type {
  AlertAnswer,
  BlockReceipt,
  DeviceLife,
  DeviceRpc,
  HotReadings,
  ObjectProfile,
  PackedReports,
  RefusedUnasked,
  ReportAnswer,
  Swept,
  TenantRules,
  Verdicts,
} from "../../../schemas/message.ts";
import type { LatestAnswer } from "../../../schemas/query.ts";
import { defaultSettings } from "../../../schemas/tenant.ts";
import type { DeviceToken, RevokeOrder } from "../../../schemas/token.ts";
import { nowMs, said, wallMs } from "../../clock.ts";
import { Problem, revokedProblem } from "../../problem.ts";
import { refillReadings } from "../../readings-quota.ts";
import { readSettings } from "../../tenant.ts";
import { EXPIRED, notedToken, REVOKED, TOKEN_ENDED, UNKNOWN } from "../../token-note.ts";
import { codecFor, switchProtocols } from "../../upgrade.ts";
import { type AggregateEnv, timingOf } from "../env.ts";
import { DeviceAlerts } from "./device-alerts.ts";
import { DeviceAnnouncer, isNews } from "./device-announce.ts";
import { takeMessage } from "./device-frame-in.ts";
import { DeviceHeat } from "./device-heat.ts";
import type { DeviceHost, Work } from "./device-host.ts";
import { DeviceLive, latestOf } from "./device-live.ts";
import { DeviceQuota, refuseAll } from "./device-quota.ts";
import { DeviceRequests } from "./device-requests.ts";
import { DeviceSettings } from "./device-settings.ts";
import { type DeviceSocket, DeviceSockets } from "./device-sockets.ts";
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
  readonly #quota: DeviceQuota;
  readonly #heat: DeviceHeat;
  readonly #requests: DeviceRequests;
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
      askAnew: async (state) => {
        await this.#settings.askAnew(state);
        this.#endVoid(this.#sockets.all());
      },
      isOver: () => ctx.waitUntil(this.#prepare(true)),
    });
    this.#alerts = new DeviceAlerts(env, ctx.storage, this.#store, (state) => this.#state === state);
    this.#settings = new DeviceSettings(env, this.#alerts);
    this.#quota = new DeviceQuota(env.TENANT);
    this.#heat = new DeviceHeat(ctx, env.TENANT, this.#alerts);
    this.#timing = timingOf(env);
    const host: DeviceHost = {
      load: () => this.#load(),
      loadKnown: () => this.#loadKnown(),
      prepare: (refresh) => this.#prepare(refresh),
      commit: (nowMs, work) => this.#commit(nowMs, work),
      sync: () => ctx.storage.sync(),
      send: (state, blocks) => this.#send(state, blocks),
      sent: () => this.#sending,
      begin: (state) => {
        this.#state = state;
      },
    };
    this.#requests = new DeviceRequests(host);
    this.#upkeep = new DeviceUpkeep(host, {
      storage: ctx.storage,
      control: () => this.env.CONTROL,
      store: this.#store,
      sockets: this.#sockets,
      live: this.#live,
      announcer: this.#announcer,
      alerts: this.#alerts,
      timing: this.#timing,
    });
  }

  /** Rows written by commits since the object woke: what tests and benchmarks count. */
  get rowsWritten(): number {
    return this.#store.rowsWritten;
  }

  async report(
    reports: PackedReports,
    receivedAt: number,
    token?: DeviceToken,
    unasked?: RefusedUnasked,
  ): Promise<ReportAnswer> {
    const state = await this.#prepare();
    const { reports: before = 0, readings = 0 } = unasked ?? {};
    if (before > 0 && this.#heat.note(state, before, readings)) this.#commit(now(state));
    if (token !== undefined && isVoid(state, token)) return { ...noVerdicts(), isVoid: true };
    const { readingsPerSecond } = state.settings.limits;
    const known = readingsPerSecond === null ? {} : { readingsPerSecond };
    const full = await this.#quota.refuses(state, this.#loadKnown() !== undefined);
    if (full !== undefined) {
      const refusal = refuseAll(reports, full);
      const isAlert = this.#heat.note(state, countReports(reports), refusal.readings, refusal.code);
      if (isAlert && this.#loadKnown() !== undefined) this.#commit(now(state));
      return { ...withRefusal(noVerdicts(), refusal), ...known };
    }
    this.#requests.checkRoom(reports); // before they count for the device's rate
    const { taken, refusal, thinned } = admit(state, reports, wallMs());
    this.#heat.noteThinned(thinned);
    const isAlert = this.#heat.note(state, countReports(reports), refusal?.readings);
    if (isAlert && taken === null) this.#commit(now(state)); // else what is taken is committed with it
    const spent = spentOf(state);
    const verdicts = taken === null ? noVerdicts() : await this.#requests.add(taken, receivedAt);
    const slowDownMs = this.#slowDownMs();
    return {
      ...(refusal === null ? verdicts : withRefusal(verdicts, refusal)),
      ...known,
      ...(thinned > 0 && { thinned }),
      ...(spent && { spent }),
      ...(slowDownMs > 0 && { slowDownMs }),
    };
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
      this.#settings.written();
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

  /** How long the device is asked to send no more, in ms; 0: it is not. */
  #slowDownMs(): number {
    return slowDownMsOf(this.#load(), this.#heard, wallMs(), this.#timing);
  }

  override async alarm(): Promise<void> {
    const state = this.#loadKnown();
    if (state === undefined) return; // deleted meanwhile
    const nowMs = now(state);
    state.alarmAt = null;
    this.#endVoid(this.#sockets.all());
    const isHot = this.#alerts.judgeHot(state, wallMs()) || isAlertedHot(state); // then its heat is kept, once a minute
    const isAlert = this.#alerts.judgeNoData(state, nowMs);
    if (isHot || isAlert || isOverdue(state, nowMs, this.#timing)) return void this.#commit(nowMs);
    // Woken for a lack of data that ended meanwhile: it only looks again later, which no commit has to note.
    const alarmAt = planAlarm(state, nowMs, this.#timing, false);
    if (alarmAt === undefined) return;
    noteAlarm(state, alarmAt);
    await this.ctx.storage.setAlarm(state.alarmWallAt!);
  }

  override async fetch(request: Request): Promise<Response> {
    const receivedAt = nowMs(this.env, request);
    const state = await this.#prepare(true);
    const token = notedToken(request);
    if (token !== undefined && isVoid(state, token)) return revokedProblem().toResponse();
    const full = await this.#quota.refuses(state, this.#loadKnown() !== undefined);
    const refused = full ?? refusesConnection(state, wallMs());
    if (refused !== undefined) return new Problem(refused.code, refused.message, refused).toResponse();
    if (this.#sockets.all().some((socket) => socket.isHolding)) this.#commit(receivedAt);
    const { 0: client, 1: server } = new WebSocketPair();
    const asked = new URL(request.url).searchParams.get("commitEveryMs");
    const commitEveryMs = asked !== null && Number(asked) >= 0 ? Number(asked) : state.settings.commitEveryMs;
    const { subprotocol } = codecFor(request).codec;
    const opening = { commitEveryMs, clockOffsetMs: receivedAt - wallMs(), subprotocol };
    this.#sockets.accept(server, token === undefined ? opening : { ...opening, token });
    this.ctx.waitUntil(this.#live.presence(state, true));
    return switchProtocols(request, client);
  }

  override async webSocketMessage(ws: WebSocket, message: string | ArrayBuffer): Promise<void> {
    if (this.#settings.areDue(this.#load())) await this.#prepare();
    if (ws.readyState !== WebSocket.OPEN) return; // closed by us: what still comes is never acknowledged
    const socket = this.#sockets.of(ws);
    if (socket === undefined || this.#endVoid([socket])) return;
    const state = this.#load();
    const taken = takeMessage(
      state,
      socket,
      message,
      (clockMs) => socket.now(said(this.env, clockMs)),
      wallMs(),
    );
    this.#heat.noteThinned(taken.thinned);
    const isAlert = this.#heat.note(state, 1, taken.refused);
    this.#live.note(state, taken.changed, true);
    const commitAt = taken.commitAt ?? (isAlert ? socket.now() : null);
    if (commitAt !== null) this.#commit(commitAt);
    if (taken.refused === 0) socket.warn(this.#slowDownMs(), wallMs());
    await refillReadings(this.env.TENANT, state.tenant);
  }

  override async webSocketClose(ws: WebSocket): Promise<void> {
    const socket = this.#sockets.of(ws); // known from here on: the platform does not list a closing socket
    if (socket?.isHolding) this.#commit(socket.now());
    const state = this.#load();
    this.#sockets.forget(ws);
    ws.close();
    await this.#live.presence(state, this.#sockets.count(ws) > 0);
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

  async confirm(stored: BlockReceipt[]): Promise<void> {
    this.#upkeep.confirm(stored);
  }

  async setRules(rules: TenantRules): Promise<void> {
    const isChosen = this.#settings.take(this.#load(), rules.settings);
    const state = this.#loadKnown(); // of one that never reported, what was taken holds while its object is awake
    if (state !== undefined && (this.#alerts.setRules(state, rules, now(state)) || isChosen))
      this.#commit(now(state));
    this.#endVoid(this.#sockets.all());
  }

  async revoke(order: RevokeOrder): Promise<boolean> {
    const state = this.#load();
    const revoked = revoke(state.revoked, order, wallMs(), REVOKED_PER_DEVICE_MAX);
    if (revoked === undefined) return false;
    state.revoked = revoked;
    this.#store.save(encodeState(state)); // no commit: a device that never reported is not made known by it
    this.#endVoid(this.#sockets.all());
    await this.ctx.storage.sync();
    return true;
  }

  async act(alert: string, action: AlertAction, by: string): Promise<AlertAnswer> {
    const state = this.#loadKnown();
    if (state === undefined) return { refused: "unknown" };
    const before = state.alerts.outbox.length;
    const answer = this.#alerts.act(state, alert, action, by, now(state));
    if (state.alerts.outbox.length > before) this.#commit(now(state));
    await this.ctx.storage.sync();
    return answer;
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
    this.#endVoid(this.#sockets.all());
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

  async erase(generation: number): Promise<void> {
    const { tenant, generation: living } = this.#load();
    // A sweep may have begun the next life: there is nothing of it while the tenant is being deleted.
    if (living >= generation && !(await readSettings(this.env.TENANT, tenant)).isEnding) return;
    await this.#upkeep.erase(living);
  }

  /**
   * Closes those of the sockets whose token has expired or was revoked, which needs no alarm: one that is silent does no
   * harm. What they hold came before that, and is committed. Returns whether there were any.
   */
  #endVoid(sockets: readonly DeviceSocket[]): boolean {
    const state = this.#load();
    const ended = sockets.flatMap((socket) => {
      const { token = UNKNOWN, isOpen } = socket;
      if (!isOpen) return [];
      if (isVoid(state, token)) return [{ socket, reason: REVOKED }];
      return token.expiresAt <= wallMs() ? [{ socket, reason: EXPIRED }] : [];
    });
    if (ended.some(({ socket }) => socket.isHolding)) this.#commit(now(state));
    for (const { socket, reason } of ended) socket.close(TOKEN_ENDED, reason);
    return ended.length > 0;
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
