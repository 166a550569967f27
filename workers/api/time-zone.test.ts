import { env } from "cloudflare:test";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { fleetPointOf, windowPointOf } from "../../core/history/point.ts";
import { localDayAt, localHourAt, offsetMs } from "../../core/time-zone.ts";
import { windowsOfReadings } from "../../core/window/aggregate.ts";
import type { FleetHistoryAnswer, HistoryAnswer, WindowPoint } from "../../schemas/query.ts";
import { computeZoneHours } from "../aggregate/chores/compute-zone-hours.ts";
import { exportHours } from "../aggregate/chores/export-hours.ts";
import type { AggregateEnv } from "../aggregate/env.ts";
import { consumeBlocks } from "../aggregate/queues/consume-blocks.ts";
import { changeSettings } from "../tenant.ts";
import { batchOf, type DeviceStub, HOUR_MS, KeptQueue, packed, problem } from "../test-support.ts";
import { answerOf, ask } from "./api-test-support.ts";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 120_000 });

const TENANT = "zones";
const DAY_MS = 24 * HOUR_MS;
const STEP_MS = 900_000;
/** Before the night in which Lord Howe's summer time begins, until after the one in which Berlin's ends. */
const [FROM, TO] = [Date.UTC(2025, 9, 3), Date.UTC(2025, 9, 28, 9)];
/** What is older is gone from D1: whole UTC days, as retention deletes them. */
const WARM_FROM = Date.UTC(2025, 9, 12);
const at = Array.from({ length: (TO - FROM) / STEP_MS }, (_, i) => FROM + i * STEP_MS);
const value = at.map((_, i) => (i * 37) % 101);

let device: DeviceStub;
beforeAll(async () => {
  device = env.DEVICE.getByName(`${TENANT}/d1`);
  const queue = await new KeptQueue().into(device);
  const readings = at.map((instant, i): [number, Record<string, number>] => [instant, { a: value[i]! }]);
  for (let start = 0; start < at.length - 8; start += 500) {
    const part = readings.slice(start, Math.min(start + 500, at.length - 8));
    await device.report(packed(...part), part.at(-1)![0]);
  }
  await device.seal();
  await consumeBlocks(batchOf(...queue.sent), env as unknown as AggregateEnv);
  const turn = { env: env as unknown as AggregateEnv, cursor: "", untilMs: Number.POSITIVE_INFINITY };
  await computeZoneHours(turn);
  expect(await exportHours(turn)).toBe("");
  await env.WARM_0.batch([
    env.WARM_0.prepare("DELETE FROM rollup WHERE tenant = ? AND start_ms < ?").bind(TENANT, WARM_FROM),
    env.WARM_0.prepare("INSERT INTO retained VALUES (?, ?, 0, 0, 0, 0)").bind(TENANT, WARM_FROM),
  ]);
  await ask(TENANT, "operator", "/v1/devices/d1", { method: "PUT", body: {} });
  // The last two hours are the device's only.
  await device.report(packed(...readings.slice(-8)), TO);
});

const RANGE = `from=${FROM + DAY_MS}&to=${TO}`;
const clock = { headers: { "telltale-clock": String(TO) } };
const path = (query: string) => `/v1/devices/d1/history?metric=a&${query}`;
const answered = (query: string) => answerOf<HistoryAnswer>(ask(TENANT, "viewer", path(query), clock));
const sources = ({ segments }: HistoryAnswer) => segments.map(({ source }) => source);

/** The windows of the readings themselves, from the one that holds the range's start on. */
function expected(timeZone: string, resolution: "1h" | "1d"): WindowPoint[] {
  const windowAt = (instant: number) => (resolution === "1d" ? localDayAt : localHourAt)(instant, timeZone);
  const windows = windowsOfReadings(at, value, windowAt).map(windowPointOf);
  return windows.filter(({ endMs }) => endMs > FROM + DAY_MS);
}

describe("the runtime", () => {
  it.each([
    ["Europe/Berlin", "2026-07-01T00:00Z", 2],
    ["Asia/Kolkata", "2026-07-01T00:00Z", 5.5],
    ["Asia/Kathmandu", "2026-07-01T00:00Z", 5.75],
    ["Australia/Lord_Howe", "2026-01-01T00:00Z", 11],
    ["America/St_Johns", "2026-01-01T00:00Z", -3.5],
    ["Pacific/Apia", "2011-12-30T09:59Z", -10],
    ["Pacific/Apia", "2011-12-30T10:00Z", 14],
    ["Africa/Monrovia", "1971-01-01T00:00Z", -(44 * 60 + 30) / 3_600],
  ])("[W10] knows %s at %s", (timeZone, instant, hours) => {
    expect(offsetMs(Date.parse(instant), timeZone) / HOUR_MS).toBe(hours);
  });
});

