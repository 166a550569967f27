// A few rounds of alerts of fixed seeds while everything breaks, and whether the judge of such a round sees what is wrong.
import { describe, expect, it } from "vitest";
import type { ListedAlert } from "../../schemas/alert-http.ts";
import type { AlertClient } from "../flow/alert-client.ts";
import type { Webhook } from "../flow/webhook-receiver.ts";
import { type AlertDifference, compareAlerts } from "./compare-alerts.ts";
import { ALERT_FAULTS, addCounts, type FaultCounts, RECEIVER_FAULTS, WORKER_FAULTS } from "./faults.ts";
import { type AlertRound, CHANNELS, type Episode, planAlertRound } from "./plan-alert-round.ts";
import { playAlertRound } from "./play-alert-round.ts";
import { runRounds } from "./run-rounds.ts";

const T0 = Date.UTC(2026, 4, 1);

describe("a plan of alerts", () => {
  it("[X5] of the same seed is the same to the last fault, of another it is another", () => {
    expect(planAlertRound(7, T0)).toEqual(planAlertRound(7, T0));
    const [one, other] = [planAlertRound(7, T0), planAlertRound(8, T0)];
    for (const part of ["rates", "streams", "episodes"] as const) expect(one[part]).not.toEqual(other[part]);
  });

  it("[X5] all rounds together come to every fault there is", () => {
    const rounds = Array.from({ length: 30 }, (_, seed) => planAlertRound(seed, T0));
    const told = WORKER_FAULTS.filter((fault) => !/silent|R2/.test(fault));
    for (const fault of [...told, ...ALERT_FAULTS])
      expect(rounds.some(({ rates }) => rates[fault]! > 0)).toBe(true);
    for (const fault of RECEIVER_FAULTS)
      for (const channel of Object.keys(CHANNELS))
        expect(rounds.some(({ receivers }) => receivers[channel]![fault]! > 0)).toBe(true);
  });

  it("[X6] an episode is a reading above the level and the next of its device at or below the clear level", () => {
    const { streams, episodes } = planAlertRound(7, T0);
    expect(episodes.length).toBeGreaterThan(20);
    const reports = streams.flatMap(({ steps }) => steps.flatMap((step) => step.reports));
    for (const { device, rule, fired, cleared } of episodes) {
      const own = reports.filter((report) => report.device === device && report.metrics[rule] !== undefined);
      const values = own.map(({ at, metrics }) => ({ at, value: metrics[rule]! }));
      const between = values.filter(({ at }) => at > fired.at && at < cleared.at);
      expect(values).toEqual(expect.arrayContaining([fired, cleared]));
      expect([fired.value > 50, cleared.value <= 40]).toEqual([true, true]);
      expect(between.every(({ value }) => value > 40)).toBe(true);
    }
    const breaches = reports.flatMap(({ metrics }) => Object.values(metrics)).filter((value) => value > 50);
    expect(breaches.length).toBeGreaterThan(episodes.length);
  });
});

