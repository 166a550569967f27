// Random schedules of one channel and a receiver with moods, in workerd: messages late, repeated and out of order,
// attempts that fail or are taken without an answer, objects that die. What the receiver took tells every incident once.
import { evictDurableObject, runDurableObjectAlarm } from "cloudflare:test";
import { env } from "cloudflare:workers";
import fc from "fast-check";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { alertOf, channelOf, resolvedOf, snapshotOf } from "../../../core/alert/deliver/fake-notice.ts";
import type { NoticeKind } from "../../../schemas/alert.ts";
import type { ChannelNotice } from "../../../schemas/message.ts";
import type { ChannelObject } from "./channel-object.ts";

/** So far ahead that no alarm rings by itself. */
const T0 = Date.UTC(2100, 0, 1);
const MINUTE_MS = 60_000;
const INCIDENTS = ["a", "b", "c"];
const MESSAGES: [incident: string, kind: NoticeKind, number: number][] = INCIDENTS.flatMap((incident) => [
  [incident, "fire", 1] as [string, NoticeKind, number],
  [incident, "update", 2] as [string, NoticeKind, number],
  [incident, "update", 3] as [string, NoticeKind, number],
  [incident, "resolve", 4] as [string, NoticeKind, number],
]);

type Mood = "takes" | "refuses" | "cannot read" | "takes and says nothing";
type Step = { do: "mood"; mood: Mood } | { do: "pass"; ms: number } | { do: "evict" };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    do: fc.constant("mood" as const),
    mood: fc.constantFrom<Mood>("takes", "refuses", "cannot read", "takes and says nothing"),
  }),
  fc.record({ do: fc.constant("pass" as const), ms: fc.integer({ min: 1, max: 20 * MINUTE_MS }) }),
  fc.constant<Step>({ do: "evict" }),
);
/** Every message at least once, in any order, with steps in between. */
const schedule = fc
  .tuple(
    fc.shuffledSubarray(MESSAGES, { minLength: MESSAGES.length }),
    fc.array(fc.constantFrom(...MESSAGES), { maxLength: 6 }),
    fc.array(fc.tuple(fc.nat(), step), { maxLength: 12 }),
  )
  .map(([messages, again, steps]) => {
    const whole: (Step | (typeof MESSAGES)[number])[] = [...messages, ...again];
    for (const [place, own] of steps) whole.splice(place % (whole.length + 1), 0, own);
    return whole;
  });

function noticeOf([incident, kind, number]: (typeof MESSAGES)[number]): ChannelNotice {
  // Each update has a member more than what came before it.
  const members = Array.from({ length: kind === "resolve" ? 3 : number }, (_, i) => ({
    id: `too-hot.0.${i}.pump-1`,
  }));
  const snapshot = snapshotOf(members.map(kind === "resolve" ? resolvedOf : alertOf), { id: incident });
  return { key: `${incident}.${kind}.${number}`, kind, tenant: "acme", snapshot };
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"], now: T0 });
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

let runs = 0;

it("[A31] [A32] [A33] [A59] [A61] whatever happens on the way, a receiver is told of every incident, and last that it is over", async () => {
  await fc.assert(
    fc.asyncProperty(schedule, async (steps) => {
      vi.setSystemTime(T0);
      const channels = (env as unknown as { CHANNEL: DurableObjectNamespace<ChannelObject> }).CHANNEL;
      const object = channels.getByName(`acme/schedule-${++runs}`);
      let mood: Mood = "takes";
      /** Keys in the order in which the receiver took them first. */
      const taken = new Set<string>();
      vi.stubGlobal("fetch", async (_: string, init: RequestInit) => {
        const { key } = JSON.parse(init.body as string);
        if (mood === "refuses") return new Response("", { status: 503 });
        if (mood === "cannot read") return new Response("", { status: 400 });
        taken.add(key);
        if (mood === "takes and says nothing") throw new Error("the line is dead");
        return new Response();
      });
      const waiting = async () => (await object.deliveries(100)).counts.waiting!;
      for (const own of steps) {
        if (Array.isArray(own)) await object.deliver(channelOf(), noticeOf(own));
        else if (own.do === "mood") mood = own.mood;
        else if (own.do === "evict") {
          await waiting(); // only an object that is awake can be evicted
          await evictDurableObject(object);
        } else {
          vi.setSystemTime(Date.now() + own.ms);
          await runDurableObjectAlarm(object);
        }
      }
      mood = "takes";
      for (let i = 0; i < 100 && (await waiting()) > 0; i++) {
        vi.setSystemTime(Date.now() + 16 * MINUTE_MS);
        await runDurableObjectAlarm(object);
      }
      expect(await waiting()).toBe(0);

      const order = [...taken];
      const { deliveries, counts } = await object.deliveries(100);
      const ofState = (...states: string[]) => deliveries.filter(({ state }) => states.includes(state));
      // What the receiver refused for good is the business of another channel, and of its incident little can be said.
      const refused = new Set(ofState("refused").map(({ incident }) => incident));
      for (const incident of INCIDENTS.filter((own) => !refused.has(own))) {
        const own = order.filter((key) => key.startsWith(`${incident}.`));
        expect(own.length).toBeGreaterThanOrEqual(2);
        expect(own.at(-1)).toBe(`${incident}.resolve.4`);
        expect(own.some((key) => !key.includes("resolve"))).toBe(true);
      }
      expect(ofState("waiting", "dead", "held")).toEqual([]);
      // Each key has one end; what was taken and is not known to be is an update that a newer one overtook.
      expect(new Set(deliveries.map(({ key }) => key)).size).toBe(deliveries.length);
      const sent = ofState("sent").map(({ key }) => key);
      expect(sent.filter((key) => !taken.has(key))).toEqual([]);
      const unknown = order.filter((key) => !sent.includes(key) && !refused.has(key.split(".")[0]!));
      expect(unknown.filter((key) => !key.includes("update"))).toEqual([]);
      expect(counts.sent).toBe(sent.length);
      // A fire is only left out when an update said as much, or its incident was told and over before it came.
      for (const { key, error } of ofState("dropped").filter(({ kind }) => kind === "fire")) {
        const [incident] = key.split(".");
        if (refused.has(incident!)) continue;
        if (error?.includes("nothing")) {
          expect(order.some((told) => told.startsWith(`${incident}.update`))).toBe(true);
          continue;
        }
        expect(order).toContain(`${incident}.resolve.4`);
        expect(
          steps.findIndex((own) => Array.isArray(own) && own[0] === incident && own[1] === "resolve"),
        ).toBeLessThan(
          steps.findIndex((own) => Array.isArray(own) && own[0] === incident && own[1] === "fire"),
        );
      }
    }),
    { numRuns: 40, seed: 20_261_122 },
  );
}, 120_000);
