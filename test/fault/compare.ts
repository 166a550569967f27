// A settled server against the ledger: every tier and every device, reading by reading and hour by hour.
import type { TenantClient } from "../flow/tenant-client.ts";
import { HOUR_MS, type Hour, type Ledger } from "./ledger.ts";

/** What a settled server has otherwise than the ledger. */
export interface Difference {
  /** Acknowledged readings that a tier lacks, or has otherwise. */
  lost: number;
  /** Readings that a tier has or counts too often. */
  doubled: number;
  /** Readings of a void token, and those that were refused for a limit, which are there; and what else a void token got. */
  accepted: number;
  /** The first of them, said in words. */
  examples: string[];
}

const EXAMPLES_MAX = 12;

class Differences implements Difference {
  lost = 0;
  doubled = 0;
  accepted = 0;
  readonly examples: string[] = [];

  note(kind: "lost" | "doubled" | "accepted", count: number, what: string): void {
    if (count <= 0) return;
    this[kind] += count;
    if (this.examples.length < EXAMPLES_MAX) this.examples.push(`${kind} ${count}: ${what}`);
  }
}

interface Row {
  counts: number[];
  pending: number;
}

export interface Stored {
  rollups: unknown[];
  blocks: unknown[];
  isMerged: boolean;
  dirtyHours: number;
}

export async function compare(client: TenantClient, ledger: Ledger): Promise<Difference> {
  const found = new Differences();
  for (const what of ledger.accepted) found.note("accepted", 1, what);
  await Promise.all(
    ledger.devices.map((device) =>
      // What cannot be read is not there.
      compareDevice(client, ledger, device, found).catch((error) =>
        found.note("lost", 1, `${device} cannot be read: ${error}`),
      ),
    ),
  );
  await compareStored(client, found);
  await compareFleet(client, ledger, found);
  return found;
}

async function compareDevice(client: TenantClient, ledger: Ledger, device: string, found: Differences) {
  await compareLatest(client, ledger, device, found);
  let distinct = 0;
  for (const metric of ledger.metricsOf(device)) {
    distinct += ledger.readings(device, metric).length;
    await compareRaw(client, ledger, device, metric, "hot", found);
    await compareRaw(client, ledger, device, metric, "cold", found);
    await compareHours(client, ledger, device, metric, found);
  }
  const row = (await client.ask(`/local/fault/row?object=${client.tenant}/${device}`)).body as Row;
  const [stored, , , late] = row.counts as [number, number, number, number];
  found.note("lost", distinct - stored - late, `${device} counts ${stored + late} readings of ${distinct}`);
  found.note(
    "doubled",
    stored + late - distinct,
    `${device} counts ${stored + late} readings of ${distinct}`,
  );
}

/** What storage has of a tenant, by its tables. */
export const storedOf = async (client: TenantClient) =>
  (await client.ask(`/local/fault/stored?tenant=${client.tenant}`)).body as Stored;

/** Each revision of a block is in one file, and what has a rollup has a file. */
async function compareStored(client: TenantClient, found: Differences) {
  const { rollups, blocks, isMerged } = await storedOf(client);
  const known = new Set<string>();
  for (const block of blocks.map((each) => JSON.stringify(each))) {
    found.note("doubled", known.has(block) ? 1 : 0, `block ${block} is in two files`);
    known.add(block);
  }
  if (isMerged) return;
  for (const rollup of rollups.map((each) => JSON.stringify(each)))
    found.note("lost", known.has(rollup) ? 0 : 1, `rollup ${rollup} has no file`);
}

async function compareLatest(client: TenantClient, ledger: Ledger, device: string, found: Differences) {
  const { metrics, lastReceivedAt } = await client.latest(device);
  for (const metric of ledger.metricsOf(device)) {
    const [at, value] = ledger.readings(device, metric).at(-1)!;
    const latest = metrics[metric];
    const isRight = latest?.at === at && latest.value === value;
    found.note(
      "lost",
      isRight ? 0 : 1,
      `latest ${metric} of ${device} is ${JSON.stringify(latest)}, not ${value} at ${at}`,
    );
  }
  const receivedAt = ledger.receivedAt(device);
  const isRight = lastReceivedAt === receivedAt;
  found.note("lost", isRight ? 0 : 1, `${device} was last received at ${lastReceivedAt}, not ${receivedAt}`);
}