describe("the judge of a round", () => {
  const episode: Episode = {
    ...{ device: "pump-1", rule: "alone" },
    fired: { at: T0, value: 90 },
    cleared: { at: T0 + 1_000, value: 10 },
  };
  const alert = {
    ...{ id: "alone.0.1.pump-1", revision: 2, state: "resolved", resolution: "cleared", zone: "north" },
    ...{ device: "pump-1", rule: { id: "alone" }, incident: "north.1" },
    reading: { ...episode.fired, receivedAt: T0 },
    clearedBy: { ...episode.cleared, receivedAt: T0 },
  } as ListedAlert;
  const HISTORY = ["fired", "resolved"];
  const KEYS = ["north.1.fire.0", "north.1.resolve.0"];

  interface Told {
    episodes?: Episode[];
    alerts?: ListedAlert[];
    history?: string[];
    keys?: string[];
    acknowledged?: string[];
  }

  /** What it says of a world with this one alert, told to both channels by messages of these keys. */
  async function judge(told: Told = {}): Promise<Partial<AlertDifference>> {
    const {
      episodes = [episode],
      alerts = [alert],
      history = HISTORY,
      keys = KEYS,
      acknowledged = [],
    } = told;
    const incidents = [...new Set(alerts.map(({ incident }) => incident))].map((id) => ({
      ...{ id, state: "resolved" },
      members: alerts.filter(({ incident }) => incident === id).length,
    }));
    const client = {
      alerts: async () => ({ alerts }),
      alert: async () => ({ history: history.map((kind, i) => ({ revision: i + 1, kind })) }),
      incidents: async () => incidents,
      deliveries: async () => ({ counts: {} }),
    } as unknown as AlertClient;
    const webhooks = keys.map((key) => {
      const [zone, number, kind] = key.split(".");
      return { key, kind, body: { alerts, incident: { id: `${zone}.${number}` } } } as unknown as Webhook;
    });
    const round = { episodes } as AlertRound;
    const sent = () => webhooks;
    const { lost, twice, unjustified, unresolved } = await compareAlerts(
      client,
      round,
      new Set(acknowledged),
      sent,
      sent,
    );
    return { lost, twice, unjustified, unresolved };
  }

  const nothing = { lost: 0, twice: 0, unjustified: 0, unresolved: 0 };

  it("[X6] finds nothing in a world where all is well, also when a message came twice", async () => {
    expect(await judge()).toEqual(nothing);
    expect(await judge({ keys: [KEYS[0]!, ...KEYS, KEYS[1]!] })).toEqual(nothing);
  });

  it.each<[string, Told, Partial<AlertDifference>]>([
    ["an episode without an alert", { episodes: [episode, { ...episode, rule: "together" }] }, { lost: 1 }],
    ["an alert without an episode", { episodes: [] }, { unjustified: 5 }],
    ["an event twice", { history: ["fired", "fired", "resolved"] }, { twice: 1, lost: 1 }],
    ["an event missing", { history: ["fired"] }, { lost: 1 }],
    ["an acknowledgement lost", { acknowledged: [alert.id] }, { lost: 1 }],
    ["nobody told", { keys: [] }, { lost: 4, unresolved: 2 }],
    ["a fire missing", { keys: KEYS.slice(1) }, { lost: 2 }],
    ["a fire under two keys", { keys: ["north.1.fire.1", ...KEYS] }, { twice: 2 }],
    ["an alert in two incidents", { keys: [...KEYS, "north.2.fire.0"] }, { twice: 2 }],
    ["no resolve", { keys: KEYS.slice(0, 1) }, { unresolved: 2 }],
    ["two resolves", { keys: [...KEYS, "north.1.resolve.1"] }, { unresolved: 2 }],
    ["a resolve before its fire", { keys: KEYS.toReversed() }, { unresolved: 2 }],
  ])("[X6] sees %s", async (_, told, found) => {
    expect(await judge(told)).toEqual({ ...nothing, ...found });
  });
});

it("[X6] [A20] [A21] [A25] [A31] [A32] [A39] kills, redeliveries, evictions and bad receivers mid-alert: every firing is delivered, none under two keys, none lost", async () => {
  const outcomes = await runRounds({ seed: 1, rounds: 2, servers: 2, play: playAlertRound });
  const faults: FaultCounts = {};
  for (const outcome of outcomes) {
    const { seed, error } = outcome;
    expect({ seed, error }).toEqual({ seed, error: undefined });
    if (outcome.error !== undefined) continue;
    const { lost, twice, unjustified, unresolved, examples, delivered, firings } = outcome;
    expect({ seed, examples }).toEqual({ seed, examples: [] });
    expect([lost, twice, unjustified, unresolved]).toEqual([0, 0, 0, 0]);
    expect(delivered).toBe(firings);
    expect(firings).toBeGreaterThan(50);
    addCounts(faults, outcome.faults);
  }
  expect(Object.keys(faults).length).toBeGreaterThan(15);
}, 240_000);
