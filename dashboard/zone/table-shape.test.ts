import { describe, expect, it } from "vitest";
import type { DeviceGlance } from "../../schemas/live.ts";
import { fitColumns, metricColumns, nextSort, orderRows, type Sort, shownColumns } from "./table-shape.ts";

const NOW = 1_000_000;
const glance = (device: string, t: number | null, over: Partial<DeviceGlance> = {}): DeviceGlance => ({
  device,
  zone: "z",
  name: null,
  model: null,
  connected: false,
  lastReceivedAt: NOW,
  metrics: t === null ? {} : { t: { at: 1, value: t, receivedAt: 1 } },
  ...over,
});
const all = { text: "", presence: "all" } as const;
const byName: Sort = { key: { by: "name" }, descending: false };
const byT = (descending: boolean): Sort => ({ key: { by: "metric", metric: "t" }, descending });
const devices = [glance("p-10", 5), glance("p-2", null), glance("p-1", 7), glance("p-3", 5)];

describe("orderRows", () => {
  it("counts in names like people do", () => {
    expect(orderRows(devices, byName, all, NOW)).toEqual(["p-1", "p-2", "p-3", "p-10"]);
    expect(orderRows(devices, { ...byName, descending: true }, all, NOW)[0]).toBe("p-10");
  });

  it("puts devices without the metric last, either way, and equals in name order", () => {
    expect(orderRows(devices, byT(true), all, NOW)).toEqual(["p-1", "p-3", "p-10", "p-2"]);
    expect(orderRows(devices, byT(false), all, NOW)).toEqual(["p-3", "p-10", "p-1", "p-2"]);
  });

  it("filters by text in name, model or id, and by presence", () => {
    const mixed = [
      glance("a", 1, { name: "North Pump" }),
      glance("b", 1, { lastReceivedAt: 0, reportEveryMs: 10, connected: true }),
      glance("c", 1, { lastReceivedAt: null, model: "PX-2" }),
    ];
    expect(orderRows(mixed, byName, { ...all, text: " pump" }, NOW)).toEqual(["a"]);
    expect(orderRows(mixed, byName, { ...all, text: "px" }, NOW)).toEqual(["c"]);
    expect(orderRows(mixed, byName, { text: "", presence: "reporting" }, NOW)).toEqual(["a"]);
    expect(orderRows(mixed, byName, { text: "", presence: "connected" }, NOW)).toEqual(["b"]);
    expect(orderRows(mixed, byName, { text: "", presence: "quiet" }, NOW)).toEqual(["c"]);
  });
});

describe("columns", () => {
  const reading = (value: number) => ({ at: 1, value, receivedAt: 1 });
  const columns = metricColumns([
    glance("a", null, { metrics: { rare: reading(1), t: reading(21.25), u: reading(3) } }),
    glance("b", null, { metrics: { t: reading(20), u: reading(4) } }),
  ]);

  it("list the commonest metric first, with the decimals its values need", () => {
    expect(columns).toEqual([
      { metric: "t", deviceCount: 2, decimals: 2 },
      { metric: "u", deviceCount: 2, decimals: 0 },
      { metric: "rare", deviceCount: 1, decimals: 0 },
    ]);
  });

  it("show the chosen ones, or the first few", () => {
    expect(shownColumns(columns, ["rare", "gone"]).map(({ metric }) => metric)).toEqual(["rare"]);
    expect(shownColumns(columns, null)).toHaveLength(3);
  });
});

describe("[L11] what gives way before names", () => {
  it.each([
    [1_240, 300, 6, { metricCount: 6, hasTrend: true }],
    [1_240, 500, 6, { metricCount: 6, hasTrend: false }],
    [984, 430, 6, { metricCount: 4, hasTrend: false }],
    [984, 430, 2, { metricCount: 4, hasTrend: true }],
    [700, 500, 6, { metricCount: 1, hasTrend: false }],
    [0, 500, 6, { metricCount: 1, hasTrend: false }],
  ])("[L11] %i px with names of %i px and %i metrics: %o", (widthPx, nameWidthPx, columnCount, fit) => {
    expect(fitColumns(widthPx, nameWidthPx, columnCount)).toEqual(fit);
  });
});

describe("nextSort", () => {
  it("turns round on the same column, starts anew on another", () => {
    expect(nextSort(byName, { by: "name" }).descending).toBe(true);
    expect(nextSort(byName, { by: "metric", metric: "t" })).toEqual(byT(true));
    expect(nextSort(byT(true), { by: "metric", metric: "u" }).descending).toBe(true);
    expect(nextSort(byT(true), { by: "name" }).descending).toBe(false);
  });
});
