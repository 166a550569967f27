// npm run bench:fair: one device at 100 times its limit and one tenant at 10 times its quota, and what another tenant sees of it.
//   node bench/fair.ts [--quick]
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { signToken } from "../core/token/sign.ts";
import { runCommand } from "../scripts/command/run-command.ts";
import { AlertClient } from "../test/flow/alert-client.ts";
import { TenantClient } from "../test/flow/tenant-client.ts";
import { WebhookReceiver } from "../test/flow/webhook-receiver.ts";
import { quantile } from "./run/rounds.ts";
import { count, milliseconds, ratio, type Section, showSection } from "./run/section.ts";
import { startTelltale } from "./run/telltale.ts";

const USAGE = `usage: npm run -s bench:fair -- [--quick]
  --quick  a minute and a half instead of five: figures are rough`;

/** The tenant that is measured: devices that report, people who ask, alerts that are told. */
const CALM = { reportsPerSecond: 20, questionsPerSecond: 10, alertsPerSecond: 2, devices: 20, alarming: 100 };
/** A device that may send 5 reports a second and sends 500. */
const MAD = { reportsPerSecondPerDevice: 5, burstPerDevice: 10, sentPerSecond: 500 };
/** A tenant that may send 100 readings a second and sends 1,000, ten a request, by 20 devices. */
const GREEDY = { readingsPerSecond: 100, requestsPerSecond: 100, readings: 10, devices: 20 };

const EFFORT = { rounds: 5, phaseMs: 15_000 };
const QUICK_EFFORT = { rounds: 2, phaseMs: 6_000 };
const REST_MS = 2_000;
const WEBHOOK_MS_MAX = 20_000;

type Phase = "quiet" | "limited" | "unlimited";
const PHASES: readonly Phase[] = ["quiet", "limited", "unlimited"];
type What = "ack" | "latest" | "alert";
const WHATS: readonly What[] = ["ack", "latest", "alert"];

type Latencies = Record<What, number[]>;
const none = (): Latencies => ({ ack: [], latest: [], alert: [] });

/** What came of a load's requests, by status. */
type Statuses = Record<number, number>;

export async function benchFair(quick: boolean): Promise<Section[]> {
  const { rounds, phaseMs } = quick ? QUICK_EFFORT : EFFORT;
  const receiver = await new WebhookReceiver().listen();
  const { run, stop } = await startTelltale();
  try {
    const calm = await Calm.begin(run.url, run.secret, receiver);
    const load = await Load.begin(run.url, run.secret);
    await calm.play(REST_MS); // warms up
    const measured: Record<Phase, Latencies> = { quiet: none(), limited: none(), unlimited: none() };
    const statuses: Record<Phase, Statuses> = { quiet: {}, limited: {}, unlimited: {} };
    for (let round = 0; round < rounds; round++) {
      for (const phase of round % 2 === 0 ? PHASES : PHASES.toReversed()) {
        await load.limit(phase !== "unlimited");
        const stopping = new AbortController();
        const loading = phase === "quiet" ? undefined : load.play(stopping.signal, statuses[phase]);
        if (loading !== undefined) await sleep(REST_MS); // what may come at once has come
        const seen = await calm.play(phaseMs);
        stopping.abort();
        await loading;
        for (const what of WHATS) measured[phase][what].push(...seen[what]);
        await sleep(REST_MS);
      }
    }
    return [sectionOf(measured, statuses)];
  } finally {
    await stop();
    await receiver.close();
  }
}

/** Calls `act` so many times a second until the time is over or it is told to stop; all that began is waited for. */
async function paced(
  perSecond: number,
  { forMs = Number.POSITIVE_INFINITY, signal }: { forMs?: number; signal?: AbortSignal },
  act: (nth: number) => Promise<void>,
): Promise<void> {
  const startedAt = performance.now();
  const begun: Promise<void>[] = [];
  for (let nth = 0; signal?.aborted !== true && (nth * 1_000) / perSecond < forMs; nth++) {
    const waitMs = startedAt + (nth * 1_000) / perSecond - performance.now();
    if (waitMs > 0) await sleep(waitMs);
    begun.push(act(nth));
  }
  await Promise.all(begun);
}

class Calm {
  readonly #url: string;
  readonly #gateway: string;
  readonly #viewer: string;
  readonly #receiver: WebhookReceiver;
  #alarms = 0;

  private constructor(url: string, gateway: string, viewer: string, receiver: WebhookReceiver) {
    this.#url = url;
    this.#gateway = gateway;
    this.#viewer = viewer;
    this.#receiver = receiver;
  }

