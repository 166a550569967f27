import fc from "fast-check";
import { expect, it } from "vitest";
import type { LatestReading } from "../../schemas/live.ts";
import type { Block } from "../block/block.ts";
import { BLOCK_BYTES_MAX } from "../block/cut.ts";
import { decodeBlock } from "../block/decode.ts";
import { BUCKET_MS_MAX } from "../window/align.ts";
import { nextAlarmAt } from "./alarm.ts";
import { FakeDevice, HOUR_MS, noise, type Sent, START_MS, TIMING } from "./fake-device.ts";
import { readHot } from "./hot.ts";
import { confirm } from "./outbox.ts";
import { OPEN_BYTES_MAX, type SealedBlock, sealDueAt } from "./seal.ts";

const HORIZON_MS = 4 * HOUR_MS;
const METRICS = ["a", "b", "noise"];

type Step =
  | { type: "report"; reports: Sent[]; sealAll: boolean }
  | { type: "flood"; hour: number; seed: number }
  | { type: "stream"; quarter: number; everyMs: number }
  | { type: "pass"; ms: number }
  | { type: "alarm" }
  | { type: "evict" }
  | { type: "deliver"; pick: number; confirmed: boolean };

// Few instants and few values: duplicates, corrections and readings out of order are the rule.
const instant = fc
  .tuple(fc.nat(7), fc.constantFrom(0, 1, 1_800_000, HOUR_MS - 1))
  .map(([hour, offsetMs]) => START_MS + hour * HOUR_MS + offsetMs);
const value = fc.constantFrom(0, -0, 1.5, -20.25, 5e-324, 1.7e308, 1 / 3);
const metrics = fc.dictionary(fc.constantFrom("a", "b"), value, { minKeys: 1 });
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({
      type: fc.constant("report" as const),
      reports: fc.array(fc.record({ at: instant, metrics }), { minLength: 1, maxLength: 8 }),
      sealAll: fc.integer({ min: 0, max: 7 }).map((n) => n === 0),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ type: fc.constant("flood" as const), hour: fc.nat(3), seed: fc.nat(3) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constant("stream" as const),
      quarter: fc.nat(32),
      everyMs: fc.constantFrom(100, 1_000, 30_000),
    }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("pass" as const), ms: fc.nat(90 * 60_000) }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("alarm" as const) }) },
  { weight: 4, arbitrary: fc.record({ type: fc.constant("evict" as const) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constant("deliver" as const),
      pick: fc.nat(100),
      confirmed: fc.boolean(),
    }),
  },
);

type Readings = Map<string, Map<number, number>>;

/** What a device should hold, said as plainly as can be. */
class Model {
  readonly readings: Readings = new Map(METRICS.map((metric) => [metric, new Map()]));
  readonly latest = new Map<string, LatestReading>();
  #newestAt = 0;

  take(now: number, reports: readonly Sent[]): number[] {
    const counts = [0, 0, 0, 0, 0, 0];
    for (const { at, metrics } of reports) {
      const tooOld = at < now - HORIZON_MS;
      const late = Math.floor(at / HOUR_MS) * HOUR_MS + HOUR_MS <= this.#newestAt - 60_000;
      if (!tooOld) this.#newestAt = Math.max(this.#newestAt, at);
      for (const [metric, value] of Object.entries(metrics)) {
        const known = this.readings.get(metric)!.get(at);
        const verdict = tooOld ? 5 : known === undefined ? (late ? 3 : 0) : Object.is(known, value) ? 1 : 2;
        counts[verdict]! += 1;
        if (verdict === 5) continue;
        this.readings.get(metric)!.set(at, value);
        const shown = value === 0 ? 0 : value;
        const latest = this.latest.get(metric);
        if (latest !== undefined && (latest.at > at || (latest.at === at && latest.value === shown)))
          continue;
        this.latest.set(metric, { at, value: shown, receivedAt: now });
      }
    }
    return counts;
  }

  of(metric: string, fromMs: number, toMs: number): [at: number, value: number][] {
    return [...this.readings.get(metric)!]
      .filter(([at]) => at >= fromMs && at < toMs)
      .sort(([a], [b]) => a - b);
  }
}

/** A device, what was sent of it, and a storage that keeps the highest revision of each block. */
class Run {
  readonly device = new FakeDevice({ latenessHorizonMs: HORIZON_MS });
  readonly model = new Model();
  readonly #storage = new Map<number, SealedBlock>();
  readonly #queue: SealedBlock[] = [];
  now = START_MS + 3 * HOUR_MS;

  do(step: Step): void {
    if (step.type === "pass") this.now += step.ms;
    else if (step.type === "evict") this.device.evict();
    else if (step.type === "deliver") this.#deliver(step.pick, step.confirmed);
    else if (step.type === "report") this.#commit(step.reports, step.sealAll);
    else if (step.type === "flood") this.#commit(flood(step.hour, step.seed), false);
    else if (step.type === "stream") this.#commit(stream(step.quarter, step.everyMs), false);
    else {
      this.now = Math.max(this.now, nextAlarmAt(this.device.state, TIMING) ?? 0);
      this.#commit([], false);
    }
  }

