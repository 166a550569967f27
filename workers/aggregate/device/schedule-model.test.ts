// Random schedules of one device, its queue and its consumer, in workerd: what comes out is what a plain map would hold.
import {
  createExecutionContext,
  env,
  evictDurableObject,
  getQueueResult,
  runDurableObjectAlarm,
  runInDurableObject,
} from "cloudflare:test";
import fc from "fast-check";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { decodeState } from "../../../core/device/state.ts";
import { unpackSummaries } from "../../../core/window/pack-summary.ts";
import { merge, type Summary } from "../../../core/window/summary.ts";
import type { ServerFrame } from "../../../schemas/reading.ts";
import { defaultSettings } from "../../../schemas/tenant.ts";
import { readCold } from "../../api/read-cold.ts";
import {
  batchOf,
  type DeviceStub,
  HOUR_MS,
  held,
  KeptQueue,
  packedAt,
  rowsOnceKnown,
  TestSocket,
  upgrade,
} from "../../test-support.ts";
import type { AggregateEnv } from "../env.ts";
import { consumeBlocks } from "../queues/consume-blocks.ts";
import type { DeviceObject } from "./device-object.ts";
import { ScheduleModel, type Sent, sumOf } from "./schedule-test-model.ts";

const aggregateEnv = env as unknown as AggregateEnv;
const TENANT = "schedule";
/** In the future of every real clock: no alarm fires unless a schedule says so. */
const START_MS = Date.UTC(2040, 0, 2, 20);
const DAY_MS = 24 * HOUR_MS;
const METRICS = ["a", "b"];
const COMMIT_EVERY_MS = 60_000;

/** The storage call of a consumer that goes wrong: it is not made, or made and its answer lost. */
interface Failure {
  call: "select" | "put" | "commit" | "confirm";
  isMade: boolean;
}

type Step =
  | { do: "report"; reports: Sent[] }
  | { do: "frames"; reports: Sent[] }
  | { do: "crash"; reports: Sent[]; turns: number }
  | { do: "evict"; sockets: "hibernate" | "close" }
  | { do: "deliver"; picks: number[]; failure: Failure | null; staysQueued: boolean; twin: boolean }
  | { do: "forget"; pick: number }
  | { do: "forget all" }
  | { do: "queue"; refuses: boolean }
  | { do: "pass"; ms: number }
  | { do: "flush" | "alarm" | "sweep" | "seal" };

// Few instants and few values: duplicates, corrections and readings out of order are the rule.
const instant = fc
  .tuple(
    fc.integer({ min: -9 * 24, max: 7 }).map((hour) => (hour < -3 && hour > -8 * 24 ? -2 : hour)),
    fc.nat(3),
  )
  .map(([hour, i]) => START_MS + hour * HOUR_MS + [0, 1, 1_800_000, HOUR_MS - 1][i]!);
const value = fc.constantFrom(0, 1.5, -20.25, 5e-324, 1 / 3);
const metrics = fc.dictionary(fc.constantFrom(...METRICS), value, { minKeys: 1, noNullPrototype: true });
const reports = fc.array(fc.record({ at: instant, metrics }), { minLength: 1, maxLength: 5 });
const only = <T extends string>(text: T) => fc.constant(text);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ do: only("report"), reports }) },
  { weight: 6, arbitrary: fc.record({ do: only("frames"), reports }) },
  { weight: 2, arbitrary: fc.record({ do: only("crash"), reports, turns: fc.nat(12) }) },
  {
    weight: 4,
    arbitrary: fc.record({ do: only("evict"), sockets: fc.constantFrom("hibernate", "hibernate", "close") }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      do: only("deliver"),
      picks: fc.array(fc.nat(50), { minLength: 1, maxLength: 6 }),
      failure: fc.option(
        fc.record({ call: fc.constantFrom("select", "put", "commit", "confirm"), isMade: fc.boolean() }),
      ),
      staysQueued: fc.boolean(),
      twin: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: only("forget"), pick: fc.nat(50) }) },
  { weight: 1, arbitrary: fc.record({ do: only("forget all") }) },
  { weight: 2, arbitrary: fc.record({ do: only("queue"), refuses: fc.boolean() }) },
  {
    weight: 5,
    arbitrary: fc.record({ do: only("pass"), ms: fc.oneof(fc.nat(90_000), fc.nat(8 * HOUR_MS)) }),
  },
  { weight: 6, arbitrary: fc.record({ do: fc.constantFrom("flush", "alarm", "sweep", "seal") }) },
) as fc.Arbitrary<Step>;

