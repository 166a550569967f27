// A device that was offline for days sends what it kept, in whatever order it keeps it.
import { env, evictDurableObject, runDurableObjectAlarm } from "cloudflare:test";
import { afterEach, expect, it, vi } from "vitest";
import { decodeBlock } from "../../../core/block/decode.ts";
import type { BlockMessage } from "../../../schemas/message.ts";
import { HOUR_MS, held, KeptQueue, packedAt, T0 } from "../../test-support.ts";

vi.setConfig({ testTimeout: 60_000 });
afterEach(() => vi.useRealTimers());

const MINUTE_MS = 60_000;
const DAY_MS = 24 * HOUR_MS;
const OFFLINE_MS = 5 * DAY_MS;
const REPORTS_A_REQUEST = 300;

type Order = (instants: number[]) => number[];
/** Every seventh, then every seventh from the second on, and so forth. */
const scattered: Order = (instants) =>
  Array.from({ length: 7 }, (_, first) => instants.filter((_, i) => i % 7 === first)).flat();

/** What storage has of a metric when it keeps the highest revision of each block. */
function storedOf(sent: readonly BlockMessage[], metric: string): Map<number, number> {
  const newest = new Map<number, BlockMessage>();
  for (const message of sent) {
    if ((newest.get(message.startMs)?.revision ?? 0) < message.revision) newest.set(message.startMs, message);
  }
  const readings = new Map<number, number>();
  for (const { block } of newest.values()) {
    const column = decodeBlock(block).columns.find((found) => found.metric === metric);
    for (const [i, at] of (column?.at ?? []).entries()) {
      expect(readings.has(at)).toBe(false);
      readings.set(at, column!.value[i]!);
    }
  }
  return readings;
}

it.each<[string, Order, sealingsMax: number]>([
  ["oldest first", (instants) => instants, 24],
  ["newest first", (instants) => instants.toReversed(), 24],
  ["scattered over all of it", scattered, 60],
])(
  "[D2] [D9] [D11] [D13] five days of backlog in ten minutes, %s: all is taken, held and sent",
  async (order, arrange, sealingsMax) => {
    const device = env.DEVICE.getByName(`backlog/${order.replaceAll(" ", "-")}`);
    const queue = await new KeptQueue().into(device);
    const expected = new Map<number, number>();
    const report = async (now: number, instants: readonly number[]) => {
      for (const at of instants) expected.set(at, at / 7);
      const reports = instants.map((at): [number, Record<string, number>] => [at, { a: at / 7, b: -1 }]);
      return (await device.report(packedAt(now, ...reports), now)).counts;
    };
    for (let at = T0 - 3 * HOUR_MS; at < T0; at += MINUTE_MS) await report(at, [at]);

    const backAt = T0 + OFFLINE_MS;
    await report(backAt, [backAt]); // online again: first what is now, then the backlog
    const missed = Array.from({ length: OFFLINE_MS / MINUTE_MS - 1 }, (_, i) => T0 + i * MINUTE_MS);
    const instants = arrange(missed);
    const requests = Math.ceil(instants.length / REPORTS_A_REQUEST);
    const before = queue.sent.length;
    let taken = 0;
    let now = backAt;
    for (let i = 0; i < requests; i++) {
      now = Math.round(backAt + (i * 10 * MINUTE_MS) / requests);
      const [stored, , , late] = await report(
        now,
        instants.slice(i * REPORTS_A_REQUEST, (i + 1) * REPORTS_A_REQUEST),
      );
      taken += stored! + late!;
      if (i % 5 === 4) {
        await evictDurableObject(device);
        await queue.into(device);
      }
    }
    expect(taken).toBe(2 * missed.length);
    const all = [...expected].sort(([x], [y]) => x - y);
    expect(await held(device, "a")).toEqual(all);

    // It falls silent: its alarm seals what is left.
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + DAY_MS });
    expect(await runDurableObjectAlarm(device)).toBe(true);
    expect([...storedOf(queue.sent, "a")].sort(([x], [y]) => x - y)).toEqual(all);
    expect(await held(device, "a")).toEqual(all);
    expect(queue.sent.length - before).toBeLessThanOrEqual(sealingsMax);
    const again = await report(now, instants.slice(0, REPORTS_A_REQUEST));
    expect(again).toEqual([0, 2 * REPORTS_A_REQUEST, 0, 0, 0, 0]);
  },
);
