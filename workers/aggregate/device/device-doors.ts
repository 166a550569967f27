// What a device sends, by request or socket → taken, refused or thinned; who may send is judged before anything else.
import { admit, refusesConnection, spentOf, withRefusal } from "../../../core/device/allowance.ts";
import { type DeviceState, encodeState, receiptMs } from "../../../core/device/state.ts";
import { isVoid } from "../../../core/device/void-token.ts";
import { countReports } from "../../../core/report/pack.ts";
import { revoke } from "../../../core/token/revocation.ts";
import { noVerdicts } from "../../../core/verdicts.ts";
import { REVOKED_PER_DEVICE_MAX } from "../../../schemas/limits.ts";
import type { PackedReports, RefusedUnasked, ReportAnswer } from "../../../schemas/message.ts";
import type { DeviceToken, RevokeOrder } from "../../../schemas/token.ts";
import { nowMs, said, wallMs } from "../../clock.ts";
import { Problem, revokedProblem } from "../../problem.ts";
import { refillReadings } from "../../readings-quota.ts";
import { EXPIRED, notedToken, REVOKED, TOKEN_ENDED, UNKNOWN } from "../../token-note.ts";
import { codecFor, switchProtocols } from "../../upgrade.ts";
import type { AggregateEnv } from "../env.ts";
import type { DeviceAlerts } from "./device-alerts.ts";
import { takeMessage } from "./device-frame-in.ts";
import { DeviceHeat } from "./device-heat.ts";
import type { DeviceHost } from "./device-host.ts";
import type { DeviceLive } from "./device-live.ts";
import { DeviceQuota, refuseAll } from "./device-quota.ts";
import { DeviceRequests } from "./device-requests.ts";
import type { DeviceSettings } from "./device-settings.ts";
import type { DeviceSocket, DeviceSockets } from "./device-sockets.ts";
import type { DeviceStore } from "./device-store.ts";

interface Parts {
  ctx: DurableObjectState;
  env: AggregateEnv;
  store: DeviceStore;
  sockets: DeviceSockets;
  live: DeviceLive;
  settings: DeviceSettings;
  alerts: DeviceAlerts;
}

/** The doors of a device's object: `DeviceRpc.report`, and its WebSockets. */
export class DeviceDoors {
  readonly #host: DeviceHost;
  readonly #parts: Parts;
  readonly #quota: DeviceQuota;
  readonly #heat: DeviceHeat;
  readonly #requests: DeviceRequests;

  constructor(host: DeviceHost, parts: Parts) {
    this.#host = host;
    this.#parts = parts;
    this.#quota = new DeviceQuota(parts.env.TENANT);
    this.#heat = new DeviceHeat(parts.ctx, parts.env.TENANT, parts.alerts);
    this.#requests = new DeviceRequests(host);
  }

