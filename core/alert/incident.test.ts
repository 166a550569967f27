import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { AlertEvent } from "../../schemas/alert.ts";
import { MEMBERS_MAX } from "./incident.ts";
import {
  acknowledged,
  commented,
  fired,
  firing,
  PlayedZone,
  resolved,
  silent,
  T0,
} from "./incident-test-support.ts";

const S = 1_000;
const MINUTE = 60 * S;
const HOUR = 60 * MINUTE;
const range = (count: number) => Array.from({ length: count }, (_, index) => index);

describe("who belongs together", () => {
  it.each<[string, firedMs: number[], groupWithinMs: number, incidents: number]>([
    ["one alone", [0], 60_000, 1],
    ["two within the minute", [0, 60_000], 60_000, 1],
    ["two a moment further apart", [0, 60_001], 60_000, 2],
    ["each within a minute of the one before", [0, 50_000, 100_000, 150_000], 60_000, 1],
    ["a gap in between", [0, 50_000, 111_000, 150_000], 60_000, 2],
    ["one that fired earlier and is heard later", [60_000, 10_000, 120_000], 60_000, 1],
    ["none is grouped", [0, 0, 1], 0, 3],
  ])("[A23] %s", (_, firedMs, groupWithinMs, incidents) => {
    const zone = new PlayedZone();
    for (const [index, ms] of firedMs.entries()) {
      zone.at(
        Math.max(...firedMs.slice(0, index + 1)),
        fired(firing(`d${index}`, ms, { rule: { groupWithinMs } })),
      );
    }
    expect(zone.incidents()).toHaveLength(incidents);
    expect(new Set(zone.incidents().map(({ id }) => id)).size).toBe(incidents);
    expect(zone.incidents().reduce((sum, { members }) => sum + members, 0)).toBe(firedMs.length);
  });

  it("[A23] another rule is another incident, and so is what fires when the first is over", () => {
    const zone = new PlayedZone();
    const one = firing("d1");
    zone.at(0, fired(one), fired(firing("d1", 0, { rule: { id: "other" } })));
    zone.at(S, resolved(one, S));
    zone.at(2 * S, fired(firing("d2", 2 * S)));
    expect(zone.incidents()).toMatchObject([
      { id: "north.1", state: "resolved", members: 1, active: 0, rule: { id: "hot" }, resolvedAt: T0 + S },
      { id: "north.2", state: "firing", members: 1, rule: { id: "other" } },
      { id: "north.3", state: "firing", members: 1, rule: { id: "hot" } },
    ]);
  });

  it("[A23] an incident that does not end takes so many members and no more", () => {
    const zone = new PlayedZone();
    const many = Array.from({ length: MEMBERS_MAX + 1 }, (_, i) => fired(firing(`d${i}`)));
    zone.at(0, ...many);
    expect(zone.incidents().map(({ members }) => members)).toEqual([MEMBERS_MAX, 1]);
    expect(zone.notices).toEqual(["0 north.1.fire.0", "0 north.2.fire.0"]);
  });

  it("[A23] an incident over in the middle of a call takes none of what follows, an older one that is open does", () => {
    const old = firing("d1");
    const newer = firing("d2", 0, { rule: { groupWithinMs: 0 } });
    const zone = new PlayedZone();
    zone.at(0, fired(old));
    zone.at(S, fired(newer), resolved(newer, S), fired(firing("d3", S)));
    expect(zone.incidents()).toMatchObject([
      { id: "north.1", members: 2 },
      { id: "north.2", members: 1, state: "resolved" },
    ]);
  });
});

