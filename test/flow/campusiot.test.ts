// Two LoRaWAN recordings, in as their network delivered them: verdicts and every tier as computed from the files.
//
// What the files hold (ODbL 1.0, CampusIoT), each line an uplink in order of arrival (`_timestamp` never goes back):
// - Tour Perret: 20,351 uplinks of one sensor, 10 metrics each. The network heard them (`reported_at`, the nearest thing
//   to the device's clock) in order and each at an instant of its own: none is late, none a duplicate.
// - Helium FTD: 16,954 uplinks of 3 trackers under 4 names. 13 were heard before the one delivered before them; of these
//   one, 48 min old, is of an hour already closed: the one late report.
// A radio that gets no answer sends a frame again: its counter and payload are the frame's before, 242 times and 6,369
// times. As heard, these are readings of their own instants. Where the integration says so and gives a repeated frame
// the instant of its first hearing, they are duplicates.
import { existsSync, readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { VERDICTS, type Verdict } from "../../schemas/codes.ts";
import type { HistoryAnswer, RawPoint, WindowPoint } from "../../schemas/query.ts";
import { type LocalRun, startLocal } from "../../scripts/local-run.ts";
import { openRecording } from "../../scripts/recordings/open-recording.ts";
import type { Recording } from "../../scripts/recordings/recording.ts";
import { replay } from "../../scripts/replay/play.ts";
import { signedTokens } from "../../scripts/replay/tokens.ts";
import { Operator } from "../../scripts/verify/operator.ts";
import { listRawFiles, readArchive } from "../../scripts/verify/read-archive.ts";

const DATA = new URL("../../../shared/data/campusiot/", import.meta.url).pathname;
const TOUR_PERRET = `${DATA}TourPerret_ems-tourperret-A81758FFFE04B1C1-2.ndjson.gz`;
const HELIUM = `${DATA}Helium_FTD_0018B20000020.ndjson.gz`;
const hasRecordings = existsSync(TOUR_PERRET) && existsSync(HELIUM);
if (!hasRecordings) console.warn("../shared/data/campusiot is not here: its recordings are not played");

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;
const HORIZON_MS = 7 * DAY_MS;
/** One question may touch 1,000 archive files. */
const CHUNK_MS = 60 * DAY_MS;

interface Uplink {
  device: string;
  at: number;
  arrivedAt: number;
  metrics: Record<string, number>;
}

interface Line {
  name: string;
  fcnt: number;
  reported_at: number;
  _timestamp: number;
  payload?: string;
  decoded: { payload?: Record<string, unknown> };
}

const linesOf = (path: string): Line[] =>
  gunzipSync(readFileSync(path))
    .toString()
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Line);

/** Every payload of the sensor on the tower has this one layout: type bytes between its values, big-endian. */
function onTheTower(payload: string): Record<string, number> {
  const bytes = Buffer.from(payload, "base64");
  return {
    temperature: bytes.readInt16BE(1) / 10,
    humidity: bytes[4]!,
    x: bytes.readInt8(6),
    y: bytes.readInt8(7),
    z: bytes.readInt8(8),
    vdd: bytes.readUInt16BE(10),
    pulseAbs: bytes.readUInt32BE(13),
    digital: bytes[18]!,
    accMotion: bytes[20]!,
    waterleak: bytes[22]!,
  };
}

/** The numbers a tracker's payload holds; what begins with `_` the recorder added. */
const ofATracker = (payload: Record<string, unknown>) =>
  Object.fromEntries(
    Object.entries(payload).filter(([name, value]) => typeof value === "number" && name[0] !== "_"),
  ) as Record<string, number>;

const heard = ({ name, reported_at, _timestamp, payload, decoded }: Line): Uplink => ({
  device: name,
  at: reported_at,
  arrivedAt: _timestamp,
  metrics: payload === undefined ? ofATracker(decoded.payload!) : onTheTower(payload),
});

