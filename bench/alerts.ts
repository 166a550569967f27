// npm run bench:alerts: from a reading accepted to the webhook received, with a thousand devices reporting all the while.
//   node bench/alerts.ts [--quick] [--json]
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { signToken } from "../core/token/sign.ts";
import type { RuleBody } from "../schemas/alert.ts";
import { runCommand } from "../scripts/command/run-command.ts";
import { AlertClient } from "../test/flow/alert-client.ts";
import { TenantClient } from "../test/flow/tenant-client.ts";
import { type Webhook, WebhookReceiver } from "../test/flow/webhook-receiver.ts";
import { cpuMs } from "./run/cpu.ts";
import { METRICS } from "./run/reports.ts";
import { median, quantile } from "./run/rounds.ts";
import { count, milliseconds, type Section, showSection } from "./run/section.ts";
import { post, type SteadyFigures, SteadyFleet } from "./run/steady-load.ts";
import { type BenchRun, startTelltale, TENANT } from "./run/telltale.ts";

const USAGE = `usage: npm run -s bench:alerts -- [--quick] [--json]
  --quick  less than two minutes instead of four: figures are rough
  --json   prints nothing but the figures, as JSON`;

const DEVICES = 1_000;
/** So the devices of a zone are the group that fails together. */
const ZONES = 50;
const REPORT_EVERY_MS = 10_000;
const BATCH = 10;
/** Alerts that are each told by itself: one after another, so many a second. */
const ALONE_PER_SECOND = 10;
const GROUPS_PER_ROUND = 5;
const GROUP_EVERY_MS = 1_000;
/** A group's update goes 10 s after the last has joined (SPEC A24). */
const UPDATED_AFTER_MS = 12_000;
const WEBHOOK_MS_MAX = 60_000;

const EFFORT = { rounds: 5, alone: 100 };
const QUICK_EFFORT = { rounds: 2, alone: 50 };

/** One rule for each case, on a metric of its own. A device of a round fires in no other: the fifth time it would be flapping. */
const RULES: Record<"alone" | "together", Partial<RuleBody> & { groupWithinMs: number }> = {
  alone: { groupWithinMs: 0 },
  together: { groupWithinMs: 60_000 },
};
type Case = keyof typeof RULES;

/** One reading that breaches, and the message that tells of it. */
interface Latency {
  sinceSentMs: number;
  sinceAcceptedMs: number;
}

interface Round {
  latencies: Latency[];
  alerts: number;
  /** By their kind. */
  messages: Record<string, number>;
}

interface Spread {
  p50Ms: number;
  p99Ms: number;
  maxMs: number;
  /** The median of the rounds' own. */
  medianP99Ms: number;
}

interface CaseFigures {
  case: Case;
  alerts: number;
  told: number;
  sinceAccepted: Spread;
  sinceSent: Spread;
  messages: Record<string, number>;
  messagesPer100Alerts: number;
}

interface Figures {
  devices: number;
  load: SteadyFigures;
  /** Of all of workerd, in cores; undefined where nothing tells. */
  cores: number | undefined;
  cases: CaseFigures[];
}

const deviceOf = (index: number) => `device-${index}`;
const zoneOf = (index: number) => `zone-${index % ZONES}`;
const DEVICE_NAMES = Array.from({ length: DEVICES }, (_, i) => deviceOf(i));

export async function benchAlerts(quick: boolean): Promise<Section[]> {
  return [sectionOf(await measure(quick ? QUICK_EFFORT : EFFORT))];
}

async function measure({ rounds, alone }: typeof EFFORT): Promise<Figures> {
  const receiver = await new WebhookReceiver().listen();
  const telltale = await startTelltale();
  try {
    const bench = await AlertBench.begin(telltale, receiver);
    try {
      // The first round of each warms up, and is not counted.
      await bench.aloneRound(alone);
      await bench.togetherRound();
      bench.fleet.measure();
      const cpuBefore = cpuMs(telltale.pids);
      const startedAt = performance.now();
      const played: Record<Case, Round[]> = { alone: [], together: [] };
      for (let round = 0; round < rounds; round++) {
        played.alone.push(await bench.aloneRound(alone));
        played.together.push(await bench.togetherRound());
      }
      const cpuAfter = cpuMs(telltale.pids);
      const elapsedMs = performance.now() - startedAt;
      return {
        devices: DEVICES,
        load: bench.fleet.figures(),
        cores:
          cpuBefore === undefined || cpuAfter === undefined ? undefined : (cpuAfter - cpuBefore) / elapsedMs,
        cases: (Object.keys(played) as Case[]).map((name) => figuresOf(name, played[name])),
      };
    } finally {
      await bench.fleet.stop();
    }
  } finally {
    await telltale.stop();
    await receiver.close();
  }
}