  /** `DeviceRpc.report`. */
  async report(
    reports: PackedReports,
    receivedAt: number,
    token?: DeviceToken,
    unasked?: RefusedUnasked,
  ): Promise<ReportAnswer> {
    const host = this.#host;
    const state = await host.prepare();
    const { reports: before = 0, readings = 0 } = unasked ?? {};
    if (before > 0 && this.#heat.note(state, before, readings)) host.commit(now(state));
    if (token !== undefined && isVoid(state, token)) return { ...noVerdicts(), isVoid: true };
    const { readingsPerSecond } = state.settings.limits;
    const known = readingsPerSecond === null ? {} : { readingsPerSecond };
    const full = await this.#quota.refuses(state, host.loadKnown() !== undefined);
    if (full !== undefined) {
      const refusal = refuseAll(reports, full);
      const isAlert = this.#heat.note(state, countReports(reports), refusal.readings, refusal.code);
      if (isAlert && host.loadKnown() !== undefined) host.commit(now(state));
      return { ...withRefusal(noVerdicts(), refusal), ...known };
    }
    this.#requests.checkRoom(reports); // before they count for the device's rate
    const { taken, refusal, thinned } = admit(state, reports, wallMs());
    this.#heat.noteThinned(thinned);
    const isAlert = this.#heat.note(state, countReports(reports), refusal?.readings);
    if (isAlert && taken === null) host.commit(now(state)); // else what is taken is committed with it
    const spent = spentOf(state);
    const verdicts = taken === null ? noVerdicts() : await this.#requests.add(taken, receivedAt);
    const slowDownMs = host.slowDownMs();
    return {
      ...(refusal === null ? verdicts : withRefusal(verdicts, refusal)),
      ...known,
      ...(thinned > 0 && { thinned }),
      ...(spent && { spent }),
      ...(slowDownMs > 0 && { slowDownMs }),
    };
  }

  /** Returns the upgrade to a socket of the device, or why it gets none. */
  async connect(request: Request): Promise<Response> {
    const host = this.#host;
    const { ctx, env, sockets, live } = this.#parts;
    const receivedAt = nowMs(env, request);
    const state = await host.prepare(true);
    const token = notedToken(request);
    if (token !== undefined && isVoid(state, token)) return revokedProblem().toResponse();
    const full = await this.#quota.refuses(state, host.loadKnown() !== undefined);
    const refused = full ?? refusesConnection(state, wallMs());
    if (refused !== undefined) return new Problem(refused.code, refused.message, refused).toResponse();
    if (sockets.all().some((socket) => socket.isHolding)) host.commit(receivedAt);
    const { 0: client, 1: server } = new WebSocketPair();
    const asked = new URL(request.url).searchParams.get("commitEveryMs");
    const commitEveryMs = asked !== null && Number(asked) >= 0 ? Number(asked) : state.settings.commitEveryMs;
    const { subprotocol } = codecFor(request).codec;
    const opening = { commitEveryMs, clockOffsetMs: receivedAt - wallMs(), subprotocol };
    sockets.accept(server, token === undefined ? opening : { ...opening, token });
    ctx.waitUntil(live.presence(state, true));
    return switchProtocols(request, client);
  }

  /** A message of one of the sockets. */
  async message(ws: WebSocket, message: string | ArrayBuffer): Promise<void> {
    const host = this.#host;
    const { env, sockets, live, settings } = this.#parts;
    if (settings.areDue(host.load())) await host.prepare();
    if (ws.readyState !== WebSocket.OPEN) return; // closed by us: what still comes is never acknowledged
    const socket = sockets.of(ws);
    if (socket === undefined || this.endVoid([socket])) return;
    const state = host.load();
    const nowOf = (clockMs: unknown) => socket.now(said(env, clockMs));
    const taken = takeMessage(state, socket, message, nowOf, wallMs());
    this.#heat.noteThinned(taken.thinned);
    const isAlert = this.#heat.note(state, 1, taken.refused);
    live.note(state, taken.changed, true);
    const commitAt = taken.commitAt ?? (isAlert ? socket.now() : null);
    if (commitAt !== null) host.commit(commitAt);
    if (taken.refused === 0) socket.warn(host.slowDownMs(), wallMs());
    await refillReadings(env.TENANT, state.tenant);
  }

  /** The end of one of the sockets: what it holds is committed. */
  async closed(ws: WebSocket): Promise<void> {
    const { sockets, live } = this.#parts;
    const socket = sockets.of(ws); // known from here on: the platform does not list a closing socket
    if (socket?.isHolding) this.#host.commit(socket.now());
    const state = this.#host.load();
    sockets.forget(ws);
    ws.close();
    await live.presence(state, sockets.count(ws) > 0);
  }

  /** `DeviceRpc.revoke`. */
  async revoke(order: RevokeOrder): Promise<boolean> {
    const { ctx, store } = this.#parts;
    const state = this.#host.load();
    const revoked = revoke(state.revoked, order, wallMs(), REVOKED_PER_DEVICE_MAX);
    if (revoked === undefined) return false;
    state.revoked = revoked;
    store.save(encodeState(state)); // no commit: a device that never reported is not made known by it
    this.endVoid();
    await ctx.storage.sync();
    return true;
  }

  /**
   * Closes those of the sockets, of all unless said, whose token has expired or was revoked, which needs no alarm: one that is
   * silent does no harm. What they hold came before that, and is committed. Returns whether there were any.
   */
  endVoid(sockets: readonly DeviceSocket[] = this.#parts.sockets.all()): boolean {
    const state = this.#host.load();
    const ended = sockets.flatMap((socket) => {
      const { token = UNKNOWN, isOpen } = socket;
      if (!isOpen) return [];
      if (isVoid(state, token)) return [{ socket, reason: REVOKED }];
      return token.expiresAt <= wallMs() ? [{ socket, reason: EXPIRED }] : [];
    });
    if (ended.some(({ socket }) => socket.isHolding)) this.#host.commit(now(state));
    for (const { socket, reason } of ended) socket.close(TOKEN_ENDED, reason);
    return ended.length > 0;
  }
}

/** Now by the receipt clock. */
const now = (state: DeviceState) => receiptMs(state, wallMs());