/** The uplinks, those that repeat the frame before them with the instant at which that was first heard. */
function byFrame(lines: readonly Line[]): Uplink[] {
  const before = new Map<string, { frame: string; at: number }>();
  return lines.map((line) => {
    const uplink = heard(line);
    const frame = JSON.stringify([line.fcnt, line.payload ?? line.decoded.payload]);
    const known = before.get(line.name);
    if (known?.frame === frame) uplink.at = known.at;
    before.set(line.name, { frame, at: uplink.at });
    return uplink;
  });
}

interface Expected {
  verdicts: Record<Verdict, number>;
  /** device → metric → at → value */
  readings: Map<string, Map<string, Map<number, number>>>;
}

/** D2, D3 and W4 in as few words as they take: a reading is its (metric, at), and an hour closes by the device's newest. */
function expectedOf(uplinks: readonly Uplink[]): Expected {
  const verdicts = Object.fromEntries(VERDICTS.map((verdict) => [verdict, 0])) as Expected["verdicts"];
  const readings: Expected["readings"] = new Map();
  const newestAt = new Map<string, number>();
  for (const { device, at, arrivedAt, metrics } of uplinks) {
    const metricsOf = readings.get(device) ?? new Map<string, Map<number, number>>();
    readings.set(device, metricsOf);
    const newest = newestAt.get(device) ?? Number.NEGATIVE_INFINITY;
    const isLate = (Math.floor(at / HOUR_MS) + 1) * HOUR_MS <= newest - MINUTE_MS;
    const isTooOld = at < arrivedAt - HORIZON_MS;
    for (const [metric, value] of Object.entries(metrics)) {
      const known = metricsOf.get(metric) ?? new Map<number, number>();
      metricsOf.set(metric, known);
      if (isTooOld) verdicts.refused++;
      else if (!known.has(at)) verdicts[isLate ? "late" : "stored"]++;
      else verdicts[known.get(at) === value ? "duplicate" : "corrected"]++;
      if (!isTooOld) known.set(at, value);
    }
    if (!isTooOld && Object.keys(metrics).length > 0) newestAt.set(device, Math.max(newest, at));
  }
  return { verdicts, readings };
}

const asRecording = (uplinks: readonly Uplink[]): Recording => ({
  kind: "campusiot",
  timeOrdered: false,
  read: async function* () {
    yield* uplinks;
  },
});

let run: LocalRun;
beforeAll(async () => {
  if (hasRecordings)
    run = await startLocal({ port: 0, state: undefined, split: false, tenant: "campus", quiet: true });
});
afterAll(() => run?.stop());

/** Plays it as `tenant`: over HTTP in requests of a day of arrivals, or over sockets, each uplink at its own arrival. */
async function verdictsOf(tenant: string, recording: Recording, door: "http" | "socket") {
  const tokens = signedTokens(run.secret, tenant, Date.now());
  const how = { door, requestSpanMs: DAY_MS, commitEveryMs: MINUTE_MS, seal: false };
  const { reports, readings, failure } = await replay({ recording, url: run.url, tokens, ...how });
  expect([failure, reports.unacknowledged, readings.unaccounted]).toEqual([undefined, 0, 0]);
  return Object.fromEntries(VERDICTS.map((verdict) => [verdict, readings[verdict]]));
}

type Points = Map<string, RawPoint[]>;

/** `device metric` → its readings in the archive's files, as DuckDB reads them. */
async function coldPoints(operator: Operator): Promise<Points> {
  const found: Points = new Map();
  await readArchive(operator, await listRawFiles(operator), ({ device, metric, at, value }) => {
    const key = `${device} ${metric}`;
    const points = found.get(key) ?? [];
    found.set(key, points);
    points.push({ at, value });
  });
  return found;
}

