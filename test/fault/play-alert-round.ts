// One round of alerts on a running server: devices breach and clear while everything breaks; then faults end, the world
// settles, and what was told is compared with what the readings justify.
import { setTimeout as sleep } from "node:timers/promises";
import { AlertClient } from "../flow/alert-client.ts";
import { TenantClient } from "../flow/tenant-client.ts";
import { BadReceiver } from "./bad-receiver.ts";
import { Random } from "./chance.ts";
import { type AlertDifference, compareAlerts } from "./compare-alerts.ts";
import { Credentials } from "./credentials.ts";
import type { FaultCounts } from "./faults.ts";
import { Ledger } from "./ledger.ts";
import { type AlertRound, CHANNELS, planAlertRound, RULES } from "./plan-alert-round.ts";
import { playStream, speakerOf, type World } from "./play-stream.ts";
import type { Play } from "./run-rounds.ts";
import type { ServerProcess } from "./server-process.ts";
import { endOf, Storm } from "./storm.ts";

export interface AlertRoundResult extends AlertDifference {
  seed: number;
  faults: FaultCounts;
}

const ROUND_MS_MAX = 120_000;
const SETTLE_MS_MAX = 90_000;
const SETTLE_PAUSE_MS = 250;
const TICK_PAUSE_MS = 400;
/** How often somebody looks whether there is an alert to acknowledge. */
const OPERATOR_PAUSE_MS = 300;
/** Things still break while the last messages are on their way. */
const STORM_AFTER_MS = 500;

export const playAlertRound: Play<AlertRoundResult> = async (seed, todayMs, server, secret, signal) => {
  const receiver = await new BadReceiver().listen();
  try {
    return await new PlayedAlertRound(planAlertRound(seed, todayMs), server, secret, receiver).play(signal);
  } finally {
    await receiver.close();
  }
};

class PlayedAlertRound {
  readonly #round: AlertRound;
  readonly #server: ServerProcess;
  readonly #tenant: TenantClient;
  readonly #client: AlertClient;
  readonly #receiver: BadReceiver;
  readonly #storm: Storm;
  readonly #ledger = new Ledger();
  readonly #failed = new AbortController();
  readonly #acknowledged = new Set<string>();
  #steps = 0;

  constructor(round: AlertRound, server: ServerProcess, secret: string, receiver: BadReceiver) {
    this.#round = round;
    this.#server = server;
    this.#tenant = new TenantClient(server.url, secret, round.tenant);
    this.#client = new AlertClient(this.#tenant, secret);
    this.#receiver = receiver;
    this.#storm = new Storm(server, this.#tenant, round.seed, round.rates);
  }

  async play(signal?: AbortSignal): Promise<AlertRoundResult> {
    signal?.addEventListener("abort", () => this.#failed.abort(signal.reason));
    const { seed, streams } = this.#round;
    await this.#prepare();
    await this.#storm.begin();
    this.#misbehave(true);
    const world = this.#world();
    const playing = Promise.all(streams.map((stream) => playStream(stream, world)));
    const isOver = endOf(playing);
    const parts = [
      playing,
      this.#killAll(isOver),
      this.#tick(isOver),
      this.#evict(isOver),
      this.#operate(isOver),
    ];
    try {
      await Promise.all(parts);
    } finally {
      this.#failed.abort();
      await Promise.allSettled(parts);
    }
    await sleep(STORM_AFTER_MS);
    await this.#release();
    await sleep(STORM_AFTER_MS);
    await this.#storm.end();
    this.#misbehave(false);
    await this.#settle();
    await this.#deliverLate();
    await this.#settle();
    const found = await this.#compare();
    await this.#storm.end();
    return { seed, ...found, faults: this.#storm.faults };
  }

  /** Before anything breaks the rules are known to every device. */
  async #prepare(): Promise<void> {
    for (const [id, zones] of Object.entries(CHANNELS)) {
      const target = { type: "webhook", url: this.#receiver.urlOf(`/${id}`) } as const;
      await this.#client.addChannel({
        id,
        target,
        route: zones === undefined ? {} : { zones },
        perHourMax: null,
      });
    }
    for (const rule of RULES) await this.#client.addRule(rule);
    for (const [device, zone] of Object.entries(this.#round.zones))
      await this.#client.place(device, { zone });
  }

  #misbehave(isBad: boolean): void {
    const { seed, receivers } = this.#round;
    for (const [channel, rates] of Object.entries(receivers))
      this.#receiver.misbehave(`/${channel}`, seed, isBad ? rates : {}, (fault) => this.#storm.note(fault));
  }

  #world(): World {
    const { tenant, streams } = this.#round;
    const holders = new Map(streams.map((stream) => [stream, speakerOf(stream)]));
    return {
      url: this.#server.url,
      ledger: this.#ledger,
      signal: AbortSignal.any([AbortSignal.timeout(ROUND_MS_MAX), this.#failed.signal]),
      credentials: new Credentials(this.#tenant),
      holderOf: (stream) => holders.get(stream)!,
      note: (fault) => this.#storm.note(fault),
      stepped: () => {
        this.#steps += 1;
      },
      evict: async (device, webSockets) => {
        const done = await this.#server.order({ do: "evict", object: `${tenant}/${device}`, webSockets });
        if (done) this.#storm.note(webSockets === "close" ? "forced eviction" : "forced hibernation");
      },
      delete: () => Promise.reject(new Error("no round of alerts deletes a device")),
    };
  }

  async #killAll(isOver: () => boolean): Promise<void> {
    const all = this.#round.streams.reduce((sum, { steps }) => sum + steps.length, 0);
    const share = () => this.#steps / all;
    const killed = () => this.#ledger.endDoubts();
    await this.#storm.killAll(this.#round.kills, share, isOver, this.#failed.signal, killed);
  }

  async #tick(isOver: () => boolean): Promise<void> {
    for (; this.#round.cronTicks && !isOver(); await sleep(TICK_PAUSE_MS)) {
      await this.#server.order({ do: "tick" }, SETTLE_MS_MAX);
      await this.#expireLeases().catch(() => undefined);
    }
  }

  /** Zones and channels are put out of memory, whatever they are at. */
  async #evict(isOver: () => boolean): Promise<void> {
    const { seed, tenant, evictionsPerSecond, zones } = this.#round;
    if (evictionsPerSecond === 0) return;
    const random = new Random(seed, "evictions");
    const places = [...new Set(Object.values(zones))];
    while (!isOver()) {
      await sleep((2_000 / evictionsPerSecond) * random.next());
      const isZone = random.hits(0.5);
      const kind = isZone ? "ZoneObject" : "ChannelObject";
      const object = `${tenant}/${random.pick(isZone ? places : Object.keys(CHANNELS))}`;
      const done = await this.#server.order({ do: "evict", kind, object, webSockets: "close" });
      if (done) this.#storm.note(isZone ? "forced eviction of a zone" : "forced eviction of a channel");
    }
  }

