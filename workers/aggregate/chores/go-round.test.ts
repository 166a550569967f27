import { env } from "cloudflare:test";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { decodeBlock } from "../../../core/block/decode.ts";
import { FLEET } from "../../../schemas/tables.ts";
import { blockMessageOf, HOUR_MS, T0 } from "../../test-support.ts";
import type { AggregateEnv } from "../env.ts";
import { storeBlocks } from "../queues/store-blocks.ts";
import { computeZoneHours } from "./compute-zone-hours.ts";
import { goRound } from "./go-round.ts";

const { CHORES: _never, ...bound } = env as unknown as AggregateEnv;
const aggregateEnv = bound as AggregateEnv;
const MINUTE_MS = 60_000;

beforeEach(() => void vi.useFakeTimers({ toFake: ["Date"] }));
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

/** Tenants with so many steps to do, each of a second; `done` is whose step came when. */
function work(steps: Record<string, number>) {
  const done: string[] = [];
  const turn = (cursor: string, seconds: number) => {
    const untilMs = Date.now() + 1000 * seconds;
    return goRound<number>(
      { env: aggregateEnv, cursor, untilMs },
      {
        name: "test",
        shareMs: 2_000,
        next: async (after) =>
          Object.keys(steps)
            .filter((tenant) => tenant > after && steps[tenant]! > 0)
            .sort()[0] ?? null,
        advance: async (tenant, place = 0, untilMs) => {
          for (let at = place; steps[tenant]! > 0; at++) {
            if (Date.now() >= untilMs) return at;
            if (Number.isNaN(at)) throw new Error("no place");
            done.push(tenant);
            steps[tenant]! -= 1;
            vi.setSystemTime(Date.now() + 1_000);
          }
          return undefined;
        },
      },
    );
  };
  return { done, turn };
}

it("[F38] who has much to do has a share of it done, then the others have theirs, and so round and round", async () => {
  const { done, turn } = work({ a: 7, b: 1, c: 3 });
  expect(await turn("", 3_600)).toBe("");
  expect(done.join("")).toBe("aabccaacaaa");
});

it("[F38] a turn that ends goes on with the next tenant, also one called as an object has it", async () => {
  const { done, turn } = work({ constructor: 4, d: 1 });
  const cursor = await turn("", 2);
  expect(JSON.parse(cursor)).toMatchObject({ after: "constructor", places: [["constructor", 2]] });
  expect(await turn(cursor, 60)).toBe("");
  expect(done).toEqual(["constructor", "constructor", "d", "constructor", "constructor"]);
});

it("[F38] while one has more to do the others are looked at each quarter of an hour, not each round", async () => {
  const steps = { a: 10_000, z: 1 };
  const { done, turn } = work(steps);
  const cursor = await turn("", 60);
  expect(done.indexOf("z")).toBe(2);
  steps.z = 1;
  const later = await turn(cursor, 14 * 60);
  expect(done.lastIndexOf("z")).toBe(2);
  await turn(later, 2 * 60);
  expect(done.lastIndexOf("z")).toBeGreaterThan(2);
  expect(done.filter((tenant) => tenant === "z")).toHaveLength(2);
});

it("[F38] a share that fails is logged and keeps nobody from theirs", async () => {
  const logged = vi.spyOn(console, "error").mockImplementation(() => undefined);
  const seen: string[] = [];
  const turn = { env: aggregateEnv, cursor: "", untilMs: Date.now() + MINUTE_MS };
  const advance = async (tenant: string) => {
    seen.push(tenant);
    if (tenant === "a") throw new Error("broken");
    return undefined;
  };
  const next = async (after: string) => ["a", "b"].find((tenant) => tenant > after) ?? null;
  expect(await goRound(turn, { name: "test", shareMs: 1_000, next, advance })).toBe("");
  expect(seen).toEqual(["a", "b"]);
  expect(logged).toHaveBeenCalledOnce();
});

it.each(["old-cursor", '{"number":0,"tenant":"a"}'])(
  "[F38] a cursor of before, %s, begins anew",
  async (cursor) => {
    const { done, turn } = work({ a: 1 });
    expect(await turn(cursor, 60)).toBe("");
    expect(done).toEqual(["a"]);
  },
);

it("[F38] a tenant with thousands of dirty hours does not keep another's from being computed in the same turn", async () => {
  const clear = env.WARM_0.prepare("DELETE FROM dirty_hour");
  await clear.run();
  const many = JSON.stringify(Array.from({ length: 3_000 }, (_, hour) => T0 - hour * HOUR_MS));
  await env.WARM_0.prepare(
    "INSERT INTO dirty_hour (tenant, zone, hour_ms, taken_by) SELECT 'greedy', 'z', value, 0 FROM json_each(?1)",
  )
    .bind(many)
    .run();
  const message = blockMessageOf("small", "d1", T0, { a: [[T0, 1]] }, 1, HOUR_MS);
  await storeBlocks(env.WARM_0, env.COLD, [{ ...message, zone: "z", block: decodeBlock(message.block) }]);
  // Each batch of hours takes half a second, by the clock; a turn has fifteen.
  const order: string[] = [];
  const batch = (statements: D1PreparedStatement[]) => {
    vi.setSystemTime(Date.now() + 500);
    return env.WARM_0.batch(statements);
  };
  const prepare = (sql: string) => {
    const statement = env.WARM_0.prepare(sql);
    if (!sql.includes("UPDATE dirty_hour SET taken_by")) return statement;
    const bind = (...values: unknown[]) => {
      order.push(String(values[0]));
      return statement.bind(...values);
    };
    return { bind } as unknown as D1PreparedStatement;
  };
  const database = { prepare, batch } as unknown as D1Database;
  const own = { ...aggregateEnv, WARM_0: database };
  const cursor = await computeZoneHours({ env: own, cursor: "", untilMs: Date.now() + 15_000 });
  expect(cursor).not.toBe("");
  expect(order.indexOf("small")).toBeGreaterThan(0);
  expect(order.indexOf("small")).toBeLessThan(8);
  expect(order.lastIndexOf("greedy")).toBeGreaterThan(order.indexOf("small"));
  for (const zone of ["z", FLEET]) {
    const hour = await env.WARM_0.prepare(
      "SELECT devices FROM zone_hour WHERE tenant = 'small' AND zone = ?1 AND hour_ms = ?2",
    )
      .bind(zone, T0)
      .first<number>("devices");
    expect(hour).toBe(1);
  }
  const left = "SELECT count(*) AS n FROM dirty_hour WHERE tenant = 'greedy' AND zone = 'z'";
  expect(await env.WARM_0.prepare(left).first<number>("n")).toBeGreaterThan(2_000);
  await clear.run();
});
