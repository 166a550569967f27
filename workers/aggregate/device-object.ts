// One device: takes its reports, keeps its open blocks, ring and outbox, and wires what `core/device` decides.
import { DurableObject } from "cloudflare:workers";
import { activeAlerts } from "../../core/alert/state.ts";
import { decodeFrame } from "../../core/decode/device-frame.ts";
import { isAlarmLost, isOverdue, planAlarm } from "../../core/device/alarm.ts";
import { applyReports } from "../../core/device/apply.ts";
import { readHot } from "../../core/device/hot.ts";
import { noteLatest, shownLatest } from "../../core/device/latest.ts";
import type { OpenBlock } from "../../core/device/open-block.ts";
import { confirm, listMore, needsCommit, takeAgain, takeOverdue } from "../../core/device/outbox.ts";
import { beginsBefore, giveUpExpired, handOver } from "../../core/device/retain.ts";
import { type SealedBlock, sealBlocks } from "../../core/device/seal.ts";
import { type DeviceState, decodeState, encodeState, newState } from "../../core/device/state.ts";
import { ReportPacker } from "../../core/report/pack.ts";
import type { Alert, AlertAction } from "../../schemas/alert.ts";
import type { DeviceGlance } from "../../schemas/live.ts";
import type {
  AlertAnswer,
  BlockReceipt,
  DeviceRpc,
  HotReadings,
  ObjectProfile,
  PackedReports,
  Swept,
  TenantRules,
  Verdicts,
} from "../../schemas/message.ts";
import type { LatestAnswer } from "../../schemas/query.ts";
import { defaultSettings } from "../../schemas/tenant.ts";
import { nowMs, said, wallMs } from "../clock.ts";
import { switchProtocols } from "../upgrade.ts";
import { DeviceAlerts } from "./device-alerts.ts";
import { DeviceAnnouncer, isNews } from "./device-announce.ts";
import { DeviceLive } from "./device-live.ts";
import { DeviceSettings } from "./device-settings.ts";
import { DeviceSockets } from "./device-sockets.ts";
import { DeviceStore } from "./device-store.ts";
import { type AggregateEnv, timingOf } from "./env.ts";
import { sendBlocks } from "./send-blocks.ts";

/** What a commit does beside taking reports in. */
interface Upkeep {
  mustSeal?: (open: OpenBlock) => boolean;
  /** Ring slots to delete, unless a block sealed with the commit takes them. */
  deleted?: readonly number[];
}

/** A busy device overwrites what is past its age by itself: counting it deserves a row only now and then. */
const EXPIRED_UNCOUNTED_MAX = 100;

interface Waiting {
  reports: PackedReports;
  receivedAt: number;
  settle(verdicts: Verdicts): void;
  fail(error: unknown): void;
}

export class DeviceObject extends DurableObject<AggregateEnv> implements DeviceRpc {
  readonly #store: DeviceStore;
  readonly #sockets: DeviceSockets;
  readonly #live: DeviceLive;
  readonly #announcer: DeviceAnnouncer;
  readonly #settings: DeviceSettings;
  readonly #alerts: DeviceAlerts;
  readonly #timing: ReturnType<typeof timingOf>;
  #state: DeviceState | undefined;
  #waiting: Waiting[] = [];
  #committing = false;
  /** The last sending of blocks to the queue; never fails. */
  #sending: Promise<void> = Promise.resolve();