describe("days and hours of a time zone", () => {
  it.each([
    ["Europe/Berlin", ["cold", "warm", "hot"]],
    ["America/New_York", ["cold", "warm", "hot"]],
    ["Pacific/Kiritimati", ["cold", "warm", "hot"]],
    ["Asia/Kolkata", ["cold", "hot"]],
    ["Asia/Kathmandu", ["cold", "hot"]],
    ["Australia/Lord_Howe", ["cold", "warm", "hot"]],
  ])("[Q28] [W10] %s: those of the readings, stitched from every tier", async (timeZone, tiers) => {
    for (const resolution of ["1d", "1h"] as const) {
      const answer = await answered(`${RANGE}&resolution=${resolution}&tz=${timeZone}`);
      expect(answer).toMatchObject({ resolution, tz: timeZone });
      expect(sources(answer)).toEqual(tiers);
      expect(answer.points).toEqual(expected(timeZone, resolution));
    }
  });

  it("[Q28] the day on which summer time ends has 25 hours", async () => {
    const { points } = await answered(
      `from=2025-10-26T12:00:00Z&to=2025-10-26T12:00:01Z&resolution=1d&tz=Europe/Berlin`,
    );
    const [startMs, endMs] = [Date.UTC(2025, 9, 25, 22), Date.UTC(2025, 9, 26, 23)];
    expect(points).toMatchObject([{ startMs, endMs, count: 100 }]);
  });

  it("[Q28] where part of the range is not whole hours from UTC, only that part is made of readings", async () => {
    // From 5 October on, Lord Howe is eleven hours ahead.
    const zone = "resolution=1d&tz=Australia/Lord_Howe";
    const before = `from=${Date.UTC(2025, 9, 4)}&to=${Date.UTC(2025, 9, 5, 13)}&${zone}`;
    expect(sources(await answered(before))).toEqual(["cold"]);
    await problem(ask(TENANT, "viewer", path(`${before}&source=warm`)), 400, "invalid_query");
    const after = `from=${Date.UTC(2025, 9, 13)}&to=${Date.UTC(2025, 9, 14)}&${zone}`;
    expect(sources(await answered(`${after}&source=warm`))).toEqual(["warm"]);
  });

  it("[Q28] pages keep the zone of the first, and are together the whole answer", async () => {
    for (const timeZone of ["Europe/Berlin", "Asia/Kolkata", "Etc/GMT+5"]) {
      const tz = `tz=${encodeURIComponent(timeZone)}`;
      const whole = await answered(`${RANGE}&resolution=1d&${tz}`);
      expect(whole.tz).toBe(timeZone);
      const points: unknown[] = [];
      let next: string | null = "";
      for (
        let query = `${RANGE}&resolution=1d&${tz}&limit=7`;
        next !== null;
        query = `limit=7&after=${next}`
      ) {
        const page: HistoryAnswer = await answered(query);
        expect(page.points.length).toBeLessThanOrEqual(7);
        points.push(...page.points);
        next = page.next === null ? null : encodeURIComponent(page.next);
      }
      expect(points).toEqual(whole.points);
    }
  });

  it("[Q28] a page of another zone or resolution than the one before is refused", async () => {
    const { next } = await answered(`${RANGE}&resolution=1d&tz=Europe/Berlin&limit=2`);
    for (const query of ["tz=Europe/Paris", "tz=UTC", "resolution=1h"]) {
      const refused = await problem(
        ask(TENANT, "viewer", path(`after=${next}&${query}`)),
        400,
        "invalid_query",
      );
      expect(refused.detail).toContain("ask the first page anew");
    }
    expect((await answered(`after=${next}&tz=Europe/Berlin&resolution=1d`)).points.length).toBeGreaterThan(2);
  });

  it("[Q28] minutes and readings are the same in every zone", async () => {
    const range = `from=${TO - HOUR_MS}&to=${TO}`;
    for (const resolution of ["raw", "1m", "5m", "auto"]) {
      const own = await answered(`${range}&resolution=${resolution}&tz=Asia/Kathmandu`);
      expect(own.points).toEqual((await answered(`${range}&resolution=${resolution}`)).points);
      expect(own.tz).toBe("Asia/Kathmandu");
    }
  });

  it("[Q28] an export has the same days", async () => {
    for (const timeZone of ["Europe/Berlin", "Asia/Kolkata"]) {
      const query = `metric=a&${RANGE}&resolution=1d&tz=${timeZone}`;
      const response = await ask(TENANT, "viewer", `/v1/devices/d1/history/export?${query}`);
      const lines = (await response.text()).trimEnd().split("\n");
      expect(lines.map((line) => JSON.parse(line))).toEqual(
        expected(timeZone, "1d").map((point) => ({ metric: "a", ...point })),
      );
    }
  });
});

