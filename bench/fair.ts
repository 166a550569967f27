// npm run bench:fair: one device at 100 times its limit and one tenant at 10 times its quota, and what another tenant sees of it.
//   node bench/fair.ts [--quick] [--json FILE]
import { writeFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { signToken } from "../core/token/sign.ts";
import { runCommand } from "../scripts/command/run-command.ts";
import { TenantClient } from "../test/flow/tenant-client.ts";
import { WebhookReceiver } from "../test/flow/webhook-receiver.ts";
import { CALM, Calm, type Latencies, WHATS, type What } from "./fair/calm.ts";
import { Noise, type NoiseHeard, type Stream } from "./fair/noise.ts";
import { cpuMs } from "./run/cpu.ts";
import { thisMachine } from "./run/machine.ts";
import { median, quantile } from "./run/rounds.ts";
import { count, milliseconds, ratio, type Section, showSection } from "./run/section.ts";
import { startTelltale } from "./run/telltale.ts";

const USAGE = `usage: npm run -s bench:fair -- [--quick] [--json FILE]
  --quick      two minutes instead of seven: figures are rough
  --json FILE  writes the figures too`;

/** A device that may send 5 reports a second and sends 500. */
const MAD = { reportsPerSecondPerDevice: 5, burstPerDevice: 10, sentPerSecond: 500 };
/** A tenant that may send 100 readings a second and sends 1,000, ten a request, by 20 devices. */
const GREEDY = { readingsPerSecond: 100, requestsPerSecond: 100, readings: 10, devices: 20 };

const EFFORT = { rounds: 5, phaseMs: 15_000 };
const QUICK_EFFORT = { rounds: 2, phaseMs: 6_000 };
const REST_MS = 2_000;

/**
 * Quiet: nobody else sends. Floor: the same requests without a token, which are refused before anything is looked at: what
 * this machine makes of so many requests that cost next to nothing.
 */
const PHASES = ["quiet", "floor", "limits", "no limits"] as const;
type Phase = (typeof PHASES)[number];

/** What one phase of one round showed. */
interface Seen {
  latencies: Latencies;
  heard: NoiseHeard | undefined;
  /** The share of a core that workerd took; undefined where the kernel does not say. */
  workerd: number | undefined;
  /** The share of the time in which the event loop of who measures did something. */
  measuring: number;
}

export async function benchFair(quick: boolean): Promise<Section[]> {
  const { rounds, phaseMs } = quick ? QUICK_EFFORT : EFFORT;
  const receiver = await new WebhookReceiver().listen();
  const { run, pids, stop } = await startTelltale({ isDirect: true });
  const noises = new Set<Noise>();
  try {
    const calm = await Calm.begin(run, receiver, (rounds + 1) * PHASES.length * alertsIn(phaseMs));
    const { limit, streams } = await others(run.url, run.secret);
    const play = async (phase: Phase): Promise<Seen> => {
      await limit(phase !== "no limits");
      const noise = phase === "quiet" ? undefined : new Noise(run.url, streams(phase !== "floor"));
      if (noise !== undefined) noises.add(noise);
      await sleep(REST_MS); // what may come at once after a rest has come
      const [cpu, loop, at] = [cpuMs(pids), performance.eventLoopUtilization(), performance.now()];
      const latencies = await calm.play(phaseMs);
      const took = cpuMs(pids);
      const workerd =
        cpu === undefined || took === undefined ? undefined : (took - cpu) / (performance.now() - at);
      const measuring = performance.eventLoopUtilization(loop).utilization;
      const heard = await noise?.stop();
      await sleep(REST_MS);
      return { latencies, heard, workerd, measuring };
    };
    for (const phase of PHASES) await play(phase); // warms up
    const seen = Object.fromEntries(PHASES.map((phase) => [phase, []])) as unknown as Record<Phase, Seen[]>;
    for (let round = 0; round < rounds; round++)
      for (const phase of round % 2 === 0 ? PHASES : PHASES.toReversed()) seen[phase].push(await play(phase));
    return [sectionOf(seen)];
  } finally {
    for (const noise of noises) noise.kill();
    await stop();
    await receiver.close();
  }
}

const alertsIn = (ms: number) => Math.ceil((CALM.alertsPerSecond * ms) / 1_000);

/** The mad device and the greedy tenant, each known: how their limits are set or taken away, and what they send. */
async function others(url: string, secret: string) {
  const [mad, greedy] = ["mad", "greedy"].map((tenant) => new TenantClient(url, secret, tenant));
  const devices = Array.from({ length: GREEDY.devices }, (_, i) => `greedy-${i}`);
  const subject = { ttlSeconds: 86_400 };
  const own = { ...subject, tenant: "mad", role: "device", device: "mad-1" } as const;
  const tokens = {
    mad: await signToken(own, secret, Date.now()),
    greedy: await signToken({ ...subject, tenant: "greedy", role: "gateway" }, secret, Date.now()),
  };
  const put = async (client: TenantClient, limits: object): Promise<void> => {
    const body = JSON.stringify({ limits });
    const answer = await client.ask("/v1/tenant", {
      method: "PUT",
      token: await client.token("admin"),
      body,
    });
    if (answer.status !== 200) throw new Error(`PUT /v1/tenant: ${JSON.stringify(answer.body)}`);
  };
  /** The devices have heard of it when it resolves. */
  const limit = async (isOn: boolean): Promise<void> => {
    const { reportsPerSecondPerDevice, burstPerDevice } = MAD;
    await put(
      mad!,
      isOn ? { reportsPerSecondPerDevice, burstPerDevice } : { reportsPerSecondPerDevice: null },
    );
    const readingsPerSecond = isOn ? GREEDY.readingsPerSecond : null;
    await put(greedy!, { reportsPerSecondPerDevice: null, readingsPerSecond });
  };
  const streams = (hasTokens: boolean): Stream[] => [
    { perSecond: MAD.sentPerSecond, token: hasTokens ? tokens.mad : null, devices: [], metrics: 1 },
    {
      perSecond: GREEDY.requestsPerSecond,
      token: hasTokens ? tokens.greedy : null,
      devices,
      metrics: GREEDY.readings,
    },
  ];
  await limit(false);
  return { limit, streams };
}

const NAMES: Record<What, string> = {
  ack: "a report → its answer",
  latest: "GET latest",
  alert: "a reading sent → the webhook received",
};

const percent = (share: number | undefined) => (share === undefined ? "?" : `${Math.round(100 * share)} %`);

function sectionOf(seen: Record<Phase, Seen[]>): Section {
  const all = (phase: Phase, what: What) => seen[phase].flatMap(({ latencies }) => latencies[what]);
  const at = (phase: Phase, what: What, q: number) => quantile(all(phase, what), q)!;
  const times = (phase: Phase, what: What) => at(phase, what, 0.99) / at("quiet", what, 0.99);
  const busy = (phase: Phase) => ({
    workerd: median(seen[phase].flatMap(({ workerd }) => workerd ?? [])),
    measuring: median(seen[phase].map(({ measuring }) => measuring)),
    sending: median(seen[phase].flatMap(({ heard }) => heard?.busy ?? [])),
    sentPerSecond: median(seen[phase].flatMap(({ heard }) => heard?.perSecond ?? [])),
  });
  const answers = (phase: Phase) => {
    const statuses: Record<string, number> = {};
    for (const { heard } of seen[phase])
      for (const [status, n] of Object.entries(heard?.statuses ?? {}))
        statuses[status] = (statuses[status] ?? 0) + n;
    return statuses;
  };
  const loud = PHASES.slice(1);
  return {
    title: "Fair: what one tenant sees of another's mad device and of a greedy tenant",
    notes: [
      `calm: ${CALM.reportsPerSecond} reports, ${CALM.questionsPerSecond} questions and ${CALM.alertsPerSecond} alerts a second.`,
      `mad: one device that may send ${MAD.reportsPerSecondPerDevice} reports a second sends ${MAD.sentPerSecond}; greedy: a tenant that may send ${GREEDY.readingsPerSecond} readings a second sends ${GREEDY.requestsPerSecond * GREEDY.readings}.`,
      "floor: the same requests without a token, refused unread: what this machine makes of so many that cost next to nothing.",
      ...PHASES.map((phase) => {
        const { workerd, measuring, sending, sentPerSecond } = busy(phase);
        const said = Object.entries(answers(phase)).map(([status, n]) => `${count(n)} × ${status}`);
        const each = ((workerd ?? Number.NaN) - (busy("quiet").workerd ?? 0)) / (sentPerSecond ?? 0);
        const sender =
          sending === undefined
            ? ""
            : `, who sends ${percent(sending)}: ${count(sentPerSecond!)} a second, each ${count(each * 1e6)} µs of workerd; ${said.join(", ")}`;
        return `${phase}: workerd busy ${percent(workerd)} of a core, who measures ${percent(measuring)}${sender}.`;
      }),
      "Asked is the Worker itself, past Miniflare's entry, which no deployment has and which costs more than a refusal.",
      "All of them share this machine's cores. Ratios are of the p99 to the quiet p99.",
    ],
    head: [
      "",
      "each",
      ...PHASES.flatMap((phase) => [`${phase} p50 ms`, "p99"]),
      ...loud.map((phase) => `${phase} : quiet`),
    ],
    rows: WHATS.map((what) => [
      NAMES[what],
      count(all("quiet", what).length),
      ...PHASES.flatMap((phase) => [0.5, 0.99].map((q) => milliseconds(at(phase, what, q)))),
      ...loud.map((phase) => ratio(times(phase, what))),
    ]),
    goals: WHATS.map((what) => ({
      what: `${NAMES[what]}: p99 beside the load, of the quiet p99`,
      atMost: 1.5,
      measured: times("limits", what),
    })),
    figures: Object.fromEntries(
      PHASES.map((phase) => [
        phase,
        {
          ...Object.fromEntries(
            WHATS.map((what) => [what, { p50Ms: at(phase, what, 0.5), p99Ms: at(phase, what, 0.99) }]),
          ),
          busy: busy(phase),
          answers: answers(phase),
        },
      ]),
    ),
  };
}

const OPTIONS = {
  quick: { type: "boolean", default: false },
  json: { type: "string" },
  help: { type: "boolean", short: "h", default: false },
} as const;

async function main(): Promise<number> {
  const { values } = parseArgs({ options: OPTIONS });
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  const startedAt = new Date().toISOString();
  const results = await benchFair(values.quick);
  for (const section of results) console.log(`\n${showSection(section)}`);
  if (values.json !== undefined) {
    const figures = { startedAt, quick: values.quick, machine: thisMachine(), results };
    await writeFile(values.json, `${JSON.stringify(figures, null, 2)}\n`);
  }
  return 0;
}

if (import.meta.main) runCommand(USAGE, main);
