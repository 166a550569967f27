// Requests and readings a second at the HTTPS door (plain HTTP on 127.0.0.1), beside bare Workers and bare objects.
import { startedBy } from "./run/cpu.ts";
import { loadHttp } from "./run/http-load.ts";
import { METRICS } from "./run/reports.ts";
import { type Competitor, FULL, QUICK, ratioOf, runRounds, type Standing } from "./run/rounds.ts";
import { count, micros, milliseconds, ratio, runAlone, type Section } from "./run/section.ts";
import { serveBare } from "./run/serve.ts";
import { type BenchDevice, introduce, makeDevices, startTelltale, telemetryRequest } from "./run/telltale.ts";

const CONNECTIONS = 32;
const MANY_DEVICES = 200;

interface Case {
  name: string;
  readings: number;
  competitor: Competitor;
  /** The case it is compared with. */
  peer?: string;
}

export async function benchHttp(quick: boolean): Promise<Section[]> {
  const { started: bare, pids: barePids } = await startedBy(() => serveBare("bench/bare/http.ts"));
  const telltale = await startTelltale();
  try {
    const { secret, url } = telltale.run;
    const [one, alone, tens, hundreds] = await makeDevices(secret, "device", 4);
    const many = await makeDevices(secret, "fleet", MANY_DEVICES);
    await introduce(url, [one!, alone!, tens!, hundreds!, ...many]);

    const peer = (
      name: string,
      path: (n: number) => string,
      connections = CONNECTIONS,
      than?: string,
    ): Case => {
      let n = 0;
      const device = { ...one!, made: 0 };
      const next = () => telemetryRequest(path(n++), device, 1);
      return {
        name,
        readings: 0,
        peer: than,
        competitor: { name, pids: barePids, run: load(bare.url, connections, next) },
      };
    };
    const own = (
      name: string,
      devices: BenchDevice[],
      reports: number,
      than: string,
      connections = CONNECTIONS,
    ): Case => {
      let n = 0;
      const next = () => telemetryRequest("/v1/telemetry", devices[n++ % devices.length]!, reports);
      const competitor = { name, pids: telltale.pids, run: load(url, connections, next) };
      return { name, readings: reports * METRICS, peer: than, competitor };
    };
    const fleet = (n: number) => `fleet-${n % MANY_DEVICES}`;
    const cases = [
      peer(ANSWER, () => "/answer"),
      peer(RPC_ONE, () => "/rpc/one"),
      peer(ROW_ONE, () => "/row/one", CONNECTIONS, RPC_ONE),
      own("Telltale, one device", [one!], 1, RPC_ONE),
      own("Telltale, one device, 100 readings", [tens!], 10, RPC_ONE),
      own("Telltale, one device, 1,000 readings", [hundreds!], 100, RPC_ONE),
      peer(`bare object, nothing written, ${MANY_DEVICES}`, (n) => `/rpc/${fleet(n)}`),
      peer(ROW_MANY, (n) => `/row/${fleet(n)}`),
      own(`Telltale, ${MANY_DEVICES} devices`, many, 1, ROW_MANY),
      peer(ROW_ALONE, () => "/row/one", 1),
      own("Telltale, one device, 1 at a time", [alone!], 1, ROW_ALONE, 1),
    ];
    const standings = await runRounds(
      cases.map(({ competitor }) => competitor),
      quick ? QUICK : FULL,
    );
    return [sectionOf(cases, new Map(standings.map((standing) => [standing.name, standing])))];
  } finally {
    await telltale.stop();
    await bare.stop();
  }
}

const ANSWER = "bare Worker, 204";
const RPC_ONE = "bare object, nothing written";
const ROW_ONE = "bare object, one row";
const ROW_MANY = `bare object, one row, ${MANY_DEVICES}`;
const ROW_ALONE = "bare object, one row, 1 at a time";

const load = (url: string, connections: number, next: () => string) => async (durationMs: number) => {
  const { answers, failure, ...rest } = await loadHttp({ url, connections, durationMs, next });
  if (failure !== undefined) throw new Error(`a request failed: ${failure}`);
  return { operations: answers, ...rest };
};

function sectionOf(cases: Case[], standings: Map<string, Standing>): Section {
  const of = (name: string) => standings.get(name)!;
  const rows = cases.map(({ name, readings, peer }) => {
    const { perSecond, cpuMicroseconds, p50Ms, p99Ms } = of(name);
    const compared =
      peer === undefined
        ? ["", "", ""]
        : [peer, ratio(ratioOf(of(name), of(peer))), cpuRatio(of(name), of(peer))];
    const rate = readings === 0 ? "" : count(perSecond * readings);
    return [
      name,
      count(perSecond),
      rate,
      milliseconds(p50Ms),
      milliseconds(p99Ms),
      micros(cpuMicroseconds),
      ...compared,
    ];
  });
  const one = of("Telltale, one device");
  return {
    title: "HTTPS door: POST /v1/telemetry, answered when durable",
    notes: [
      `${CONNECTIONS} requests in flight unless said otherwise, reports of ${METRICS} metrics; medians of interleaved rounds, ratios within a round.`,
      "Bare peers get the same bytes and do not read them; a row is an upsert of 10 KB. CPU is all of workerd's, Miniflare's entry with it.",
      "Telltale's figures hold all that follows a report too: sealing, queue, Parquet and D1 run in the same process.",
    ],
    head: ["", "requests/s", "readings/s", "p50 ms", "p99 ms", "CPU µs", "beside", "rate", "CPU"],
    rows,
    goals: [
      {
        what: "one device, many at once ÷ bare object, nothing written",
        atLeast: 0.8,
        measured: ratioOf(one, of(RPC_ONE)),
      },
      {
        what: `${MANY_DEVICES} devices ÷ bare object, one row`,
        atLeast: 0.8,
        measured: ratioOf(of(`Telltale, ${MANY_DEVICES} devices`), of(ROW_MANY)),
      },
    ],
    figures: cases.map(({ readings, peer, name }) => ({ readings, peer, ...of(name) })),
  };
}

function cpuRatio(a: Standing, b: Standing): string {
  if (a.cpuMicroseconds === undefined || b.cpuMicroseconds === undefined) return "";
  return ratio(a.cpuMicroseconds / b.cpuMicroseconds);
}

if (import.meta.main) runAlone(benchHttp);
