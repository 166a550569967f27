import { describe, expect, it } from "vitest";
import { type Standing, take } from "./take.ts";

const NEW: Standing = { isTold: false, isOver: false, isKnown: false, isHeld: false, waiting: [] };
const TOLD: Standing = { ...NEW, isTold: true, isKnown: true };
const waits = (...kinds: string[]): Standing => ({
  ...NEW,
  isKnown: true,
  waiting: kinds.map((kind, i) => ({
    seq: i + 1,
    kind: kind.replace("!", ""),
    isRunning: kind.endsWith("!"),
  })),
});
const ROOM = { takenCount: 0, perHourMax: 60 };
const FULL = { takenCount: 60, perHourMax: 60 };

describe("what becomes of a message", () => {
  it.each(["fire", "update", "escalate"] as const)("[A32] a first %s waits to be sent", (kind) => {
    expect(take(kind, "warning", NEW, ROOM)).toEqual({
      state: "waiting",
      overtakes: [],
      revivesResolve: false,
    });
  });

  it.each([
    ["told", TOLD, "waiting"],
    ["waiting", waits("fire"), "waiting"],
    ["held back", { ...NEW, isKnown: true, isHeld: true }, "dropped"],
    ["given up", { ...NEW, isKnown: true }, "dropped"],
    ["never heard of here", NEW, "unconcerned"],
    ["resolved here before", { ...TOLD, isOver: true }, "dropped"],
  ] as const)("[A32] the resolve of an incident that is %s", (_, standing, state) => {
    expect(take("resolve", "warning", standing, ROOM).state).toBe(state);
  });

  it("[A32] a fire after its resolve is sent, and brings the resolve after it", () => {
    const late = { ...NEW, isOver: true };
    expect(take("fire", "warning", late, ROOM)).toMatchObject({ state: "waiting", revivesResolve: true });
    expect(take("update", "warning", late, ROOM)).toMatchObject({ state: "waiting", revivesResolve: true });
  });

  it.each(["fire", "update", "escalate"] as const)(
    "[A32] a late %s of what was told and resolved is dropped",
    (kind) => {
      expect(take(kind, "critical", { ...TOLD, isOver: true }, ROOM).state).toBe("dropped");
    },
  );

  it("[A30] over the budget it is held, unless it is critical", () => {
    expect(take("fire", "warning", NEW, FULL)).toMatchObject({
      state: "held",
      error: expect.stringContaining("60"),
    });
    expect(take("update", "info", TOLD, FULL).state).toBe("held");
    expect(take("fire", "critical", NEW, FULL).state).toBe("waiting");
  });

  it("[A30] [A32] a resolve of what was told is never held", () => {
    expect(take("resolve", "warning", TOLD, FULL).state).toBe("waiting");
  });

  it("[A30] what a held fire leads to: no update, but an escalation as room allows", () => {
    const held = { ...NEW, isKnown: true, isHeld: true };
    expect(take("update", "warning", held, ROOM).state).toBe("dropped");
    expect(take("escalate", "warning", held, ROOM).state).toBe("waiting");
    expect(take("escalate", "warning", held, FULL).state).toBe("held");
    // An incident whose update was held has been told of all the same.
    expect(take("update", "warning", { ...TOLD, isHeld: true }, ROOM).state).toBe("waiting");
  });

  it("[A24] of several updates that wait only the newest is sent", () => {
    expect(take("update", "warning", waits("fire", "update", "update"), ROOM)).toMatchObject({
      overtakes: [2, 3],
    });
    expect(take("update", "warning", { ...waits("update"), isTold: true }, ROOM)).toMatchObject({
      overtakes: [1],
    });
    expect(take("update", "warning", waits("fire", "update!"), ROOM)).toMatchObject({ overtakes: [] });
    expect(take("fire", "warning", waits("update"), ROOM)).toMatchObject({ overtakes: [] });
    expect(take("escalate", "warning", waits("fire", "update"), ROOM)).toMatchObject({ overtakes: [] });
  });

  it("[A32] a resolve overtakes updates, but never the only message of its incident", () => {
    expect(take("resolve", "warning", waits("fire", "update"), ROOM)).toMatchObject({ overtakes: [2] });
    expect(take("resolve", "warning", waits("update"), ROOM)).toMatchObject({ overtakes: [] });
    expect(take("resolve", "warning", { ...waits("update"), isTold: true }, ROOM)).toMatchObject({
      overtakes: [1],
    });
    expect(take("resolve", "warning", waits("update!", "update"), ROOM)).toMatchObject({ overtakes: [2] });
  });
});