describe("what people are told", () => {
  it("[A24] the first at once; who joins in one update when it is calm", () => {
    const zone = new PlayedZone();
    for (const second of [0, 3, 9, 14]) zone.at(second * S, fired(firing(`d${second}`, second * S)));
    zone.until(HOUR);
    expect(zone.notices).toEqual(["0 north.1.fire.0", "24 north.1.update.0"]);
  });

  it("[A24] joining that does not calm is told after a minute, and then every five", () => {
    const zone = new PlayedZone();
    for (const i of range(100)) zone.at(i * 5 * S, fired(firing(`d${i}`, i * 5 * S)));
    zone.until(HOUR);
    expect(zone.notices).toEqual([
      "0 north.1.fire.0",
      "65 north.1.update.0",
      "365 north.1.update.1",
      "665 north.1.update.2",
    ]);
  });

  it("[A25] the end is told once, and an update that was due later is not", () => {
    const zone = new PlayedZone();
    const alerts = range(3).map((i) => firing(`d${i}`, i * S));
    for (const [i, alert] of alerts.entries()) zone.at(i * S, fired(alert));
    for (const [i, alert] of alerts.entries()) zone.at((5 + i) * S, resolved(alert, (5 + i) * S));
    zone.until(HOUR);
    expect(zone.notices).toEqual(["0 north.1.fire.0", "7 north.1.resolve.0"]);
    expect(zone.incidents()).toMatchObject([
      { state: "resolved", active: 0, members: 3, resolvedAt: T0 + 7 * S },
    ]);
  });

  it("[A25] what is said of a resolved alert changes its incident and makes no message", () => {
    const zone = new PlayedZone();
    const alert = firing("d1");
    const end = resolved(alert, S);
    zone.at(0, fired(alert));
    zone.at(S, end);
    const [before] = zone.incidents();
    const outcome = zone.at(2 * S, commented(end.alert, 2 * S));
    expect(outcome).toMatchObject({ taken: [{ incident: "north.1" }], notices: [] });
    expect(zone.incidents()).toEqual([{ ...before, revision: before!.revision + 1 }]);
  });

  it("[A25] what is said of an alert long over and forgotten opens nothing", () => {
    const zone = new PlayedZone();
    const outcome = zone.at(0, commented(resolved(firing("d1"), 0).alert, S));
    expect(outcome).toMatchObject({ taken: [{ number: null, incident: null }], notices: [] });
    expect(zone.incidents()).toEqual([]);
  });

  it("[A23] [A24] [A25] five hundred devices within a minute: one incident, three messages", () => {
    const zone = new PlayedZone();
    const alerts = range(500).map((i) => firing(`d${i}`, i * 100));
    for (const alert of alerts) zone.at(alert.firedAt - T0, fired(alert));
    for (const [i, alert] of alerts.entries())
      zone.at(10 * MINUTE + i * 100, resolved(alert, 10 * MINUTE + i * 100));
    zone.until(HOUR);
    expect(zone.notices).toEqual(["0 north.1.fire.0", "59.9 north.1.update.0", "649.9 north.1.resolve.0"]);
    expect(zone.incidents()).toMatchObject([{ members: 500, active: 0, state: "resolved" }]);
  });
});

describe("a gateway that is silent", () => {
  const cases: [title: string, play: (zone: PlayedZone) => void, notices: string[]][] = [
    [
      "a device waits five seconds for it, and is told when it speaks",
      (zone) => zone.at(0, fired(silent("d1", 0, "gw"))),
      ["5 north.1.fire.0"],
    ],
    [
      "the gateway itself does not wait, and mutes those already waiting",
      (zone) => {
        zone.at(0, fired(silent("d1", 0, "gw")), fired(silent("d2", 0, "gw")));
        zone.at(4 * S, fired(silent("gw", 4 * S)));
      },
      ["4 north.1.fire.0"],
    ],
    [
      "who falls silent after it is muted at once",
      (zone) => {
        zone.at(0, fired(silent("gw")));
        for (const i of range(50)) zone.at((2 + i) * MINUTE, fired(silent(`d${i}`, (2 + i) * MINUTE, "gw")));
      },
      ["0 north.1.fire.0"],
    ],
    [
      "who was muted and speaks again says nothing",
      (zone) => {
        const device = silent("d1", 2 * MINUTE, "gw");
        zone.at(0, fired(silent("gw")));
        zone.at(2 * MINUTE, fired(device));
        zone.at(3 * MINUTE, resolved(device, 3 * MINUTE));
      },
      ["0 north.1.fire.0"],
    ],
    [
      "who outlasts it by a minute is told, who does not is not",
      (zone) => {
        const gateway = silent("gw");
        const devices = range(3).map((i) => silent(`d${i}`, 2 * MINUTE, "gw"));
        zone.at(0, fired(gateway));
        zone.at(2 * MINUTE, ...devices.map(fired));
        zone.at(10 * MINUTE, resolved(gateway, 10 * MINUTE));
        zone.at(10 * MINUTE + 30 * S, resolved(devices[0]!, 10 * MINUTE + 30 * S));
      },
      ["0 north.1.fire.0", "600 north.1.resolve.0", "660 north.2.fire.0"],
    ],
    [
      "in an incident already told, who outlasts it comes with an update",
      (zone) => {
        const gateway = silent("gw");
        zone.at(0, fired(gateway), fired(silent("d1", 0, "gw")));
        zone.at(10 * MINUTE, resolved(gateway, 10 * MINUTE));
      },
      ["0 north.1.fire.0", "670 north.1.update.0"],
    ],
    [
      "it falls silent again within the minute: who is behind it stays muted",
      (zone) => {
        const gateway = silent("gw");
        zone.at(0, fired(gateway), fired(silent("d1", 0, "gw")));
        zone.at(10 * MINUTE, resolved(gateway, 10 * MINUTE));
        zone.at(10 * MINUTE + 30 * S, fired({ ...silent("gw", 10 * MINUTE + 30 * S), id: "silent.0.2.gw" }));
      },
      ["0 north.1.fire.0", "630 north.2.fire.0"],
    ],
    [
      "a device that speaks before its five seconds are over says nothing",
      (zone) => {
        const device = silent("d1", 0, "gw");
        zone.at(0, fired(device));
        zone.at(3 * S, resolved(device, 3 * S));
      },
      [],
    ],
    [
      "through a gateway behind a gateway",
      (zone) => {
        zone.at(0, fired(silent("root")), fired(silent("gw", 0, "root")), fired(silent("d1", 0, "gw")));
      },
      ["0 north.1.fire.0"],
    ],
    [
      "gateways in a circle mute nobody",
      (zone) => {
        zone.at(0, fired(silent("a", 0, "b")), fired(silent("b", 0, "a")), fired(silent("d1", 0, "a")));
      },
      ["5 north.1.fire.0"],
    ],
    [
      "its own gateway mutes nothing of itself",
      (zone) => zone.at(0, fired(silent("gw", 0, "gw")), fired(silent("d1", 0, "gw"))),
      ["0 north.1.fire.0"],
    ],
    [
      "one of its metrics that is silent explains nothing",
      (zone) => zone.at(0, fired({ ...silent("gw"), metric: "pm" }), fired(silent("d1", 0, "gw"))),
      ["0 north.1.fire.0", "15 north.1.update.0"],
    ],
    [
      "what is not about silence is never muted",
      (zone) => zone.at(0, fired(silent("gw")), fired({ ...firing("d1"), gateway: "gw" })),
      ["0 north.1.fire.0", "0 north.2.fire.0"],
    ],
    [
      "all muted, nothing is told, nothing escalates, and its end neither",
      (zone) => {
        const rule = { id: "deaf", escalation: [{ afterMs: 60_000, channels: null }] };
        const device = firing("d1", 2 * MINUTE, { gateway: "gw", rule });
        zone.at(0, fired(silent("gw")));
        zone.at(2 * MINUTE, fired(device));
        zone.at(30 * MINUTE, resolved(device, 30 * MINUTE));
      },
      ["0 north.1.fire.0"],
    ],
  ];
  it.each(cases)("[A26] %s", (_, play, notices) => {
    const zone = new PlayedZone();
    play(zone);
    zone.until(HOUR);
    expect(zone.notices).toEqual(notices);
    for (const { members, active, muted } of zone.incidents())
      expect(muted <= active && active <= members).toBe(true);
  });
});