  constructor(ctx: DurableObjectState, env: AggregateEnv) {
    super(ctx, env);
    this.#store = new DeviceStore(ctx.storage);
    this.#sockets = new DeviceSockets(ctx);
    this.#live = new DeviceLive(ctx, env);
    this.#announcer = new DeviceAnnouncer(env.CONTROL, this.#store, this.#live, {
      isCurrent: (state) => this.#state === state,
      isConnected: () => this.#sockets.count() > 0,
      move: (state, profile) => this.#alerts.move(state, profile, receiptMs(state)),
    });
    this.#alerts = new DeviceAlerts(env, ctx.storage, this.#store, (state) => this.#state === state);
    this.#settings = new DeviceSettings(env, this.#alerts);
    this.#timing = timingOf(env);
  }

  /** Rows written by commits since the object woke: what tests and benchmarks count. */
  get rowsWritten(): number {
    return this.#store.rowsWritten;
  }

  // ---- reports over HTTPS ---------------------------------------------------------------------------------------

  /** Requests that wait together share one commit; each is answered when it is durable. */
  async report(reports: PackedReports, receivedAt: number): Promise<Verdicts> {
    await this.#prepare();
    return await new Promise<Verdicts>((settle, fail) => {
      this.#waiting.push({ reports, receivedAt, settle, fail });
      void this.#drain();
    });
  }

  async #drain(): Promise<void> {
    if (this.#committing) return;
    this.#committing = true;
    try {
      while (this.#waiting.length > 0) {
        const group = this.#waiting;
        this.#waiting = [];
        try {
          const verdicts = this.#commit(group, Math.max(...group.map(({ receivedAt }) => receivedAt)));
          await this.ctx.storage.sync();
          for (const [index, waiting] of group.entries()) waiting.settle(verdicts[index]!);
        } catch (error) {
          for (const waiting of group) waiting.fail(error);
        }
      }
    } finally {
      this.#committing = false;
    }
  }

  /** Load is done; decide → save → act. Exactly one row, and one more for each block sealed with it. */
  #commit(group: readonly Waiting[], now: number, upkeep: Upkeep = {}): Verdicts[] {
    const state = this.#load();
    state.clockOffsetMs = this.env.CLOCK === "settable" ? now - wallMs() : 0;
    try {
      // What sockets hold came first.
      const sockets = this.#sockets.all();
      const holding = sockets.filter((socket) => socket.isHolding);
      const held = holding.map((socket) => applyReports(state, socket.held(), this.#store));
      const verdicts = group.map(({ reports }) => {
        this.#live.note(state, noteLatest(state, reports), this.#sockets.count() > 0);
        this.#alerts.see(state, reports);
        return applyReports(state, reports, this.#store);
      });
      listMore(state, this.#store, wallMs());
      const sealed = sealBlocks(state, now, this.#store, this.#timing, upkeep.mustSeal);
      const overdue = takeOverdue(state, wallMs(), this.#timing).filter(({ slot }) =>
        sealed.every((s) => s.slot !== slot),
      );
      state.commits += 1;
      this.#alerts.plan(state);
      this.#setAlarm(state, planAlarm(state, now, this.#timing, sealed.length > 0));
      this.#store.save(encodeState(state), sealed, upkeep.deleted);
      for (const [index, socket] of holding.entries()) socket.settle(held[index]!);
      for (const socket of sockets) socket.forgetConfirmed();
      const outgoing = [...sealed, ...this.#store.readSealed(overdue)];
      if (outgoing.length > 0) {
        this.#sending = this.#send(state, outgoing);
        this.ctx.waitUntil(this.#sending);
      }
      if (state.tellAt !== null) this.#tell(state);
      if (isNews(state)) this.ctx.waitUntil(this.#announcer.announce(state));
      return verdicts;
    } catch (error) {
      this.#state = undefined; // half applied: the next event loads what is durable
      throw error;
    }
  }

  /** After the commit is durable: what left for the queue is in the ring. */
  async #send(state: DeviceState, blocks: readonly SealedBlock[]): Promise<void> {
    await this.ctx.storage.sync();
    await sendBlocks(this.env.ROLLUPS, state, blocks);
  }

  #tell(state: DeviceState): void {
    const telling = this.#alerts.tell(state).catch((error: unknown) => {
      const { tenant, device } = state;
      console.warn("zone not told of an alert yet", { tenant, device, error: String(error) });
    });
    this.ctx.waitUntil(telling);
  }

  #setAlarm(state: DeviceState, alarmAt: number | undefined): void {
    if (alarmAt === undefined) return;
    state.alarmAt = alarmAt;
    state.alarmWallAt = alarmAt - state.clockOffsetMs;
    void this.ctx.storage.setAlarm(state.alarmWallAt);
  }

  override async alarm(): Promise<void> {
    const state = this.#loadKnown();
    if (state === undefined) return; // deleted meanwhile
    const now = receiptMs(state);
    state.alarmAt = null;
    const isAlert = this.#alerts.listen(state, now);
    // Woken for a silence that was broken meanwhile: it only looks again later, which no commit has to note.
    if (isAlert || isOverdue(state, now, this.#timing)) this.#commit([], now);
    else this.#setAlarm(state, planAlarm(state, now, this.#timing, false));
  }

  // ---- reports over a socket -------------------------------------------------------------------------------------

  override async fetch(request: Request): Promise<Response> {
    const now = nowMs(this.env, request);
    const state = await this.#prepare(true);
    if (this.#sockets.all().some((socket) => socket.isHolding)) this.#commit([], now);
    const { 0: client, 1: server } = new WebSocketPair();
    const asked = new URL(request.url).searchParams.get("commitEveryMs");
    const commitEveryMs = asked !== null && Number(asked) >= 0 ? Number(asked) : state.settings.commitEveryMs;
    this.#sockets.accept(server, commitEveryMs, now - wallMs());
    this.ctx.waitUntil(this.#live.presence(state, true));
    return switchProtocols(request, client);
  }

  override async webSocketMessage(ws: WebSocket, message: string | ArrayBuffer): Promise<void> {
    if (this.#settings.areDue(this.#load())) await this.#prepare();
    if (ws.readyState !== WebSocket.OPEN) return; // closed by us: what still comes is never acknowledged
    const socket = this.#sockets.of(ws);
    const state = this.#load();
    const frame = decodeFrame(message, (clockMs) => socket.now(said(this.env, clockMs)));
    if (frame.type === "invalid") return socket.send(frame.problem);
    if (frame.type === "flush") {
      if (socket.isHolding) this.#commit([], socket.now());
      return;
    }
    const { seq, receivedAt, problems } = frame;
    let { report, refused } = frame;
    for (const problem of problems) socket.send(problem);
    if (report?.device !== undefined && report.device !== state.device) {
      refused += report.values.length;
      const text = `the socket speaks for ${state.device}; use a gateway token for several`;
      socket.send({ type: "problem", seq, index: 0, code: "device_mismatch", message: text });
      report = undefined;
    }
    socket.hold(seq, receivedAt, report, refused);
    let isAlert = false;
    if (report !== undefined) {
      const packer = new ReportPacker();
      packer.add(seq, report.at, receivedAt, report.names, report.values);
      const seen = packer.finish();
      this.#live.note(state, noteLatest(state, seen), true);
      isAlert = this.#alerts.see(state, seen);
    }
    if (isAlert || socket.isDue(receivedAt)) this.#commit([], receivedAt);
    else socket.keep();
  }

  override async webSocketClose(ws: WebSocket): Promise<void> {
    const socket = this.#sockets.of(ws); // known from here on: the platform does not list a closing socket
    if (socket.isHolding) this.#commit([], socket.now());
    const state = this.#load();
    this.#sockets.forget(ws);
    ws.close();
    await this.#live.presence(state, this.#sockets.count(ws) > 0);
  }

  override async webSocketError(ws: WebSocket): Promise<void> {
    await this.webSocketClose(ws);
  }

  // ---- questions and orders --------------------------------------------------------------------------------------

  async latest(): Promise<LatestAnswer | null> {
    const state = this.#loadKnown();
    if (state === undefined) return null;
    const { device, profile, lastReceivedAt, clock } = state;
    return {
      device,
      zone: profile.zone,
      connected: this.#sockets.count() > 0,
      lastReceivedAt,
      metrics: shownLatest(state),
      clock,
    };
  }

  async readings(metric: string, fromMs: number, toMs: number): Promise<HotReadings | null> {
    const state = this.#loadKnown();
    return state === undefined ? null : readHot(state, this.#store, metric, fromMs, toMs, receiptMs(state));
  }

  async setProfile(profile: ObjectProfile): Promise<void> {
    const state = await this.#prepare();
    this.#alerts.move(state, profile, receiptMs(state));
    this.#commit([], receiptMs(state));
    const { rulesVersion } = state.alerts;
    const moved = await this.#prepare(true); // the rules of where it is now
    if (moved.alerts.rulesVersion > rulesVersion) this.#commit([], receiptMs(moved));
  }

  async seal(): Promise<{ sealed: number; pending: number }> {
    const state = this.#loadKnown();
    if (state === undefined) return { sealed: 0, pending: 0 };
    const sealed = state.open.length;
    for (const pending of state.outbox) pending.resendAt = 0;
    this.#commit([], receiptMs(state), { mustSeal: () => true });
    await this.#sending;
    return { sealed, pending: state.outbox.length + (state.unlistedFromMs === null ? 0 : 1) };
  }

  /** Noted with the next commit, in a socket's attachment until then, or at once where that might never be. */
  async confirm(stored: BlockReceipt[]): Promise<void> {
    const state = this.#loadKnown();
    if (state === undefined) return;
    const taken = confirm(state, stored);
    if (taken.length === 0) return;
    const noted = this.#sockets.all()[0]?.noteConfirmed(stored) ?? false;
    if (!noted && needsCommit(state, taken)) this.#commit([], receiptMs(state));
  }

  async setRules(rules: TenantRules): Promise<void> {
    const state = this.#loadKnown();
    if (state === undefined) return; // its first report asks
    if (this.#alerts.setRules(state, rules, receiptMs(state))) this.#commit([], receiptMs(state));
  }

  async act(alert: string, action: AlertAction, by: string): Promise<AlertAnswer> {
    const state = this.#loadKnown();
    if (state === undefined) return { refused: "unknown" };
    const before = state.alerts.outbox.length;
    const answer = this.#alerts.act(state, alert, action, by, receiptMs(state));
    if (state.alerts.outbox.length > before) this.#commit([], receiptMs(state));
    await this.ctx.storage.sync();
    return answer;
  }

  async alerts(): Promise<Alert[]> {
    const state = this.#loadKnown();
    return state === undefined ? [] : activeAlerts(state.alerts);
  }

  async watch(untilMs: number): Promise<DeviceGlance | null> {
    const state = this.#loadKnown();
    if (state === undefined) return null;
    if (this.#live.lease(state, untilMs)) this.#commit([], receiptMs(state));
    return this.#live.glance(state, this.#sockets.count() > 0);
  }

  // ---- upkeep ----------------------------------------------------------------------------------------------------

  async sweep(): Promise<Swept> {
    const before = this.#loadKnown()?.alerts.rulesVersion;
    if (before === undefined) return { acted: false, expired: 0 };
    await this.#prepare(); // a silent device asks at no other time
    const alarmFor = await this.ctx.storage.getAlarm();
    const state = this.#load();
    const hasNewRules = state.alerts.rulesVersion > before;
    const now = receiptMs(state);
    const isLost = isAlarmLost(state, alarmFor, now, this.#timing);
    if (isLost) state.alarmAt = null;
    const { evictedThroughMs } = state;
    const deleted = giveUpExpired(state, this.#store, now);
    const isExpired = deleted.length > 0 || state.evictedThroughMs > evictedThroughMs;
    const isCounted = state.expired < EXPIRED_UNCOUNTED_MAX;
    if (!hasNewRules && !isLost && !isExpired && isCounted && !isOverdue(state, now, this.#timing))
      return { acted: false, expired: 0 };
    const { expired } = state;
    state.expired = 0;
    this.#alerts.listen(state, now);
    this.#commit([], now, { deleted });
    await this.#sending;
    return { acted: true, expired };
  }

  async resend(
    fromMs: number,
    toMs: number,
    afterMs: number,
  ): Promise<{ sent: number; nextMs: number | null }> {
    const state = this.#loadKnown();
    if (state === undefined) return { sent: 0, nextMs: null };
    const overlaps = ({ mark }: OpenBlock) =>
      mark.startMs < toMs && mark.endMs > fromMs && mark.startMs > afterMs;
    if (state.open.some(overlaps)) this.#commit([], receiptMs(state), { mustSeal: overlaps });
    const span = { fromMs, toMs, afterMs };
    const { page, nextMs } = takeAgain(state, this.#store, span, wallMs(), this.#timing);
    if (page.length > 0) this.#store.save(encodeState(state));
    await this.#send(state, this.#store.readSealed(page));
    return { sent: page.length, nextMs };
  }

  async handOver(beforeMs: number): Promise<{ pending: number }> {
    const state = await this.#prepare();
    const now = receiptMs(state);
    let answer = handOver(state, beforeMs, now);
    if (state.open.some(beginsBefore(beforeMs))) {
      this.#commit([], now, { mustSeal: beginsBefore(beforeMs) });
      answer = handOver(state, beforeMs, now);
    }
    if (answer.pending === 0) this.#store.save(encodeState(state));
    await this.ctx.storage.sync();
    return answer;
  }

  async forget(generation: number): Promise<void> {
    await this.#announcer.inTurn(async () => {
      let old = this.#load();
      if (old.generation > generation) return;
      await this.#live.leave(old);
      for (;;) {
        old = this.#load();
        this.#alerts.end(old, receiptMs(old));
        if (old.alerts.outbox.length === 0) break; // else something may fire while the zone is told
        this.#store.save(encodeState(old));
        await this.#alerts.tell(old);
      }
      this.#sockets.closeAll(4003, "device deleted");
      this.#state = newState(old.tenant, old.device, defaultSettings, 0);
      this.#state.generation = generation + 1;
      await this.#store.replaceAll(encodeState(this.#state));
    });
  }

  // ---- state -----------------------------------------------------------------------------------------------------

  /** The state, for an object that is about to take reports: a new one asks its tenant's settings first, any asks hourly. */
  async #prepare(refresh = false): Promise<DeviceState> {
    let ask = refresh;
    while (ask || this.#settings.areDue(this.#load())) {
      ask = false;
      await this.#settings.refresh(this.#load()); // deleted meanwhile, its new life has none yet
    }
    return this.#load();
  }

  /** The state of a device that has one; undefined for an object somebody merely asked for. */
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
      if (!socket.isHolding) continue;
      const held = socket.held();
      noteLatest(state, held);
      this.#alerts.see(state, held);
    }
    this.#state = state;
    return state;
  }
}

/** Now by the receipt clock. */
const receiptMs = (state: DeviceState) => wallMs() + state.clockOffsetMs;