  static async begin(url: string, secret: string, receiver: WebhookReceiver): Promise<Calm> {
    const client = new AlertClient(new TenantClient(url, secret, "calm"), secret);
    const target = { type: "webhook", url: receiver.urlOf("/ops") } as const;
    await client.addChannel({ id: "ops", target, perHourMax: null });
    const condition = { type: "threshold", metric: "level", above: 80, clear: 75 } as const;
    await client.addRule({ id: "level", severity: "critical", condition, groupWithinMs: 0 });
    const calm = new Calm(
      url,
      await tokenOf(secret, "calm", "gateway"),
      await tokenOf(secret, "calm", "viewer"),
      receiver,
    );
    for (let i = 0; i < CALM.devices; i++) await calm.#report(`calm-${i}`, 10);
    for (let i = 0; i < CALM.alarming; i++) await calm.#report(`alarm-${i}`, 10);
    await sleep(REST_MS);
    return calm;
  }

  async play(forMs: number): Promise<Latencies> {
    const seen = none();
    await Promise.all([
      paced(CALM.reportsPerSecond, { forMs }, async (nth) => {
        seen.ack.push(await timed(() => this.#report(`calm-${nth % CALM.devices}`, 10)));
      }),
      paced(CALM.questionsPerSecond, { forMs }, async (nth) => {
        seen.latest.push(await timed(() => this.#latest(`calm-${nth % CALM.devices}`)));
      }),
      paced(CALM.alertsPerSecond, { forMs }, async () => {
        const device = `alarm-${this.#alarms++ % CALM.alarming}`;
        const from = this.#receiver.webhooks.length;
        const sentAt = Date.now();
        await this.#report(device, 90);
        seen.alert.push((await this.#told(device, from)) - sentAt);
        await this.#report(device, 10);
      }),
    ]);
    return seen;
  }

  async #report(device: string, level: number): Promise<void> {
    const body = JSON.stringify({ device, at: Date.now(), metrics: { level } });
    const { status, text } = await post(this.#url, this.#gateway, body);
    if (status !== 200) throw new Error(`the calm tenant's report was not taken: ${status} ${text}`);
  }

  async #latest(device: string): Promise<void> {
    const headers = { authorization: `Bearer ${this.#viewer}` };
    const response = await fetch(`${this.#url}/v1/devices/${device}/latest`, { headers });
    await response.text();
    if (response.status !== 200) throw new Error(`latest was answered ${response.status}`);
  }

  /** When the webhook came, by the wall clock. */
  async #told(device: string, from: number): Promise<number> {
    for (const deadline = Date.now() + WEBHOOK_MS_MAX; Date.now() < deadline; await sleep(5)) {
      const found = this.#receiver.webhooks
        .slice(from)
        .find(({ kind, body }) => kind === "fire" && body.alerts.some((alert) => alert.device === device));
      if (found !== undefined) return found.at;
    }
    throw new Error(`no webhook of ${device} came in ${WEBHOOK_MS_MAX / 1_000} s`);
  }
}

class Load {
  readonly #url: string;
  readonly #clients: { mad: TenantClient; greedy: TenantClient };
  readonly #tokens: { mad: string; greedy: string };
  #at = Date.now();

  private constructor(
    url: string,
    clients: { mad: TenantClient; greedy: TenantClient },
    tokens: { mad: string; greedy: string },
  ) {
    this.#url = url;
    this.#clients = clients;
    this.#tokens = tokens;
  }

  static async begin(url: string, secret: string): Promise<Load> {
    const mad = new TenantClient(url, secret, "mad");
    const greedy = new TenantClient(url, secret, "greedy");
    const tokens = {
      mad: await tokenOf(secret, "mad", "device", "mad-1"),
      greedy: await tokenOf(secret, "greedy", "gateway"),
    };
    const load = new Load(url, { mad, greedy }, tokens);
    await load.limit(false);
    await Promise.all(Array.from({ length: GREEDY.devices }, (_, i) => load.#greedy(i)));
    await load.#mad();
    await sleep(REST_MS);
    return load;
  }

  /** Sets the limits, or takes them away; the devices have heard of it when it resolves. */
  async limit(isOn: boolean): Promise<void> {
    const { reportsPerSecondPerDevice, burstPerDevice } = MAD;
    const off = { reportsPerSecondPerDevice: null, readingsPerSecond: null };
    await this.#put(this.#clients.mad, isOn ? { reportsPerSecondPerDevice, burstPerDevice } : off);
    await this.#put(this.#clients.greedy, {
      reportsPerSecondPerDevice: null,
      readingsPerSecond: isOn ? GREEDY.readingsPerSecond : null,
    });
  }

  async #put(client: TenantClient, limits: object): Promise<void> {
    const body = JSON.stringify({ limits });
    const answer = await client.ask("/v1/tenant", {
      method: "PUT",
      token: await client.token("admin"),
      body,
    });
    if (answer.status !== 200) throw new Error(`PUT /v1/tenant: ${JSON.stringify(answer.body)}`);
  }

  async play(signal: AbortSignal, statuses: Statuses): Promise<void> {
    const note = (status: number) => {
      statuses[status] = (statuses[status] ?? 0) + 1;
    };
    await Promise.all([
      paced(MAD.sentPerSecond, { signal }, async () => note(await this.#mad())),
      paced(GREEDY.requestsPerSecond, { signal }, async (nth) => note(await this.#greedy(nth))),
    ]);
  }

  async #mad(): Promise<number> {
    const body = JSON.stringify({ at: ++this.#at, metrics: { level: 1 } });
    return (await post(this.#url, this.#tokens.mad, body)).status;
  }

  async #greedy(nth: number): Promise<number> {
    const metrics = Object.fromEntries(Array.from({ length: GREEDY.readings }, (_, i) => [`m${i}`, nth]));
    const body = JSON.stringify({ device: `greedy-${nth % GREEDY.devices}`, at: ++this.#at, metrics });
    return (await post(this.#url, this.#tokens.greedy, body)).status;
  }
}

const tokenOf = (secret: string, tenant: string, role: "device" | "gateway" | "viewer", device?: string) =>
  signToken(
    { tenant, role, ttlSeconds: 86_400, ...(device === undefined ? {} : { device }) },
    secret,
    Date.now(),
  );

async function post(url: string, token: string, body: string): Promise<{ status: number; text: string }> {
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  const response = await fetch(`${url}/v1/telemetry`, { method: "POST", headers, body });
  return { status: response.status, text: await response.text() };
}

async function timed(act: () => Promise<void>): Promise<number> {
  const startedAt = performance.now();
  await act();
  return performance.now() - startedAt;
}

const NAMES: Record<What, string> = {
  ack: "a report → its answer",
  latest: "GET latest",
  alert: "a reading sent → the webhook received",
};

function sectionOf(measured: Record<Phase, Latencies>, statuses: Record<Phase, Statuses>): Section {
  const p99 = (phase: Phase, what: What) => quantile(measured[phase][what], 0.99)!;
  const rows = WHATS.map((what) => [
    NAMES[what],
    count(measured.quiet[what].length),
    ...PHASES.flatMap((phase) => [0.5, 0.99].map((q) => milliseconds(quantile(measured[phase][what], q)))),
    ratio(p99("limited", what) / p99("quiet", what)),
    ratio(p99("unlimited", what) / p99("quiet", what)),
  ]);
  const said = (phase: Phase) =>
    Object.entries(statuses[phase])
      .map(([status, times]) => `${count(times)} × ${status}`)
      .join(", ");
  return {
    title: "Fair: what one tenant sees of another's mad device and of a greedy tenant",
    notes: [
      `calm: ${CALM.reportsPerSecond} reports, ${CALM.questionsPerSecond} questions and ${CALM.alertsPerSecond} alerts a second.`,
      `mad: one device that may send ${MAD.reportsPerSecondPerDevice} reports a second sends ${MAD.sentPerSecond}; greedy: a tenant that may send ${GREEDY.readingsPerSecond} readings a second sends ${GREEDY.requestsPerSecond * GREEDY.readings}.`,
      `answers with limits: ${said("limited")}; without: ${said("unlimited")}.`,
      "All of them, the load and the receiver share this machine's cores: what the load costs to send is in every figure.",
    ],
    head: [
      "",
      "each",
      "quiet p50 ms",
      "p99",
      "limits p50 ms",
      "p99",
      "no limits p50 ms",
      "p99",
      "limits : quiet p99",
      "no limits : quiet p99",
    ],
    rows,
    goals: WHATS.map((what) => ({
      what: `${NAMES[what]}: p99 beside the load, of the quiet p99`,
      atMost: 1.5,
      measured: p99("limited", what) / p99("quiet", what),
    })),
    figures: Object.fromEntries(
      PHASES.map((phase) => [
        phase,
        Object.fromEntries(
          WHATS.map((what) => [
            what,
            { p50Ms: quantile(measured[phase][what], 0.5), p99Ms: p99(phase, what) },
          ]),
        ),
      ]),
    ),
  };
}

const OPTIONS = {
  quick: { type: "boolean", default: false },
  help: { type: "boolean", short: "h", default: false },
} as const;

async function main(): Promise<number> {
  const { values } = parseArgs({ options: OPTIONS });
  if (values.help) console.log(USAGE);
  else for (const section of await benchFair(values.quick)) console.log(`\n${showSection(section)}`);
  return 0;
}

if (import.meta.main) runCommand(USAGE, main);
