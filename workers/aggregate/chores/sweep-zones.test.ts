import { env, evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { afterEach, expect, it, vi } from "vitest";
import { fired, firing } from "../../../core/alert/incident-test-support.ts";
import { HOUR_MS } from "../../test-support.ts";
import type { AggregateEnv } from "../env.ts";
import { KeptNotices, type ZoneStub, zoneOf } from "../zone/zone-test-support.ts";
import { sweepZones } from "./sweep-zones.ts";

const aggregateEnv = env as unknown as AggregateEnv;
/** Far enough ahead that no alarm rings by itself. */
const START = Date.now() + 100 * 24 * HOUR_MS;

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const noted = (tenant: string, id: string, zone: string, state: string) =>
  env.CONTROL.prepare(
    "INSERT INTO incident (tenant, id, zone, state, opened_at, revision, body) VALUES (?1, ?2, ?3, ?4, 0, 1, '{}')",
  )
    .bind(tenant, id, zone, state)
    .run();

const alarmOf = (zone: ZoneStub) => runInDurableObject(zone, (_, { storage }) => storage.getAlarm());

it("[A22] a zone whose alarm is lost is found by the sweep, and says what it still has to say", async () => {
  vi.useFakeTimers({ toFake: ["Date"], now: START });
  const zone = zoneOf("swept");
  await new KeptNotices().into(zone);
  await zone.alerts([fired(firing("d1"))]);
  await runInDurableObject(zone, (_, { storage }) => storage.deleteAlarm());
  await evictDurableObject(zone);
  const queue = await new KeptNotices().into(zone);
  await noted("swept", "north.1", "north", "firing");
  vi.setSystemTime(START + HOUR_MS);
  expect(await sweepZones({ env: aggregateEnv, cursor: "", untilMs: START + 2 * HOUR_MS })).toBe("");
  expect(await alarmOf(zone)).not.toBeNull();
  vi.setSystemTime(START + 2 * HOUR_MS);
  await runDurableObjectAlarm(zone);
  await vi.waitFor(() => expect(queue.notices()).toContain("north.1.fire.0"));
});

it("[A22] only zones with something to tell are asked, each once, a turn at a time; one that fails keeps none from it", async () => {
  vi.spyOn(console, "error").mockImplementation(() => undefined);
  for (const number of [1, 2]) await noted("asked", `east.${number}`, "east", "acknowledged");
  await noted("asked", "south.1", "south", "resolved");
  await noted("asked", "west.1", "west", "firing");
  const asked: string[] = [];
  const getByName = (name: string) => ({
    release: async () => {
      asked.push(name);
      if (name.endsWith("east")) throw new Error("the zone is away");
    },
  });
  const counted = { ...aggregateEnv, ZONE: { getByName } } as unknown as AggregateEnv;
  expect(await sweepZones({ env: counted, cursor: "", untilMs: Date.now() + HOUR_MS })).toBe("");
  expect(asked.filter((name) => name.startsWith("asked/"))).toEqual(["asked/east", "asked/west"]);
  const cursor = await sweepZones({ env: counted, cursor: "", untilMs: 0 });
  expect(cursor).not.toBe("");
});
