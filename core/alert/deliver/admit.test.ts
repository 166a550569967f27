import { describe, expect, it } from "vitest";
import { admit, type Standing } from "./admit.ts";

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
    expect(admit(kind, "warning", NEW, ROOM)).toEqual({
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
    expect(admit("resolve", "warning", standing, ROOM).state).toBe(state);
  });

  it("[A32] a fire after its resolve is sent, and brings the resolve after it", () => {
    const late = { ...NEW, isOver: true };
    expect(admit("fire", "warning", late, ROOM)).toMatchObject({ state: "waiting", revivesResolve: true });
    expect(admit("update", "warning", late, ROOM)).toMatchObject({ state: "waiting", revivesResolve: true });
  });

  it.each(["fire", "update", "escalate"] as const)(
    "[A32] a late %s of what was told and resolved is dropped",
    (kind) => {
      expect(admit(kind, "critical", { ...TOLD, isOver: true }, ROOM).state).toBe("dropped");
    },
  );

  it("[A30] over the budget it is held, unless it is critical", () => {
    expect(admit("fire", "warning", NEW, FULL)).toMatchObject({
      state: "held",
      error: expect.stringContaining("60"),
    });
    expect(admit("update", "info", TOLD, FULL).state).toBe("held");
    expect(admit("fire", "critical", NEW, FULL).state).toBe("waiting");
  });

  it("[A30] [A32] a resolve of what was told is never held", () => {
    expect(admit("resolve", "warning", TOLD, FULL).state).toBe("waiting");
  });

  it("[A30] what a held fire leads to: no update, but an escalation as room allows", () => {
    const held = { ...NEW, isKnown: true, isHeld: true };
    expect(admit("update", "warning", held, ROOM).state).toBe("dropped");
    expect(admit("escalate", "warning", held, ROOM).state).toBe("waiting");
    expect(admit("escalate", "warning", held, FULL).state).toBe("held");
    // An incident whose update was held has been told of all the same.
    expect(admit("update", "warning", { ...TOLD, isHeld: true }, ROOM).state).toBe("waiting");
  });

  it("[A24] of several updates that wait only the newest is sent", () => {
    expect(admit("update", "warning", waits("fire", "update", "update"), ROOM)).toMatchObject({
      overtakes: [2, 3],
    });
    expect(admit("update", "warning", { ...waits("update"), isTold: true }, ROOM)).toMatchObject({
      overtakes: [1],
    });
    expect(admit("update", "warning", waits("fire", "update!"), ROOM)).toMatchObject({ overtakes: [] });
    expect(admit("fire", "warning", waits("update"), ROOM)).toMatchObject({ overtakes: [] });
    expect(admit("escalate", "warning", waits("fire", "update"), ROOM)).toMatchObject({ overtakes: [] });
  });

  it("[A32] a resolve overtakes updates, but never the only message of its incident", () => {
    expect(admit("resolve", "warning", waits("fire", "update"), ROOM)).toMatchObject({ overtakes: [2] });
    expect(admit("resolve", "warning", waits("update"), ROOM)).toMatchObject({ overtakes: [] });
    expect(admit("resolve", "warning", { ...waits("update"), isTold: true }, ROOM)).toMatchObject({
      overtakes: [1],
    });
    expect(admit("resolve", "warning", waits("update!", "update"), ROOM)).toMatchObject({ overtakes: [2] });
  });
});