describe("zones and the fleet", () => {
  const fleet = (query: string) =>
    ask(TENANT, "viewer", `/v1/zones/default/history?metric=a&${query}`, clock);
  const range = `from=${TO - 4 * DAY_MS}&to=${TO}`;
  const pointsOf = (timeZone: string, resolution: "1h" | "1d") => {
    const windowAt = (instant: number) => (resolution === "1d" ? localDayAt : localHourAt)(instant, timeZone);
    const windows = windowsOfReadings(at, value, windowAt).filter(({ endMs }) => endMs > TO - 4 * DAY_MS);
    return windows.map((window) => fleetPointOf(window, 1));
  };

  it("[Q28] [Q14] days of a zone that is whole hours from UTC come from the hours computed before", async () => {
    const answer = await answerOf<FleetHistoryAnswer>(
      fleet(`${range}&resolution=1d&tz=Europe/Berlin&live=true`),
    );
    expect(answer).toMatchObject({ tz: "Europe/Berlin", source: "mixed" });
    expect(answer.points).toEqual(pointsOf("Europe/Berlin", "1d"));
  });

  it("[Q29] others are asked of the devices, or refused", async () => {
    for (const resolution of ["1d", "1h"] as const) {
      const query = `${range}&resolution=${resolution}&tz=Asia/Kolkata`;
      const refused = await problem(fleet(query), 400, "invalid_query");
      for (const word of ["Asia/Kolkata", "live=true", "without tz"]) expect(refused.detail).toContain(word);
      const live = await answerOf<FleetHistoryAnswer>(fleet(`${query}&live=true`));
      expect(live).toMatchObject({ source: "hot", tz: "Asia/Kolkata", partial: false });
      expect(live.points).toEqual(pointsOf("Asia/Kolkata", resolution));
    }
    const since = await problem(
      fleet(`from=1970-01-01T00:00:00Z&to=${TO}&resolution=1d&tz=Asia/Singapore`),
      400,
      "invalid_query",
    );
    expect(since.detail).toContain("before 1981-12-31T16:00:00.000Z: ask from then on");
  });
});

describe("what cannot be answered", () => {
  it.each(["Mars/Olympus", "", "Europe", "berlin", "x".repeat(1_000), "%2B25:00"])(
    "[Q29] the zone %j is refused by name on every route that takes one",
    async (name) => {
      for (const route of [
        "devices/d1/history",
        "devices/d1/history/export",
        "zones/default/history",
        "fleet/history",
      ]) {
        const asked = ask(TENANT, "viewer", `/v1/${route}?metric=a&${RANGE}&resolution=1d&tz=${name}`);
        const { detail } = await problem(asked, 400, "invalid_query");
        expect(detail).toContain("tz: a time zone is an IANA name like Europe/Berlin, not ");
        expect(detail).toContain(decodeURIComponent(name).slice(0, 60));
      }
    },
  );

  it("[Q29] hours of UTC do not make days of half hours: the tier that has only these is no answer", async () => {
    const asked = ask(TENANT, "viewer", path(`${RANGE}&resolution=1d&tz=Asia/Kolkata&source=warm`));
    expect((await problem(asked, 400, "invalid_query")).detail).toContain("Asia/Kolkata is not whole hours");
  });

  it("[Q29] nor does retention leave half a day: where only hours are kept it says from when on there are readings", async () => {
    await changeSettings(env.TENANT, "kept", {
      retention: { rawDays: 7, hourlyDays: 400, archiveDays: 30 },
    });
    const kept = env.DEVICE.getByName("kept/d1");
    const nowMs = Date.now();
    await kept.report(packed([nowMs - 1_000, { a: 1 }]), nowMs);
    const asked = (query: string) =>
      ask("kept", "viewer", `/v1/devices/d1/history?metric=a&resolution=1d&tz=Asia/Kolkata&${query}`);
    const refused = await problem(asked(`from=${nowMs - 60 * DAY_MS}`), 400, "invalid_query");
    const [first] = /(?<=ask from )\S+/.exec(refused.detail!)!;
    expect(refused.detail).toContain("archiveDays");
    expect(nowMs - Date.parse(first!)).toBeLessThanOrEqual(31 * DAY_MS);
    const { points } = await answerOf<HistoryAnswer>(asked(`from=${Date.parse(first!) + DAY_MS}`));
    expect(points).toMatchObject([{ count: 1 }]);
    await problem(asked(`from=${Date.parse(first!) - 1}`), 400, "invalid_query");
    const whole = ask(
      "kept",
      "viewer",
      `/v1/devices/d1/history?metric=a&resolution=1d&tz=Europe/Berlin&from=${nowMs - 60 * DAY_MS}`,
    );
    expect((await whole).status).toBe(200);
  });
});
