// A few rounds of breaking everything, of fixed seeds, and what a refusing queue and a lost alarm leave behind.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bundle } from "../../scripts/bundle.ts";
import { readLocalSecret } from "../../scripts/local-secret.ts";
import { TenantClient } from "../flow/tenant-client.ts";
import { until } from "../flow/until.ts";
import { chance } from "./chance.ts";
import { addCounts, type FaultCounts, type FaultRates, OUTER_FAULTS, WORKER_FAULTS } from "./faults.ts";
import { Ledger } from "./ledger.ts";
import { planRound } from "./plan-round.ts";
import { playRound } from "./play-round.ts";
import { ENTRY, runRounds } from "./run-rounds.ts";
import { freePort, ServerProcess } from "./server-process.ts";

const HOUR_MS = 3_600_000;
const T0 = Date.UTC(2026, 4, 1);

describe("a plan", () => {
  it("[X5] of the same seed is the same to the last fault, of another it is another", () => {
    expect(planRound(7, T0)).toEqual(planRound(7, T0));
    const [one, other] = [planRound(7, T0), planRound(8, T0)];
    for (const part of ["rates", "streams", "acts"] as const) expect(one[part]).not.toEqual(other[part]);
  });

  it("[X5] whether the n-th chance of a fault strikes depends on seed, place and n alone", () => {
    const strikes = (seed: number, place: string) =>
      Array.from({ length: 1_000 }, (_, n) => chance(seed, place, n) < 0.3);
    const backwards = Array.from({ length: 1_000 }, (_, i) => chance(1, "D1", 999 - i) < 0.3).reverse();
    expect(strikes(1, "D1")).toEqual(backwards);
    expect(strikes(1, "D1")).not.toEqual(strikes(2, "D1"));
    expect(strikes(1, "D1")).not.toEqual(strikes(1, "R2"));
    expect(strikes(1, "D1").filter(Boolean).length).toBeGreaterThan(250);
    expect(strikes(1, "D1").filter(Boolean).length).toBeLessThan(350);
  });

  it("[X5] all rounds together come to every fault there is", () => {
    const rounds = Array.from({ length: 20 }, (_, seed) => planRound(seed, T0));
    for (const fault of WORKER_FAULTS) expect(rounds.some(({ rates }) => rates[fault]! > 0)).toBe(true);
    const steps = rounds.flatMap(({ streams }) => streams.flatMap((stream) => stream.steps));
    expect(new Set(rounds.flatMap(({ kills }) => kills.map(({ how }) => how))).size).toBe(3);
    expect(new Set(steps.map(({ evict }) => evict))).toEqual(new Set([undefined, "hibernate", "close"]));
    expect(steps.filter(({ cutAfter }) => cutAfter !== undefined).length).toBeGreaterThan(100);
    expect(steps.filter(({ givesUp }) => givesUp).length).toBeGreaterThan(50);
    const acts = rounds.flatMap((round) => round.acts);
    expect(new Set(acts.map(({ does }) => does)).size).toBe(4);
    const limits = acts.flatMap((act) => ("limits" in act ? Object.keys(act.limits)[0] : []));
    expect(new Set(limits)).toEqual(new Set(["reportsPerSecondPerDevice", "readingsPerSecond", "devices"]));
    const rotations = rounds.map(({ kills }) => kills.flatMap(({ rotation }) => rotation ?? []).join());
    expect(new Set(rotations)).toEqual(new Set(["", "begins,ends"]));
  });
});

describe("the ledger", () => {
  const report = (value: number) => ({ device: "d", at: T0, metrics: { a: value } });

  it("[X1] expects the last value sent of a reading, and each reading once", () => {
    const ledger = new Ledger();
    for (const value of [1, 2, 2]) ledger.acknowledge([ledger.take(report(value))], T0);
    expect(ledger.readings("d", "a")).toEqual([[T0, 2]]);
    expect([ledger.acknowledged, ledger.distinct]).toEqual([3, 1]);
    expect(ledger.hours("d", "a")).toEqual(new Map([[T0, { count: 1, sum: 2, min: 2, max: 2 }]]));
  });

  it("[X9] expects nothing of a report that is given up, and of a device that was never taken", () => {
    const ledger = new Ledger();
    ledger.giveUp(ledger.take(report(1)));
    expect([ledger.devices, ledger.distinct, ledger.isForbidden("d", "a", T0)]).toEqual([[], 0, true]);
    ledger.take(report(1));
    expect([ledger.devices, ledger.distinct, ledger.isForbidden("d", "a", T0)]).toEqual([["d"], 1, false]);
  });

  it("[X1] corrects no reading that may still be on its way with its old value, until the runtime is dead", () => {
    const ledger = new Ledger();
    const first = ledger.take(report(1));
    ledger.doubt([first]);
    expect(ledger.take(report(2))).toEqual(report(1));
    ledger.endDoubts();
    expect(ledger.take(report(2))).toEqual(report(2));
  });
});

