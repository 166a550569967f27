// Wrong worlds, which the judge of a round must see: what is lost, doubled, or done for a void token.
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { TenantClient } from "../flow/tenant-client.ts";
import { compare } from "./compare.ts";
import { Credentials, type Holder } from "./credentials.ts";
import { HOUR_MS, Ledger } from "./ledger.ts";
import type { Stream } from "./plan-round.ts";
import { playStream } from "./play-stream.ts";
import { playViewer } from "./play-viewer.ts";

const T0 = Date.UTC(2026, 4, 1);
const SECRET = "a secret of thirty-two bytes, at least";
type Reading = [at: number, value: number];

const reportOf = ([at, value]: Reading) => ({ device: "d", at, metrics: { a: value } });

/** A server that answers every question from these readings. */
function worldOf(readings: readonly Reading[]): TenantClient {
  const [at, value] = readings.at(-1) ?? [0, 0];
  const values = readings.map(([, own]) => own);
  const hour = {
    ...{ startMs: T0, count: values.length, sum: values.reduce((sum, own) => sum + own, 0) },
    ...{ min: Math.min(...values), max: Math.max(...values) },
  };
  const raw = readings.map(([own, one]) => ({ at: own, value: one }));
  const row = { counts: [values.length, 0, 0, 0], pending: 0 };
  const stored = { rollups: [], blocks: [], isMerged: false, dirtyHours: 0 };
  return {
    tenant: "t",
    ask: async (path: string) => ({ body: path.includes("/row") ? row : stored }),
    latest: async () => ({ metrics: { a: { at, value } }, lastReceivedAt: T0 }),
    history: async (_: string, { resolution }: { resolution: string }) => ({
      points: resolution === "raw" ? raw : [hour],
    }),
    get: async () => ({ status: 200, body: { points: [hour] } }),
  } as unknown as TenantClient;
}

describe("the judge", () => {
  const sent: Reading[] = [
    [T0, 1],
    [T0 + 1, 2],
    [T0 + 2, 3],
  ];
  const refused: Reading = [T0 + 1, 9];

  /** What is found when `acknowledged` was acknowledged and `refused` had to be refused. */
  async function judge(there: readonly Reading[], { acknowledged = sent, given = [] as Reading[] } = {}) {
    const ledger = new Ledger();
    for (const reading of acknowledged) ledger.acknowledge([ledger.take(reportOf(reading))], T0);
    for (const reading of given) ledger.giveUp(ledger.take(reportOf(reading)));
    const { lost, doubled, accepted } = await compare(worldOf(there), ledger);
    return { lost: lost > 0, doubled: doubled > 0, accepted };
  }

  it("[X8] [X9] finds nothing where all is well", async () => {
    expect(await judge(sent)).toEqual({ lost: false, doubled: false, accepted: 0 });
    const world = await judge([sent[0]!, sent[2]!], { acknowledged: [sent[0]!, sent[2]!], given: [refused] });
    expect(world).toEqual({ lost: false, doubled: false, accepted: 0 });
  });

  it("[X1] sees an acknowledged reading that is not there", async () => {
    expect(await judge([sent[0]!, sent[2]!])).toMatchObject({ lost: true, accepted: 0 });
  });

  it("[X2] sees a reading that is there twice", async () => {
    expect(await judge([sent[0]!, sent[0]!, sent[1]!, sent[2]!])).toMatchObject({
      ...{ lost: false, doubled: true, accepted: 0 },
    });
  });

  it("[X9] sees a reading that was refused, and is there: hot and cold", async () => {
    const acknowledged = [sent[0]!, sent[2]!];
    expect(await judge([sent[0]!, refused, sent[2]!], { acknowledged, given: [refused] })).toMatchObject({
      accepted: 2,
    });
  });

  it("[X9] expects a reading that was refused and sent again", async () => {
    const ledger = new Ledger();
    for (const reading of [sent[0]!, sent[2]!]) ledger.acknowledge([ledger.take(reportOf(reading))], T0);
    ledger.giveUp(ledger.take(reportOf(sent[1]!)));
    ledger.acknowledge([ledger.take(reportOf(sent[1]!))], T0);
    expect(await compare(worldOf(sent), ledger)).toMatchObject({ lost: 0, doubled: 0, accepted: 0 });
  });
});

describe("a void token", () => {
  let server: Server | undefined;

  afterEach(() => {
    server?.closeAllConnections();
    server?.close();
  });

  /** A server that knows of no revocation: it takes what comes, and its streams go on. */
  async function gullible(opened = () => {}): Promise<string> {
    const listening = createServer(async (request, response) => {
      if (request.headers.accept === "text/event-stream") {
        response.writeHead(200, { "content-type": "text/event-stream" });
        response.write(": watching\n\n");
        opened();
        return;
      }
      const sizes = await Array.fromAsync(request, (chunk) => chunk.length);
      const counts = { stored: 1, duplicate: 0, corrected: 0, late: 0, quarantined: 0, refused: 0 };
      response.end(JSON.stringify({ ...counts, problems: [], bytes: sizes }));
    });
    server = listening;
    await new Promise<void>((resolve) => listening.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(listening.address() as AddressInfo).port}`;
  }

  const worldAt = (url: string) => ({
    ...{ url, ledger: new Ledger(), credentials: new Credentials(new TenantClient(url, SECRET, "t")) },
    ...{ note: () => undefined, signal: new AbortController().signal },
  });

  const revoke = async (credentials: Credentials) =>
    await credentials.voiding(
      () => true,
      async () => ({ fits: () => true, isCertain: true }),
    );

  it("[X8] that is taken over HTTPS is seen, and a new one is none", async () => {
    const world = worldAt(await gullible());
    const gateway: Holder = { role: "gateway" };
    const steps = [T0, T0 + HOUR_MS].map((at) => ({
      ...{ pauseMs: 0, clockMs: at + 1, isCorrection: false },
      reports: [reportOf([at, 1])],
    }));
    const stream: Stream = { kind: "requests", devices: ["d"], commitEveryMs: 0, steps };
    let stepped = 0;
    await playStream(stream, {
      ...{ ...world, holderOf: () => gateway, delete: async () => undefined, evict: async () => undefined },
      stepped: () => {
        stepped += 1;
        if (stepped === 1) void revoke(world.credentials);
      },
    });
    expect(stepped).toBe(2);
    expect(world.ledger.accepted).toEqual([
      expect.stringContaining("/v1/telemetry answers 200 to a void token"),
    ]);
    expect(world.ledger.acknowledged).toBe(2);
  });

  it("[X8] whose stream goes on is seen, and so is each answer to it", async () => {
    const world = worldAt(await gullible(() => void revoke(world.credentials)));
    const viewer: Holder = { role: "viewer" };
    const first = await world.credentials.of(viewer);
    await playViewer({ ...world, viewer }, () => world.credentials.held(viewer) !== first);
    expect(world.ledger.accepted).toEqual([
      "/v1/fleet/stream goes on with a void token",
      "/v1/fleet/stream answers 200 to a void token",
      "/v1/devices answers 200 to a void token",
    ]);
  });
});