/** Raw readings in files and device, daily windows in D1, and the raw answers stitched: what the files say, and only that. */
async function expectEveryTier(tenant: string, { readings }: Expected): Promise<void> {
  const operator = new Operator(run.url, run.secret, tenant);
  for (const [device, metrics] of readings) {
    const newestAt = Math.max(
      ...[...metrics.values()].map((known) => [...known.keys()].reduce((a, b) => Math.max(a, b))),
    );
    await operator.settle([device], newestAt);
  }
  const expected: Points = new Map();
  for (const [device, metrics] of readings) {
    for (const [metric, known] of metrics) {
      const points = [...known].map(([at, value]) => ({ at, value })).sort((a, b) => a.at - b.at);
      expected.set(`${device} ${metric}`, points);
    }
  }
  const cold = await coldPoints(operator);
  expect([...cold.keys()].sort()).toEqual([...expected.keys()].sort());
  for (const [key, points] of expected) {
    const [device, metric] = key.split(" ") as [string, string];
    const ask = (query: Record<string, string | number>) =>
      operator.getJson<HistoryAnswer>(`/v1/devices/${device}/history`, { metric, ...query });
    expect(cold.get(key), `${key} cold`).toEqual(points);

    const from = points[0]!.at;
    const to = points.at(-1)!.at + 1;
    const stitched: RawPoint[] = [];
    let hotFromMs = Number.POSITIVE_INFINITY;
    // The newest readings of each metric, and all of those that vary most.
    const startMs = metric === "temperature" ? from : Math.max(from, to - CHUNK_MS);
    for (let chunkMs = startMs; chunkMs < to; chunkMs += CHUNK_MS) {
      const answer = await ask({ resolution: "raw", from: chunkMs, to: Math.min(to, chunkMs + CHUNK_MS) });
      stitched.push(...(answer.points as RawPoint[]));
      for (const segment of answer.segments)
        if (segment.source === "hot") hotFromMs = Math.min(hotFromMs, segment.startMs);
    }
    expect(stitched, `${key} stitched`).toEqual(points.filter(({ at }) => at >= startMs));
    // What a device sent last it still holds.
    expect(hotFromMs, `${key} hot`).toBeLessThan(to);

    const warm = await ask({ resolution: "1d", source: "warm", from, to });
    expect((warm.points as WindowPoint[]).map(figuresOf), `${key} warm`).toEqual(daysOf(points));
  }
}

const figuresOf = ({ startMs, count, min, max, first, last }: WindowPoint) =>
  [startMs, count, min, max, first, last].join(" ");

const daysOf = (points: readonly RawPoint[]) =>
  [...Map.groupBy(points, ({ at }) => Math.floor(at / DAY_MS) * DAY_MS)].map(([startMs, day]) => {
    const values = day.map(({ value }) => value);
    const spread = [Math.min(...values), Math.max(...values)];
    return [startMs, values.length, ...spread, values[0], values.at(-1)].join(" ");
  });

const FILES = [
  {
    name: "Tour Perret",
    path: TOUR_PERRET,
    tenant: "perret",
    door: "http" as const,
    heard: { stored: 203_510, late: 0, duplicate: 0, corrected: 0, refused: 0 },
    byFrame: { stored: 201_090, late: 0, duplicate: 2_420, corrected: 0, refused: 0 },
  },
  {
    name: "Helium FTD",
    path: HELIUM,
    tenant: "helium",
    door: "socket" as const,
    heard: { stored: 106_008, late: 4, duplicate: 0, corrected: 0, refused: 0 },
    byFrame: { stored: 69_180, late: 4, duplicate: 36_828, corrected: 0, refused: 0 },
  },
];

describe.runIf(hasRecordings)("CampusIoT", () => {
  describe.concurrent.each(FILES)("$name", ({ path, tenant, ...figures }) => {
    it("[D2] [D3] [W4] as its network delivered it: each verdict and each tier is as computed from the file", {
      timeout: 240_000,
    }, async () => {
      const expected = expectedOf(linesOf(path).map(heard));
      expect(expected.verdicts).toMatchObject(figures.heard);
      expect(await verdictsOf(tenant, await openRecording(path), figures.door)).toEqual(expected.verdicts);
      await expectEveryTier(tenant, expected);
    });

    it("[D2] [D3] [W4] repeated frames at the instant of their first hearing are duplicates, and in each tier once", {
      timeout: 240_000,
    }, async () => {
      const uplinks = byFrame(linesOf(path));
      const expected = expectedOf(uplinks);
      expect(expected.verdicts).toMatchObject(figures.byFrame);
      const frames = `${tenant}-frames`;
      expect(await verdictsOf(frames, asRecording(uplinks), "http")).toEqual(expected.verdicts);
      await expectEveryTier(frames, expected);
    });
  });
});