interface Frame extends Sent {
  seq: number;
  clockMs: number;
}

let runs = 0;

class Run {
  readonly model = new ScheduleModel(defaultSettings.latenessHorizonMs);
  readonly #name = `run-${++runs}`;
  readonly #queue = new KeptQueue();
  #now = START_MS + 8 * HOUR_MS;
  #socket: TestSocket<ServerFrame> | undefined;
  /** Frames sent and not acknowledged, in their order. */
  #waiting: Frame[] = [];
  #seq = 0;
  #probes = 0;
  /** False: some verdict was never heard, and what was sent again may have been new or a duplicate. */
  #countsAreExact = true;

  async begin(): Promise<this> {
    vi.setSystemTime(this.#now);
    await this.#do({ do: "report", reports: [{ at: START_MS, metrics: { a: 0 } }] });
    // Registry and zone know it from here on: nothing but a step writes the row.
    await rowsOnceKnown(await this.#device());
    return this;
  }

  async play(steps: readonly Step[]): Promise<void> {
    for (const next of steps) {
      await this.#do(next);
      await this.#hear();
    }
  }

  async #do(next: Step): Promise<void> {
    const device = await this.#device();
    switch (next.do) {
      case "report":
        return await this.#report(next.reports);
      case "frames":
        return await this.#send(next.reports);
      case "crash":
        return await this.#crash(next.reports, next.turns);
      case "evict":
        await evictDurableObject(device, { webSockets: next.sockets });
        if (next.sockets === "close") this.#loseSocket();
        return;
      case "deliver":
        return await this.#deliver(next.picks, next.failure, next.staysQueued, next.twin);
      case "forget":
        this.#queue.sent.splice(next.pick % Math.max(1, this.#queue.sent.length), 1);
        return;
      case "forget all":
        this.#queue.sent.length = 0;
        return;
      case "queue":
        this.#queue.refusing = next.refuses;
        return;
      case "pass":
        this.#now += next.ms;
        vi.setSystemTime(this.#now);
        return;
      case "flush":
        this.#socket?.send({ type: "flush" });
        return;
      case "alarm":
        await runDurableObjectAlarm(device);
        return;
      case "sweep":
        await device.sweep();
        return;
      case "seal":
        await device.seal();
    }
  }

  /** The device's object, with the queue of this run also after it lost its memory. */
  async #device(): Promise<DeviceStub> {
    const device = env.DEVICE.getByName(`${TENANT}/${this.#name}`);
    await this.#queue.into(device);
    return device;
  }

  // ---- what the device sends -------------------------------------------------------------------------------------

  async #report(sent: readonly Sent[]): Promise<void> {
    const device = await this.#device();
    const group = packedAt(
      this.#now,
      ...sent.map(({ at, metrics }) => [at, metrics] as [number, typeof metrics]),
    );
    const { counts } = await device.report(group, this.#now);
    await this.#hear(); // what the socket held came first
    this.#check(counts, this.model.take(this.#now, sent));
  }

  /** The object dies some turns after it was given the reports; the gateway sends them again. */
  async #crash(sent: readonly Sent[], turns: number): Promise<void> {
    const device = await this.#device();
    const group = packedAt(
      this.#now,
      ...sent.map(({ at, metrics }) => [at, metrics] as [number, typeof metrics]),
    );
    await runInDurableObject<DeviceObject, void>(device, async (object, state) => {
      object.report(group, this.#now).catch(() => undefined);
      for (let i = 0; i < turns; i++) await Promise.resolve();
      state.abort("a crash");
    }).catch(() => undefined);
    this.#countsAreExact = false;
    this.#loseSocket();
    await this.#report(sent);
  }

  async #send(sent: readonly Sent[]): Promise<void> {
    const socket = await this.#connected();
    for (const { at, metrics } of sent) {
      const frame = { seq: this.#seq++, at, clockMs: this.#now, metrics };
      this.#waiting.push(frame);
      socket.send({ type: "report", ...frame });
    }
  }

  async #connected(): Promise<TestSocket<ServerFrame>> {
    if (this.#socket !== undefined) return this.#socket;
    const device = await this.#device();
    const path = `/v1/connect?commitEveryMs=${COMMIT_EVERY_MS}`;
    const answer = await device.fetch(upgrade(path, { "telltale-clock": String(this.#now) }));
    this.#socket = new TestSocket<ServerFrame>(answer);
    for (const frame of this.#waiting) this.#socket.send({ type: "report", ...frame });
    return this.#socket;
  }

  #loseSocket(): void {
    if (this.#waiting.length > 0) this.#countsAreExact = false;
    this.#socket = undefined;
  }

  /** Takes in every acknowledgement that was sent so far: the answer to a frame that is none comes after them. */
  async #hear(): Promise<void> {
    const socket = this.#socket;
    if (socket === undefined) return;
    const probe = `probe-${++this.#probes}`;
    socket.send(JSON.stringify({ type: probe }));
    const isAnswer = (frame: ServerFrame) => frame.type === "problem" && frame.code === "invalid_frame";
    await vi.waitFor(() => expect(socket.frames.some(isAnswer)).toBe(true), { timeout: 10_000, interval: 1 });
    for (const frame of socket.frames.splice(0)) {
      if (frame.type !== "ack") continue;
      const through = this.#waiting.filter(({ seq }) => seq <= frame.seq);
      this.#waiting = this.#waiting.filter(({ seq }) => seq > frame.seq);
      const expected = sumOf(through.map((report) => this.model.take(report.clockMs, [report])));
      const { stored, duplicate, corrected, late, quarantined, refused } = frame;
      this.#check([stored, duplicate, corrected, late, quarantined, refused], expected);
    }
  }

  #check(counts: readonly number[], expected: readonly number[]): void {
    if (this.#countsAreExact) expect(counts).toEqual(expected);
  }

  // ---- what becomes of its blocks --------------------------------------------------------------------------------

  async #deliver(picks: readonly number[], failure: Failure | null, staysQueued: boolean, twin: boolean) {
    const { sent } = this.#queue;
    if (sent.length === 0) return;
    const picked = picks.map((pick) => sent[pick % sent.length]!);
    const batch = batchOf(...picked);
    const consuming = [consumeBlocks(batch, failing(failure))];
    // Another consumer, at the same time, with another cut of the same messages.
    if (twin) consuming.push(consumeBlocks(batchOf(...picked.slice(1).toReversed()), aggregateEnv));
    await Promise.all(consuming);
    const { explicitAcks } = await getQueueResult(batch, createExecutionContext());
    if (staysQueued) return;
    for (const [i, { id }] of batch.messages.entries()) {
      const at = sent.indexOf(picked[i]!);
      if (explicitAcks.includes(id) && at >= 0) sent.splice(at, 1);
    }
  }

  /** Everything breaks no more: the device is heard out, and its blocks are sent until each is confirmed. */
  async settle(queueForgets: boolean): Promise<void> {
    this.#queue.refusing = false;
    if (queueForgets) this.#queue.sent.length = 0;
    await this.#connected();
    this.#socket!.send({ type: "flush" });
    await this.#hear();
    expect(this.#waiting).toEqual([]);
    for (let pending = 1, rounds = 0; pending > 0; rounds++) {
      expect(rounds).toBeLessThan(10);
      const device = await this.#device();
      ({ pending } = await device.seal());
      // Some twice, and what is left of earlier sendings among them.
      for (const batch of [this.#queue.sent.toReversed(), this.#queue.sent.slice(0, 3)])
        if (batch.length > 0) await consumeBlocks(batchOf(...batch), aggregateEnv);
    }
  }

  // ---- what there then is ----------------------------------------------------------------------------------------

  async compare(): Promise<void> {
    const { model } = this;
    const device = await this.#device();
    const latest = await device.latest();
    expect(latest!.lastReceivedAt).toBe(model.lastReceivedAt);
    expect(latest!.metrics).toMatchObject(Object.fromEntries(model.latest));
    for (const metric of METRICS) {
      expect(await held(device, metric)).toEqual(model.of(metric));
      const asked = { tenant: TENANT, device: this.#name, metric };
      const span = { startMs: START_MS - 10 * DAY_MS, endMs: START_MS + 2 * DAY_MS };
      const { at, value } = await readCold(env.WARM_0, env.COLD, { ...asked, ...span });
      expect(at.map((instant, i) => [instant, value[i]])).toEqual(model.of(metric));
    }
    await this.#compareRollups();
    await this.#compareFiles();
    const counts = await runInDurableObject<DeviceObject, number[]>(device, (_, { storage }) => {
      const { row } = storage.sql.exec<{ row: ArrayBuffer }>("SELECT row FROM state").one();
      return decodeState(new Uint8Array(row)).counts;
    });
    expect(counts[0]! + counts[3]!).toBe(model.distinct);
    this.#check(counts, model.counts);
  }

  async #compareRollups(): Promise<void> {
    const { results } = await env.WARM_0.prepare(
      "SELECT summaries FROM rollup WHERE tenant = ? AND device = ?",
    )
      .bind(TENANT, this.#name)
      .all<{ summaries: string }>();
    for (const metric of METRICS) {
      const hours = new Map<number, Summary>();
      for (const { startMs, summary } of results.flatMap(
        ({ summaries }) => unpackSummaries(summaries).get(metric) ?? [],
      )) {
        const known = hours.get(startMs);
        hours.set(startMs, known === undefined ? summary : merge(known, summary));
      }
      const figures = [...hours].map(([startMs, { count, min, max, first, last }]) => ({
        startMs,
        count,
        min,
        max,
        first,
        last,
      }));
      const expected = [...this.model.hoursOf(metric)].map(([startMs, { values: _, ...hour }]) => ({
        startMs,
        ...hour,
      }));
      expect(figures.toSorted((a, b) => a.startMs - b.startMs)).toEqual(expected);
    }
  }

  /** Each revision of a block is in one file. */
  async #compareFiles(): Promise<void> {
    const { results } = await env.WARM_0.prepare(
      "SELECT blocks FROM archive_file WHERE tenant = ? AND min_device = ?",
    )
      .bind(TENANT, this.#name)
      .all<{ blocks: string }>();
    const blocks = results
      .flatMap((file) => JSON.parse(file.blocks) as unknown[])
      .map((block) => JSON.stringify(block));
    expect(new Set(blocks).size).toBe(blocks.length);
  }
}

/** Bindings of a consumer of which one call goes wrong. */
function failing(failure: Failure | null): AggregateEnv {
  const around = async <T>(call: Failure["call"], make: () => Promise<T>): Promise<T> => {
    if (failure?.call === call && !failure.isMade) throw new Error(`${call} fails`);
    const made = await make();
    if (failure?.call === call) throw new Error(`the answer of ${call} is lost`);
    return made;
  };
  const prepare = (query: string) => {
    const statement = env.WARM_0.prepare(query);
    const bind = (...values: unknown[]) => {
      const bound = statement.bind(...values);
      return Object.assign(bound, {
        all: (
          (all) => () =>
            around("select", all)
        )(bound.all.bind(bound)),
      });
    };
    return { bind };
  };
  const batch = (statements: D1PreparedStatement[]) => around("commit", () => env.WARM_0.batch(statements));
  const put = (...file: Parameters<R2Bucket["put"]>) => around("put", () => env.COLD.put(...file));
  const getByName = (name: string) => ({
    confirm: (stored: Parameters<DeviceStub["confirm"]>[0]) =>
      around("confirm", async () => env.DEVICE.getByName(name).confirm(stored)),
  });
  return {
    ...aggregateEnv,
    WARM_0: { prepare, batch },
    COLD: { put },
    DEVICE: { getByName },
  } as unknown as AggregateEnv;
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"], now: START_MS });
  for (const log of ["warn", "error"] as const) vi.spyOn(console, log).mockImplementation(() => undefined);
});

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

it("[X1] [X2] [D2] [D6] [D7] [D11] [D13] [D14] [D15] [D25] [S1] [S2] [S3] [S4] [W4] any schedule of reports, crashes, evictions, redeliveries and failures leaves what a plain map holds", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25, size: "max" }), fc.boolean(), async (steps, forgets) => {
      const run = await new Run().begin();
      await run.play(steps);
      await run.settle(forgets);
      await run.compare();
    }),
    // A failing schedule is made smaller for as long as the test has time.
    { numRuns: 40, interruptAfterTimeLimit: 100_000 },
  );
}, 120_000);