  /** Somebody acknowledges what he sees, once; whether it was done he knows when it is answered. */
  async #operate(isOver: () => boolean): Promise<void> {
    const ada = { role: "operator", name: "ada" } as const;
    const asked = new Set<string>();
    for (; !isOver(); await sleep(OPERATOR_PAUSE_MS)) {
      const { alerts } = await this.#client.alerts("state=active").catch(() => ({ alerts: [] }));
      const alert = alerts.find(({ id, state }) => state === "firing" && !asked.has(id));
      if (alert === undefined) continue;
      asked.add(alert.id);
      const answer = await this.#client.as(ada, "POST", `/v1/alerts/${alert.id}/ack`).catch(() => undefined);
      if (answer?.status === 200) this.#acknowledged.add(alert.id);
    }
  }

  /** Until every alert is over in D1 and no channel has a message left: for the compare it has to stay so. */
  async #settle(): Promise<void> {
    await this.#expireLeases();
    const deadline = Date.now() + SETTLE_MS_MAX;
    for (let quiet = 0; quiet < 3; quiet = (await this.#isQuiet()) ? quiet + 1 : 0) {
      if (Date.now() > deadline) return; // the compare says what is missing
      await sleep(SETTLE_PAUSE_MS);
      // A device that could not tell its zone does so with its next commit.
      await Promise.all(Object.keys(this.#round.zones).map((device) => this.#tenant.seal(device)));
    }
  }

  async #isQuiet(): Promise<boolean> {
    const { alerts } = await this.#client.alerts("limit=1000");
    const isOver = alerts.every(({ state }) => state === "resolved");
    const incidents = await this.#client.incidents();
    if (!isOver || alerts.length < this.#round.episodes.length) return false;
    if (incidents.some(({ state }) => state !== "resolved")) return false;
    for (const channel of Object.keys(CHANNELS)) {
      const { counts } = await this.#client.deliveries(channel);
      if ((counts.waiting ?? 0) > 0) return false;
      const told = new Set(
        this.#receiver
          .taken(`/${channel}`)
          .filter(({ kind }) => kind === "resolve")
          .map(({ body }) => body.incident.id),
      );
      const zones = CHANNELS[channel];
      if (incidents.some(({ id, zone }) => (zones?.includes(zone) ?? true) && !told.has(id))) return false;
    }
    return true;
  }

  async #release(): Promise<number> {
    const { body } = await this.#tenant.ask("/local/fault/release", { method: "POST" });
    return (body as { consumedAt: number }).consumedAt;
  }

  /** Messages held back all the while come now, when everything newer is done with. */
  async #deliverLate(): Promise<void> {
    const consumedAt = await this.#release();
    const consumed = async () => (await this.#tenant.ask("/local/fault/consumed")).body as number;
    for (const deadline = Date.now() + SETTLE_MS_MAX; (await consumed()) < consumedAt; await sleep(50)) {
      if (Date.now() > deadline) throw new Error("the messages held back never came");
    }
  }

  async #compare(): Promise<AlertDifference> {
    return await compareAlerts(
      this.#client,
      this.#round,
      this.#acknowledged,
      (channel) => this.#receiver.sent(`/${channel}`),
      (channel) => this.#receiver.taken(`/${channel}`),
    );
  }

  /** Whoever holds a chore of the cron died at it. */
  async #expireLeases(): Promise<void> {
    await this.#tenant.ask("/local/fault/expire", { method: "POST" });
  }
}