describe("a zone that was away", () => {
  const begin = () => {
    const zone = new PlayedZone();
    const gateway = silent("gw");
    const devices = range(3).map((i) => silent(`d${i}`, 2 * MINUTE, "gw"));
    zone.at(0, fired(gateway));
    zone.at(2 * MINUTE, ...devices.map(fired));
    zone.at(10 * MINUTE, resolved(gateway, 10 * MINUTE));
    return { zone, devices };
  };

  it("[A64] gives the devices behind a gateway that is back their minute again: who is heard in it is not told of", () => {
    const { zone, devices } = begin();
    zone.awayUntil(14 * MINUTE);
    for (const device of devices.slice(0, 2)) zone.at(14.5 * MINUTE, resolved(device, 14.5 * MINUTE));
    zone.until(HOUR);
    expect(zone.notices).toEqual(["0 north.1.fire.0", "600 north.1.resolve.0", "900 north.2.fire.0"]);
    expect(zone.incidents()[1]).toMatchObject({ members: 3, active: 1 });
  });

  it("[A64] for an hour, however often it is away, and not for a few seconds", () => {
    const { zone } = begin();
    for (let minute = 14; minute < 80; minute += 3) zone.awayUntil(minute * MINUTE);
    expect(zone.notices.slice(2)).toEqual(["4260 north.2.fire.0"]);
    const late = begin().zone;
    late.awayUntil(11 * MINUTE + 9 * S);
    expect(late.notices.slice(2)).toEqual(["669 north.2.fire.0"]);
  });
});

