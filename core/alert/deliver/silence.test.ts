import { describe, expect, it } from "vitest";
import { type Silence, weeklyHours } from "../../../schemas/channel.ts";
import { type AlertChange, AT, alertOf, resolvedOf, silenceOf } from "./fake-notice.ts";
import { HELD_MS_MAX, heldUntil } from "./silence.ts";

const held = (silences: Partial<Silence>[], ...alerts: AlertChange[]) =>
  heldUntil({ alerts: (alerts.length === 0 ? [{}] : alerts).map(alertOf) }, silences.map(silenceOf), AT);

describe("silence", () => {
  it.each<[string, Partial<Silence>, number | undefined]>([
    ["until its end", { endsAt: AT + 600_000 }, AT + 600_000],
    ["a long one, or one without an end, until it is judged again", {}, AT + HELD_MS_MAX],
    ["not before its start", { startsAt: AT + 1 }, undefined],
    ["from its start", { startsAt: AT, endsAt: AT + 1 }, AT + 1],
    ["not at its end", { endsAt: AT }, undefined],
    [
      "in its hours, until they end",
      { hours: [weeklyHours.parse({ from: "09:00", to: "10:10" })] },
      AT + 600_000,
    ],
    ["not outside of its hours", { hours: [weeklyHours.parse({ from: "10:30", to: "11:00" })] }, undefined],
    [
      "in its hours, but no longer than it lasts",
      { endsAt: AT + 60_000, hours: [weeklyHours.parse({ from: "09:00", to: "12:00" })] },
      AT + 60_000,
    ],
    ["whose zone fits", { matcher: { zone: "north" }, endsAt: AT + 1 }, AT + 1],
    ["whose zone does not", { matcher: { zone: "south" } }, undefined],
    ["whose device does not", { matcher: { device: "pump-2" } }, undefined],
    ["whose model does not", { matcher: { model: "P300" } }, undefined],
    ["whose rule does not", { matcher: { rule: "too-cold" } }, undefined],
    ["whose severity does not", { matcher: { severity: "info" } }, undefined],
    [
      "of which all fits",
      {
        matcher: { zone: "north", device: "pump-1", model: "P200", rule: "too-hot", severity: "critical" },
        endsAt: AT + 1,
      },
      AT + 1,
    ],
    ["of which not all fits", { matcher: { zone: "north", device: "pump-2" } }, undefined],
  ])("[A29] %s", (_, silence, untilMs) => {
    expect(held([silence])).toBe(untilMs);
  });

  it("[A29] one member that is not silenced is told", () => {
    const silences = [{ matcher: { device: "pump-1" } }];
    expect(held(silences, { device: "pump-1" }, { device: "pump-2" })).toBeUndefined();
    expect(held(silences, { device: "pump-1" }, { device: "pump-1" })).toBe(AT + HELD_MS_MAX);
  });

  it("[A29] held until the first of them may be told; of a member silenced twice until the later end", () => {
    const silences = [
      { matcher: { device: "pump-1" }, endsAt: AT + 1_000 },
      { matcher: { device: "pump-2" }, endsAt: AT + 3_000 },
      { matcher: { device: "pump-1" }, endsAt: AT + 2_000 },
    ];
    expect(held(silences, { device: "pump-1" }, { device: "pump-2" })).toBe(AT + 2_000);
  });

  it("[A29] active members count; only when there is none, all", () => {
    const silences = [silenceOf({ matcher: { device: "pump-1" }, endsAt: AT + 1 })];
    const over = resolvedOf({ device: "pump-2" });
    expect(heldUntil({ alerts: [alertOf(), over] }, silences, AT)).toBe(AT + 1);
    expect(heldUntil({ alerts: [resolvedOf(), over] }, silences, AT)).toBeUndefined();
    expect(heldUntil({ alerts: [resolvedOf()] }, silences, AT)).toBe(AT + 1);
  });

  it("[A26] [A29] a member that the zone muted has no say, and whether it is muted the zone alone decides", () => {
    const rule = { condition: { type: "no_data" as const, afterMs: 60_000 } };
    const gateway = alertOf({ id: "gw", device: "gw", state: "no_data", rule });
    const behind = alertOf({ id: "behind", device: "pump-1", gateway: "gw", state: "no_data", rule });
    const silences = [silenceOf({ matcher: { device: "gw" }, endsAt: AT + 1 })];
    const alerts = [gateway, behind];
    expect(heldUntil({ alerts, muted: ["behind"] }, silences, AT)).toBe(AT + 1);
    // Its gateway lacks only a metric, say: the device is told of, so the silence has to cover it too.
    expect(heldUntil({ alerts }, silences, AT)).toBeUndefined();
    // Its gateway has no data by another rule, and so is in another incident.
    expect(heldUntil({ alerts: [behind], muted: ["behind"] }, silences, AT)).toBeUndefined();
  });

  it("[A29] nothing is held where nothing is silenced", () => {
    expect(held([])).toBeUndefined();
    expect(heldUntil({ alerts: [] }, [silenceOf()], AT)).toBeUndefined();
  });
});
