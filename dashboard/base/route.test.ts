import { describe, expect, it } from "vitest";
import {
  alertsLink,
  deviceLink,
  incidentLink,
  parseRoute,
  ruleLink,
  tokenInFragment,
  zoneLink,
} from "./route.ts";

describe("parseRoute", () => {
  it.each([
    ["", { page: "fleet" }],
    ["#/", { page: "fleet" }],
    ["#/nowhere/x", { page: "fleet" }],
    ["#/zones/", { page: "fleet" }],
    ["#/zones/%", { page: "fleet" }],
    ["#/zones/hall-2", { page: "zone", zone: "hall-2" }],
    [
      "#/devices/pump:1",
      { page: "device", device: "pump:1", metrics: [], range: null, from: null, to: null },
    ],
    [
      "#/devices/p?metric=a&metric=b%26c&range=6h",
      { page: "device", device: "p", metrics: ["a", "b&c"], range: "6h", from: null, to: null },
    ],
    [
      "#/devices/p?from=x&to=1488322800000",
      { page: "device", device: "p", metrics: [], range: null, from: null, to: 1488322800000 },
    ],
    ["#/alerts", { page: "alerts", state: null, zone: null }],
    ["#/alerts?state=firing&zone=hall-2", { page: "alerts", state: "firing", zone: "hall-2" }],
    ["#/alerts/hall.2.17", { page: "incident", id: "hall.2.17" }],
    ["#/alerts/too-hot.0.1.pump%3A1", { page: "incident", id: "too-hot.0.1.pump:1" }],
    ["#/channels", { page: "channels" }],
    ["#/rules", { page: "rules" }],
    ["#/rules/new", { page: "rule", rule: "new" }],
  ])("%s", (fragment, route) => {
    expect(parseRoute(fragment)).toEqual(route);
  });

  it("reads back what the links write", () => {
    expect(parseRoute(zoneLink("a:b.c"))).toEqual({ page: "zone", zone: "a:b.c" });
    expect(parseRoute(incidentLink("a:b.c.1"))).toEqual({ page: "incident", id: "a:b.c.1" });
    expect(parseRoute(alertsLink({ zone: "a&b" }))).toEqual({ page: "alerts", state: null, zone: "a&b" });
    expect(parseRoute(ruleLink("too-hot"))).toEqual({ page: "rule", rule: "too-hot" });
    expect(parseRoute(ruleLink(null))).toEqual({ page: "rule", rule: null });
    const view = { metrics: ["PM2.5", "a,b=c d"], range: "7d", from: 5, to: 1488322800000 };
    expect(parseRoute(deviceLink("x", view))).toEqual({ page: "device", device: "x", ...view });
  });
});

describe("tokenInFragment", () => {
  it.each([
    ["#token=abc.def-_1", "abc.def-_1"],
    ["#/token=abc", "abc"],
    ["#/zones/x", null],
    ["#token=", null],
    ["", null],
  ])("%s", (fragment, token) => {
    expect(tokenInFragment(fragment)).toBe(token);
  });
});