it("[X1] [X2] [X8] [X9] [D6] [D13] [S1] [S2] [S3] [S4] [S22] kills, cuts, evictions, bad queues and bad storage, revocations, limits and new secrets: nothing acknowledged is lost, nothing is counted twice, nothing is done for a void token", async () => {
  const outcomes = await runRounds({ seed: 15, rounds: 3, servers: 2, play: playRound });
  const faults: FaultCounts = {};
  for (const outcome of outcomes) {
    const { seed, error } = outcome;
    expect({ seed, error }).toEqual({ seed, error: undefined });
    if (outcome.error !== undefined) continue;
    const { lost, doubled, accepted, examples, acknowledged } = outcome;
    expect({ seed, lost, doubled, accepted, examples }).toEqual({
      ...{ seed, lost: 0, doubled: 0, accepted: 0, examples: [] },
    });
    expect(acknowledged).toBeGreaterThan(300);
    addCounts(faults, outcome.faults);
  }
  const kills = OUTER_FAULTS.filter((fault) => fault.startsWith("kill"));
  expect(kills.some((kill) => faults[kill]! > 0)).toBe(true);
  for (const fault of ["sent with a void token", "sent beyond a limit", "old secret dropped"] as const)
    expect({ fault, times: faults[fault] ?? 0 }).not.toEqual({ fault, times: 0 });
  expect(Object.keys(faults).length).toBeGreaterThan(15);
}, 240_000);

describe("what is left behind", () => {
  let folder: string;
  let server: ServerProcess;
  let client: TenantClient;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "telltale-fault-"));
    const worker = join(folder, "faulty-worker.mjs");
    await writeFile(worker, await bundle(ENTRY));
    server = new ServerProcess(await freePort(), join(folder, "state"), ["server.ts", "--worker", worker]);
    await server.start();
    client = new TenantClient(server.url, await readLocalSecret(), "left-behind");
  });

  afterAll(async () => {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  });

  /** Gives what struck since the last order. */
  async function order(rates: FaultRates): Promise<FaultCounts> {
    const body = JSON.stringify({ seed: 1, rates });
    return (await client.ask("/local/fault", { method: "POST", body })).body as FaultCounts;
  }

  const storedOf = async (device: string) => {
    const { body } = await client.ask(`/local/fault/stored?tenant=${client.tenant}`);
    return (body as { rollups: [string, number, number][] }).rollups.filter(([whose]) => whose === device);
  };

  const send = (device: string, clockMs: number, ...instants: number[]) =>
    client.send(
      instants.map((at) => ({ at, metrics: { level: at % 97 } })),
      device,
      { "telltale-clock": String(clockMs) },
    );

  it("[X3] [D13] what a refusing queue left in the outbox drains when it is back, oldest first", async () => {
    await order({ "queue refuses": 1 });
    // A week's backlog, in no order: more blocks than one sending takes.
    const instants = Array.from({ length: 23 }, (_, i) => T0 + ((i * 9) % 23) * 7 * HOUR_MS);
    await send("outbox", Math.max(...instants), ...instants);
    await client.seal("outbox");
    await until(
      "a refusal of the alarm's",
      async () => ((await order({ "queue refuses": 1 }))["queue refuses"] ?? 0) > 0 || undefined,
    );
    expect(await storedOf("outbox")).toEqual([]);
    await order({});
    await until(
      "the whole outbox in storage",
      async () => (await storedOf("outbox")).length === 23 || undefined,
    );
    const { body } = await client.ask(`/local/fault/taken?object=${client.tenant}/outbox`);
    const drained = [...new Set(body as number[])];
    expect(drained).toHaveLength(23);
    expect(drained).toEqual(drained.toSorted((a, b) => a - b));
  });

  it("[X4] [D25] an object whose alarm never fires is found by the sweep, and its blocks reach storage", async () => {
    await order({ "queue refuses": 1, "alarm never fires": 1 });
    // Sealed, but the queue took it not; and never sealed: half a second before it is due the device falls silent, and what
    // its alarm was set by is a clock that has been moved since.
    await send("unsent", T0, T0 + 1);
    await client.seal("unsent");
    const endMs = T0 + 6 * HOUR_MS;
    await send("unsealed", endMs - 1_000, endMs - 1_000);
    await send("unsealed", endMs + 59_500, endMs - 2_000);
    await until("a lost alarm", async () => (await order({ "alarm never fires": 1 }))["alarm never fires"]);
    expect([await storedOf("unsent"), await storedOf("unsealed")]).toEqual([[], []]);
    await until("both blocks in storage", async () => {
      await server.order({ do: "tick" });
      const [unsent, unsealed] = [await storedOf("unsent"), await storedOf("unsealed")];
      return (unsent.length === 1 && unsealed.length === 1) || undefined;
    });
  });
});