class AlertBench {
  readonly fleet: SteadyFleet;
  readonly #url: string;
  readonly #token: string;
  readonly #receiver: WebhookReceiver;
  /** Devices whose rules are being tried: their other reports say nothing of that. */
  readonly #busy: Set<string>;
  #aloneFrom = 0;
  #zonesFrom = 0;

  private constructor(url: string, token: string, receiver: WebhookReceiver) {
    this.#url = url;
    this.#token = token;
    this.#receiver = receiver;
    this.#busy = new Set();
    this.fleet = new SteadyFleet({
      url,
      token,
      devices: DEVICE_NAMES,
      everyMs: REPORT_EVERY_MS,
      batch: BATCH,
      also: (device) => (this.#busy.has(device) ? "" : `,"alone":10,"together":10`),
    });
  }

  /** The fleet is registered, has its rules, and reports. */
  static async begin({ run }: BenchRun, receiver: WebhookReceiver): Promise<AlertBench> {
    const { url, secret } = run;
    const client = new AlertClient(new TenantClient(url, secret, TENANT), secret);
    await client.addChannel({
      id: "ops",
      target: { type: "webhook", url: receiver.urlOf("/ops"), secret: "the bench's" },
      perHourMax: null,
    });
    for (const [metric, rule] of Object.entries(RULES)) {
      const condition = { type: "threshold", metric, above: 80, clear: 75 } as const;
      await client.addRule({ id: metric, severity: "critical", condition, ...rule });
    }
    const registry = await run.miniflare.getD1Database("CONTROL", run.objectsWorker);
    await registry
      .prepare(
        `INSERT INTO device (tenant, device, zone, created_at)
          SELECT ?, value ->> 'device', value ->> 'zone', 0 FROM json_each(?)`,
      )
      .bind(TENANT, JSON.stringify(DEVICE_NAMES.map((device, i) => ({ device, zone: zoneOf(i) }))))
      .run();
    const subject = { tenant: TENANT, role: "gateway", ttlSeconds: 86_400 } as const;
    const token = await signToken(subject, secret, Date.now());
    // What happens once in a device's life is not what is measured: it reports, hears where it is, and asks its rules.
    for (const at of [Date.now() - 2, Date.now() - 1]) {
      for (let i = 0; i < DEVICES; i += 50) {
        const reports = DEVICE_NAMES.slice(i, i + 50).map((device) => ({
          device,
          at,
          metrics: { alone: 10 },
        }));
        await post(url, token, JSON.stringify(reports));
      }
      await sleep(2_000);
    }
    return new AlertBench(url, token, receiver);
  }

  /** Alerts that are each an incident of its own. */
  async aloneRound(alerts: number): Promise<Round> {
    const devices = Array.from({ length: alerts }, () => deviceOf(this.#aloneFrom++ % DEVICES));
    const everyMs = 1_000 / ALONE_PER_SECOND;
    return await this.#round(
      "alone",
      devices.map((device) => [device]),
      everyMs,
      0,
    );
  }

  /** The devices of some zones, a zone at a time. */
  async togetherRound(): Promise<Round> {
    const groups = Array.from({ length: GROUPS_PER_ROUND }, () => {
      const zone = this.#zonesFrom++ % ZONES;
      return DEVICE_NAMES.filter((_, i) => i % ZONES === zone);
    });
    return await this.#round("together", groups, GROUP_EVERY_MS, UPDATED_AFTER_MS);
  }

  /** Each group fires in its turn; then all are cleared. */
  async #round(metric: Case, groups: readonly string[][], everyMs: number, pauseMs: number): Promise<Round> {
    const devices = groups.flat();
    for (const device of devices) this.#busy.add(device);
    const from = this.#receiver.webhooks.length;
    const latencies = await this.#inTurn(groups, everyMs, async (group) => {
      const { sentAt, acceptedAt } = await this.#send(group, metric, 90);
      const { at } = await this.#webhook(from, "fire", metric, group);
      return { sinceSentMs: at - sentAt, sinceAcceptedMs: at - acceptedAt };
    });
    await sleep(pauseMs);
    await this.#inTurn(groups, everyMs / 4, async (group) => {
      await this.#send(group, metric, 10);
      await this.#webhook(from, "resolve", metric, group);
    });
    for (const device of devices) this.#busy.delete(device);
    const messages: Record<string, number> = {};
    for (const { kind } of this.#receiver.webhooks.slice(from)) messages[kind] = (messages[kind] ?? 0) + 1;
    return { latencies, alerts: devices.length, messages };
  }

  /** One after another begins, a little before or after its time; all are waited for. */
  async #inTurn<T>(
    groups: readonly string[][],
    everyMs: number,
    act: (group: string[]) => Promise<T>,
  ): Promise<T[]> {
    const startedAt = performance.now();
    return await Promise.all(
      groups.map(async (group, i) => {
        const aside = ((i * 0.618) % 1) * everyMs;
        await sleep(Math.max(0, startedAt + i * everyMs + aside - performance.now()));
        return await act(group);
      }),
    );
  }

  async #send(devices: readonly string[], metric: Case, value: number) {
    const at = Date.now();
    const body = JSON.stringify(devices.map((device) => ({ device, at, metrics: { [metric]: value } })));
    const sentAt = Date.now();
    await post(this.#url, this.#token, body);
    return { sentAt, acceptedAt: Date.now() };
  }

  /** The message that tells of one of these devices; there is one soon or never. */
  async #webhook(
    from: number,
    kind: Webhook["kind"],
    rule: Case,
    group: readonly string[],
  ): Promise<Webhook> {
    const isIt = ({ body }: Webhook) =>
      body.kind === kind &&
      body.incident.rule.id === rule &&
      body.alerts.some(({ device }) => group.includes(device));
    for (const deadline = Date.now() + WEBHOOK_MS_MAX; Date.now() < deadline; await sleep(20)) {
      const found = this.#receiver.webhooks.slice(from).find(isIt);
      if (found !== undefined) return found;
    }
    throw new Error(`no ${kind} of ${group[0]} came in ${WEBHOOK_MS_MAX / 1_000} s`);
  }
}