describe("nobody answers", () => {
  const escalation = [
    { afterMs: 10 * MINUTE, channels: ["boss"] },
    { afterMs: 5 * MINUTE, channels: null },
  ];
  const alert = firing("d1", 0, { rule: { escalation } });

  it("[A27] step by step, the earliest first, each to its channels", () => {
    const zone = new PlayedZone();
    zone.at(0, fired(alert));
    zone.until(HOUR);
    expect(zone.notices).toEqual(["0 north.1.fire.0", "300 north.1.escalate.0", "600 north.1.escalate.1"]);
    expect(zone.channels).toEqual([null, null, ["boss"]]);
    expect(zone.incidents()).toMatchObject([{ escalated: 2 }]);
  });

  it("[A27] until the first member is acknowledged", () => {
    const zone = new PlayedZone();
    zone.at(0, fired(alert), fired(firing("d2", 0, { rule: { escalation } })));
    zone.at(6 * MINUTE, acknowledged(alert, 6 * MINUTE));
    zone.at(7 * MINUTE, acknowledged(firing("d2", 0, { rule: { escalation } }), 7 * MINUTE, "bob"));
    zone.until(HOUR);
    expect(zone.notices).toEqual(["0 north.1.fire.0", "300 north.1.escalate.0"]);
    const at = T0 + 6 * MINUTE;
    expect(zone.incidents()).toMatchObject([
      { state: "acknowledged", acknowledgedAt: at, acknowledgedBy: "ada", escalated: 1 },
    ]);
  });

  it("[A27] or it is over", () => {
    const zone = new PlayedZone();
    zone.at(0, fired(alert));
    zone.at(MINUTE, resolved(alert, MINUTE));
    zone.until(HOUR);
    expect(zone.notices).toEqual(["0 north.1.fire.0", "60 north.1.resolve.0"]);
  });
});

describe("what is repeated", () => {
  /** Lives of alerts, device by device: when each event comes, and how often its device has to tell it. */
  const life = fc.record({
    gateway: fc.constantFrom(null, "d0", "d1"),
    isSilent: fc.boolean(),
    firedMs: fc.integer({ min: 0, max: 120 }),
    ackAfter: fc.option(fc.integer({ min: 0, max: 200 })),
    lastsS: fc.option(fc.integer({ min: 0, max: 400 })),
  });
  const history = fc.array(life, { minLength: 1, maxLength: 8 }).map((lives) =>
    lives.flatMap(({ gateway, isSilent, firedMs, ackAfter, lastsS }, i) => {
      const startMs = firedMs * S;
      const escalation = [{ afterMs: MINUTE, channels: null }];
      const alert = firing(
        `d${i}`,
        startMs,
        isSilent ? { gateway, rule: { escalation } } : { rule: { escalation } },
      );
      const events: [number, AlertEvent][] = [[startMs, fired(alert)]];
      if (ackAfter !== null) {
        const atMs = startMs + ackAfter * S;
        events.push([atMs, acknowledged(alert, atMs)]);
      }
      if (lastsS !== null) {
        const [lastMs, { alert: last }] = events.at(-1)!;
        events.push([lastMs + lastsS * S, resolved(last, lastMs + lastsS * S)]);
      }
      return events.map((event, index) => ({ event, index, device: i }));
    }),
  );

  it("[A21] [A23] [A24] [A25] [A26] [A27] any repetition in order gives the same incidents and the same messages", () => {
    fc.assert(
      fc.property(
        history,
        fc.array(fc.nat({ max: 3 }), { minLength: 24, maxLength: 24 }),
        (events, repeats) => {
          const inTime = events.toSorted(
            (a, b) => a.event[0] - b.event[0] || a.device - b.device || a.index - b.index,
          );
          const play = (isRepeated: boolean) => {
            const zone = new PlayedZone();
            const told = new Map<number, AlertEvent[]>();
            for (const [i, { event, device }] of inTime.entries()) {
              const [atMs, one] = event;
              const before = told.get(device) ?? [];
              told.set(device, [...before, one]);
              // Its device did not hear the answer and tells again, from an event it told before.
              const again = isRepeated
                ? before.slice(before.length - (repeats[i % repeats.length]! % (before.length + 1)))
                : [];
              zone.at(atMs, ...again, one);
              if (isRepeated)
                for (let n = repeats[i % repeats.length]!; n > 0; n--) zone.at(atMs, ...again, one);
            }
            zone.until(HOUR);
            return zone;
          };
          const [once, often] = [play(false), play(true)];
          expect(often.notices).toEqual(once.notices);
          expect(often.incidents()).toEqual(once.incidents());
          // None is told twice, none ends untold that was told, and what is counted adds up.
          expect(new Set(once.notices.map((notice) => notice.split(" ")[1])).size).toBe(once.notices.length);
          for (const { id, state, members, active, muted } of once.incidents()) {
            const of = once.notices
              .filter((notice) => notice.includes(` ${id}.`))
              .map((notice) => notice.split(" ")[1]);
            if (of.length > 0) expect(of[0]).toBe(`${id}.fire.0`);
            expect(of.includes(`${id}.resolve.0`)).toBe(state === "resolved" && of.length > 0);
            expect(muted <= active && active <= members && (active === 0) === (state === "resolved")).toBe(
              true,
            );
            // Whoever is active and not muted was told of.
            if (active > muted) expect(of.length).toBeGreaterThan(0);
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});
