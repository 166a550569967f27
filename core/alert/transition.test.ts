import { describe, expect, it } from "vitest";
import type { Verdict } from "./condition/verdict.ts";
import { type Limits, OK, type Phase, transition } from "./transition.ts";

const now = { t: 1_000_000, receivedAt: 2_000_000 };
const ago = (t: number, receivedAt = t) => ({ t: now.t - t, receivedAt: now.receivedAt - receivedAt });
const pending = (since = ago(0), count = 1): Phase => ({ state: "pending", since, count });
const firing = (calmSince: { t: number; receivedAt: number } | null = null): Phase => ({
  state: "firing",
  calmSince,
});
const latched: Phase = { state: "latched" };
const lasts = (forMs: number, count = 1): Partial<Limits> => ({ forMs, count });
const cooling = (leftMs: number): Partial<Limits> => ({ quietUntil: now.receivedAt + leftMs });

describe("transition", () => {
  it.each<[string, Phase, Verdict, Partial<Limits>, Phase]>([
    ["[A11] a breach that has to last is pending", OK, "breach", lasts(1), pending()],
    ["[A11] as is one that has to come twice", OK, "breach", lasts(0, 2), pending()],
    ["[A11] a reading that clears makes it ok", pending(ago(9)), "clear", lasts(10), OK],
    ["[A11] one between the levels changes nothing", pending(ago(9)), "unknown", lasts(1), pending(ago(9))],
    ["[A11] ok stays ok", OK, "clear", lasts(10), OK],
    ["[A12] nothing has to last: it fires at once", OK, "breach", {}, firing()],
    ["[A12] it fires when it has lasted", pending(ago(10)), "breach", lasts(10), firing()],
    ["[A5] not a millisecond before", pending(ago(9)), "breach", lasts(10, 2), pending(ago(9), 2)],
    [
      "[A5] what only our clock saw is not enough",
      pending(ago(9, 99)),
      "breach",
      lasts(10, 2),
      pending(ago(9, 99), 2),
    ],
    [
      "A5] nor what only the device's saw",
      pending(ago(99, 9)),
      "breach",
      lasts(10, 2),
      pending(ago(99, 9), 2),
    ],
    ["[A5] so many in a row", pending(ago(9), 2), "breach", lasts(0, 3), firing()],
    ["[A5] one fewer is too few", pending(ago(9), 1), "breach", lasts(0, 3), pending(ago(9), 2)],
    ["[A5] long enough, but too few", pending(ago(99), 1), "breach", lasts(10, 3), pending(ago(99), 2)],
    ["[A13] a breach changes nothing while it fires", firing(), "breach", {}, firing()],
    ["[A14] a reading that clears resolves", firing(), "clear", {}, OK],
    ["[A14] one between the levels does not", firing(), "unknown", {}, firing()],
    ["[A15] resolved by hand, a breach is silent", latched, "breach", {}, latched],
    ["[A15] as is what is between the levels", latched, "unknown", {}, latched],
    ["[A15] until it was clear once", latched, "clear", {}, OK],
    ["[A18] within the cooldown it stays pending", OK, "breach", cooling(1), pending()],
    ["[A18] at its end it fires", pending(ago(50), 1), "breach", cooling(0), firing()],
    ["[A18] also when it has lasted for long", pending(ago(50)), "breach", cooling(1), pending(ago(50))],
    ["[A19] a flapping rule begins to be calm", firing(), "clear", { calmMs: 10 }, firing(ago(0))],
    ["[A19] and stays so", firing(ago(9)), "clear", { calmMs: 10 }, firing(ago(9))],
    ["[A19] through readings between the levels", firing(ago(9)), "unknown", { calmMs: 10 }, firing(ago(9))],
    ["[A19] until a breach", firing(ago(9)), "breach", { calmMs: 10 }, firing()],
    ["[A19] or until both clocks saw it calm", firing(ago(10)), "clear", { calmMs: 10 }, OK],
    ["[A19] one clock is not enough", firing(ago(10, 9)), "clear", { calmMs: 10 }, firing(ago(10, 9))],
  ])("%s", (_title, phase, verdict, limits, after) => {
    const before = structuredClone(phase);
    expect(
      transition(phase, verdict, now, { forMs: 0, count: 1, quietUntil: null, calmMs: 0, ...limits }),
    ).toEqual(after);
    expect(phase).toEqual(before);
  });
});