  #commit(reports: readonly Sent[], sealAll: boolean): void {
    const expected = this.model.take(this.now, reports);
    const { counts, sealed, resent } = this.device.commit(this.now, reports, sealAll);
    expect(counts).toEqual(expected);
    const again = [...this.device.ring.rows.values()].filter(({ startMs }) => resent.includes(startMs));
    this.#queue.push(...sealed, ...again);
    this.#checkOpenSet();
  }

  /** Some message arrives: in any order, more than once when it was sent again, its confirmation perhaps lost. */
  #deliver(pick: number, confirmed: boolean): void {
    const [message] = this.#queue.splice(pick % Math.max(1, this.#queue.length), 1);
    if (message === undefined) return;
    if ((this.#storage.get(message.startMs)?.revision ?? 0) < message.revision) {
      this.#storage.set(message.startMs, message);
    }
    if (confirmed) confirm(this.device.state, [message]);
  }

  #checkOpenSet(): void {
    const { state } = this.device;
    const newestMs = Math.max(...state.open.map(({ mark }) => mark.startMs));
    const besides = state.open.filter(({ mark }) => mark.startMs !== newestMs);
    expect(besides.reduce((sum, open) => sum + open.bytes().length, 0)).toBeLessThanOrEqual(OPEN_BYTES_MAX);
    for (const open of state.open) {
      expect(open.mark.dirty).toBe(true);
      expect(open.bytes().length).toBeLessThanOrEqual(BLOCK_BYTES_MAX);
      expect(open.touched === state.commits || sealDueAt(open, state.device, TIMING) > this.now).toBe(true);
    }
    const pending = state.open.length + state.outbox.length > 0;
    expect(nextAlarmAt(state, TIMING) !== null).toBe(pending);
  }

  /** Every block of the device, each once: open ones, and sealed ones that are not open again. */
  blocks(): Block[] {
    const { state, ring } = this.device;
    const openSlots = new Set(state.open.map(({ mark }) => mark.slot));
    const sealed = [...ring.rows.values()].filter(({ slot }) => !openSlots.has(slot));
    return [...sealed.map(({ block }) => decodeBlock(block)), ...state.open.map((open) => open.block())];
  }

  /** Seals everything, delivers everything unconfirmed, and gives what storage then has. */
  settle(): Block[] {
    this.#commit([], true);
    const { state, ring } = this.device;
    for (const { slot, revision } of [...state.outbox]) {
      const row = ring.rows.get(slot)!;
      expect(row.revision).toBe(revision);
      this.#queue.push(row);
    }
    for (let i = this.#queue.length; i > 0; i--) this.#deliver(i * 7, true);
    expect(state.outbox).toEqual([]);
    return [...this.#storage.values()].map(({ block }) => decodeBlock(block));
  }
}

/**
 * Some 19 KB of one hour in one request: the same seed again is duplicates, seeds two apart correct each other, and
 * neighbours lie between each other, so that the block is cut.
 */
const flood = (hour: number, seed: number): Sent[] =>
  noise(2_300, seed).map((value, i) => ({
    at: START_MS + hour * HOUR_MS + i * 1_200 + (seed % 2) * 600,
    metrics: { noise: value },
  }));

/** Across the end of a bucket: the next one is made for the rate measured so. */
const stream = (quarter: number, everyMs: number): Sent[] =>
  Array.from({ length: 60 }, (_, i) => ({
    at: START_MS + quarter * (HOUR_MS / 4) + (i - 30) * everyMs,
    metrics: { a: i, b: i },
  }));

function readingsOf(blocks: readonly Block[]): Readings {
  const readings: Readings = new Map(METRICS.map((metric) => [metric, new Map()]));
  for (const { metric, at, value } of blocks.flatMap(({ columns }) => columns)) {
    const known = readings.get(metric)!;
    const before = known.size;
    for (let i = 0; i < at.length; i++) known.set(at[i]!, value[i]!);
    expect(known.size - before).toBe(at.length);
  }
  return readings;
}

/** `toEqual`, on many thousand entries, in a thousandth of its time. */
function expectSame(found: Readings, expected: Readings): void {
  for (const [metric, readings] of expected) {
    const same = found.get(metric)!;
    const wrong = [...readings].filter(([at, value]) => !Object.is(same.get(at), value));
    expect([metric, same.size, wrong]).toEqual([metric, readings.size, []]);
  }
}

/** No two blocks overlap, and each lies within one bucket of six hours, in which all others lie. */
function expectDisjoint(blocks: readonly Block[]): void {
  const sorted = blocks.toSorted((a, b) => a.startMs - b.startMs);
  for (const [i, { startMs, endMs }] of sorted.entries()) {
    expect(startMs).toBeLessThan(endMs);
    expect(Math.floor(startMs / BUCKET_MS_MAX)).toBe(Math.floor((endMs - 1) / BUCKET_MS_MAX));
    if (i > 0) expect(sorted[i - 1]!.endMs).toBeLessThanOrEqual(startMs);
  }
}

it("[D2] [D3] [D8] [D9] [D10] [D11] [D13] [D14] [D15] [D18] [D21] [W4] a device holds and stores what a plain map would", () => {
  const lengths = new Set<number>();
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30, size: "max" }), instant, instant, (steps, fromMs, toMs) => {
      const run = new Run();
      for (const next of steps) run.do(next);
      const { device, model } = run;
      const blocks = run.blocks();
      for (const { startMs, endMs } of blocks) lengths.add(endMs - startMs);
      expectDisjoint(blocks);
      expectSame(readingsOf(blocks), model.readings);
      expect(device.state.latest).toEqual(model.latest);
      for (const metric of METRICS) {
        const { at, value } = readHot(device.state, device.ring, metric, fromMs, toMs, run.now);
        expect([...at].map((instant, i) => [instant, value[i]])).toEqual(model.of(metric, fromMs, toMs));
      }
      const stored = run.settle();
      expectDisjoint(stored);
      expectSame(readingsOf(stored), model.readings);
    }),
    { numRuns: 300 },
  );
  // Whole buckets of each length, some clipped by others, and some cut.
  for (const whole of [HOUR_MS / 4, HOUR_MS, BUCKET_MS_MAX]) expect(lengths).toContain(whole);
  expect([...lengths].some((length) => length > HOUR_MS && length < BUCKET_MS_MAX)).toBe(true);
}, 60_000);