function figuresOf(name: Case, rounds: readonly Round[]): CaseFigures {
  const messages: Record<string, number> = {};
  for (const round of rounds)
    for (const [kind, times] of Object.entries(round.messages))
      messages[kind] = (messages[kind] ?? 0) + times;
  const alerts = rounds.reduce((sum, round) => sum + round.alerts, 0);
  const sent = Object.values(messages).reduce((sum, times) => sum + times, 0);
  return {
    case: name,
    alerts,
    told: rounds.reduce((sum, { latencies }) => sum + latencies.length, 0),
    sinceAccepted: spreadOf(rounds, ({ sinceAcceptedMs }) => sinceAcceptedMs),
    sinceSent: spreadOf(rounds, ({ sinceSentMs }) => sinceSentMs),
    messages,
    messagesPer100Alerts: (100 * sent) / alerts,
  };
}

function spreadOf(rounds: readonly Round[], of: (latency: Latency) => number): Spread {
  const each = rounds.map(({ latencies }) => latencies.map(of));
  const all = each.flat();
  return {
    p50Ms: quantile(all, 0.5)!,
    p99Ms: quantile(all, 0.99)!,
    maxMs: Math.max(...all),
    medianP99Ms: median(each.map((own) => quantile(own, 0.99)!))!,
  };
}

const NAMES: Record<Case, string> = {
  alone: "each alert an incident of its own",
  together: `${DEVICES / ZONES} devices of a zone at once, first message`,
};

function sectionOf(figures: Figures): Section {
  const { load, cores, cases } = figures;
  const rows = cases.map(
    ({ case: name, alerts, sinceAccepted, sinceSent, messages, messagesPer100Alerts }) => [
      NAMES[name],
      count(alerts),
      ...[sinceAccepted.p50Ms, sinceAccepted.p99Ms, sinceAccepted.maxMs].map(milliseconds),
      ...[sinceSent.p50Ms, sinceSent.p99Ms, sinceSent.maxMs].map(milliseconds),
      count(messagesPer100Alerts),
      ["fire", "update", "resolve"].map((kind) => count(messages[kind] ?? 0)).join(" + "),
    ],
  );
  return {
    title: "Alerts: a reading → the webhook",
    notes: [
      `${count(DEVICES)} devices in ${ZONES} zones report every ${REPORT_EVERY_MS / 1_000} s: ${count(load.reportsPerSecond)} reports/s of ${METRICS} metrics, answered in ${milliseconds(load.p50Ms)} ms (p50) and ${milliseconds(load.p99Ms)} ms (p99).`,
      ...(cores === undefined
        ? []
        : [
            `workerd took ${cores.toFixed(2)} cores for it all; the receiver and the fleet are this process.`,
          ]),
      "Accepted: the answer to the request that carried the reading. A webhook may come before it: then below 0.",
    ],
    head: [
      "",
      "alerts",
      "accepted p50 ms",
      "p99",
      "max",
      "sent p50 ms",
      "p99",
      "max",
      "messages per 100",
      "fire + update + resolve",
    ],
    rows,
    goals: cases.map(({ case: name, sinceAccepted }) => ({
      what: `${NAMES[name]}: reading accepted → webhook received, p99 ms`,
      atMost: 1_000,
      measured: sinceAccepted.p99Ms,
    })),
    figures,
  };
}

const OPTIONS = {
  quick: { type: "boolean", default: false },
  json: { type: "boolean", default: false },
  help: { type: "boolean", short: "h", default: false },
} as const;

async function main(): Promise<number> {
  const { values } = parseArgs({ options: OPTIONS });
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  for (const section of await benchAlerts(values.quick))
    console.log(values.json ? JSON.stringify(section.figures, null, 2) : `\n${showSection(section)}`);
  return 0;
}

if (import.meta.main) runCommand(USAGE, main);