const rangeOf = (readings: readonly [at: number, value: number][]) => ({
  from: Math.floor(readings[0]![0] / HOUR_MS) * HOUR_MS - HOUR_MS,
  to: Math.floor(readings.at(-1)![0] / HOUR_MS) * HOUR_MS + 2 * HOUR_MS,
});

async function compareRaw(
  client: TenantClient,
  ledger: Ledger,
  device: string,
  metric: string,
  source: "hot" | "cold",
  found: Differences,
) {
  const expected = ledger.readings(device, metric);
  const query = { metric, ...rangeOf(expected), resolution: "raw", source };
  const points = (await client.history(device, query)).points as { at: number; value: number }[];
  const known = new Map<number, number[]>();
  for (const { at, value } of points) known.set(at, [...(known.get(at) ?? []), value]);
  for (const [at, value] of expected) {
    const values = known.get(at) ?? [];
    const isThere = values.includes(value);
    found.note(
      "lost",
      isThere ? 0 : 1,
      `${source} ${metric} of ${device} at ${at}: ${values.join()}, not ${value}`,
    );
    found.note("doubled", values.length - 1, `${source} ${metric} of ${device} at ${at}: ${values.join()}`);
    known.delete(at);
  }
  for (const [at, values] of known) {
    const [kind, why] = ledger.isForbidden(device, metric, at)
      ? (["accepted", "which had to be refused"] as const)
      : (["doubled", "never sent"] as const);
    found.note(kind, values.length, `${source} ${metric} of ${device} at ${at}: ${values.join()}, ${why}`);
  }
}

async function compareHours(
  client: TenantClient,
  ledger: Ledger,
  device: string,
  metric: string,
  found: Differences,
) {
  const range = rangeOf(ledger.readings(device, metric));
  const answer = await client.history(device, { metric, ...range, resolution: "1h", source: "warm" });
  comparePoints(
    answer.points as HourPoint[],
    ledger.hours(device, metric),
    `warm ${metric} of ${device}`,
    found,
  );
}

/** The hours of all devices together, which the cron has computed. */
async function compareFleet(client: TenantClient, ledger: Ledger, found: Differences) {
  const metrics = new Set(ledger.devices.flatMap((device) => ledger.metricsOf(device)));
  for (const metric of metrics) {
    const { from, to } = rangeOf(
      ledger.devices.flatMap((device) => ledger.readings(device, metric)).sort(([a], [b]) => a - b),
    );
    const { status, body } = await client.get(
      `/v1/fleet/history?metric=${metric}&from=${from}&to=${to}&resolution=1h`,
    );
    const hours = new Map<number, Hour>();
    for (const device of ledger.devices) {
      for (const [startMs, own] of ledger.hours(device, metric)) {
        const hour = hours.get(startMs) ?? { count: 0, sum: 0, min: own.min, max: own.max };
        hour.count += own.count;
        hour.sum += own.sum;
        hour.min = Math.min(hour.min, own.min);
        hour.max = Math.max(hour.max, own.max);
        hours.set(startMs, hour);
      }
    }
    const points = status === 200 ? (body as { points: HourPoint[] }).points : [];
    comparePoints(points, hours, `${metric} of the fleet`, found);
  }
}

interface HourPoint extends Hour {
  startMs: number;
}

function comparePoints(
  points: readonly HourPoint[],
  expected: ReadonlyMap<number, Hour>,
  whose: string,
  found: Differences,
): void {
  const hours = new Map(points.map((point) => [point.startMs, point]));
  for (const [startMs, hour] of expected) {
    const { count = 0, sum, min, max } = hours.get(startMs) ?? {};
    hours.delete(startMs);
    const said = JSON.stringify({ count, sum, min, max });
    const what = `${whose} in the hour of ${startMs}: ${said}, not ${JSON.stringify(hour)}`;
    found.note("lost", hour.count - count, what);
    found.note("doubled", count - hour.count, what);
    const isRight = sum === hour.sum && min === hour.min && max === hour.max;
    found.note("lost", count === hour.count && !isRight ? 1 : 0, what);
  }
  for (const { startMs, count } of hours.values())
    found.note("doubled", count, `${whose} in the hour of ${startMs}: never sent`);
}
