import { env, evictDurableObject, runInDurableObject } from "cloudflare:test";
import { expect, it, vi } from "vitest";
import { COMMIT_EVERY_MS_MAX } from "../../../schemas/limits.ts";
import type { ServerFrame } from "../../../schemas/reading.ts";
import {
  type DeviceStub,
  held,
  packed,
  rowsOnceKnown,
  rowsWritten,
  T0,
  TestSocket,
  upgrade,
} from "../../test-support.ts";

vi.setConfig({ testTimeout: 60_000 });

type Ack = Extract<ServerFrame, { type: "ack" }>;

const connect = async (device: DeviceStub, clockMs: number, commitEveryMs: number) =>
  new TestSocket<ServerFrame>(
    await device.fetch(
      upgrade(`/v1/connect?commitEveryMs=${commitEveryMs}`, { "telltale-clock": String(clockMs) }),
    ),
  );

const acksOf = ({ frames }: TestSocket<ServerFrame>) =>
  frames.filter((frame): frame is Ack => frame.type === "ack");

/** Everything sent so far has been taken: the answer to a frame that is none comes after it. */
let probes = 0;
async function taken(socket: TestSocket<ServerFrame>): Promise<void> {
  const before = socket.frames.filter(({ type }) => type === "problem").length;
  socket.send(`{"type":"probe-${++probes}"}`);
  await socket.until(() => socket.frames.filter(({ type }) => type === "problem").length > before);
}

/** A linear congruential generator: the same forced hibernations in every run. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

const sealings = (device: DeviceStub) =>
  runInDurableObject(device, (_, state) =>
    state.storage.sql.exec<{ count: number }>("SELECT coalesce(sum(revision), 0) AS count FROM ring").one(),
  );

for (const seed of [1, 22, 333]) {
  it(`[D1] [D5] [D6] [D7] 1,000 reports over a socket, one commit a minute, forced hibernations (seed ${seed}): one row a commit, none lost, none twice`, async () => {
    const random = randomOf(seed);
    const device = env.DEVICE.getByName(`hibernation/seed-${seed}`);
    await device.report(packed([T0, { other: 1 }]), T0);
    const before = await rowsOnceKnown(device);
    const socket = await connect(device, T0, 60_000);
    let rows = -before;
    let evictions = 0;
    for (let seq = 0; seq < 1_000; seq++) {
      const clockMs = T0 + seq * 10_000;
      socket.send({
        type: "report",
        seq,
        at: clockMs,
        clockMs,
        metrics: { temperature: seq / 10, pulse: seq },
      });
      if (random() < 0.06) {
        await taken(socket);
        rows += await rowsWritten(device);
        await evictDurableObject(device);
        evictions += 1;
      }
    }
    socket.send({ type: "flush" });
    await socket.until((frame) => frame.type === "ack" && frame.seq === 999);
    rows += await rowsWritten(device);

    const acks = acksOf(socket);
    expect(evictions).toBeGreaterThan(30);
    // Seven reports a commit: the one that makes the oldest 60 s old goes with it. 1,000 = 142 × 7 + 6.
    expect(acks.map(({ seq }) => seq)).toEqual([...Array.from({ length: 142 }, (_, i) => i * 7 + 6), 999]);
    expect(acks.map(({ stored }) => stored)).toEqual([...new Array(142).fill(14), 12]);
    const { count } = await sealings(device);
    expect(count).toBe(2);
    expect(rows).toBe(acks.length + count);

    const instants = Array.from({ length: 1_000 }, (_, seq) => T0 + seq * 10_000);
    expect(await held(device, "pulse")).toEqual(instants.map((at, seq) => [at, seq]));
    expect(await held(device, "temperature")).toEqual(instants.map((at, seq) => [at, seq / 10]));

    // The same again, as a device does that was never told: all known, nothing added.
    for (const [seq, at] of instants.entries()) {
      const metrics = { temperature: seq / 10, pulse: seq };
      socket.send({ type: "report", seq: 1_000 + seq, at, clockMs: T0 + 10_000_000, metrics });
    }
    socket.send({ type: "flush" });
    await socket.until((frame) => frame.type === "ack" && frame.seq === 1_999);
    const again = acksOf(socket).slice(acks.length);
    expect(again.reduce((sum, { duplicate }) => sum + duplicate, 0)).toBe(2_000);
    expect(
      again.every(({ stored, late, corrected, refused }) => stored + late + corrected + refused === 0),
    ).toBe(true);
    expect(await held(device, "pulse")).toHaveLength(1_000);
    socket.close();
  });
}

it("[D7] hibernations while frames are on their way lose none of them", async () => {
  const device = env.DEVICE.getByName("hibernation/on-the-way");
  const socket = await connect(device, T0, 60_000);
  for (let seq = 0; seq < 300; seq++) {
    const clockMs = T0 + seq * 10_000;
    socket.send({ type: "report", seq, at: clockMs, clockMs, metrics: { a: seq } });
    if (seq % 29 === 3) {
      await device.latest(); // awake, with frames behind it
      await evictDurableObject(device);
    }
  }
  socket.send({ type: "flush" });
  await socket.until((frame) => frame.type === "ack" && frame.seq === 299);
  expect(await held(device, "a")).toEqual(Array.from({ length: 300 }, (_, seq) => [T0 + seq * 10_000, seq]));
  expect(acksOf(socket).reduce((sum, { stored }) => sum + stored, 0)).toBe(300);
});

it("[D6] [D7] a socket that vanishes loses only what was not acknowledged; sent again it is stored once", async () => {
  const random = randomOf(7);
  const device = env.DEVICE.getByName("hibernation/vanished");
  let acknowledged = -1;
  let connections = 0;
  while (acknowledged < 399) {
    const socket = await connect(device, T0 + (acknowledged + 1) * 10_000, 60_000);
    connections += 1;
    const until = Math.min(400, acknowledged + 1 + Math.floor(random() * 40));
    for (let seq = acknowledged + 1; seq < until; seq++) {
      const clockMs = T0 + seq * 10_000;
      socket.send({ type: "report", seq, at: clockMs, clockMs, metrics: { a: seq } });
    }
    if (until === 400) {
      socket.send({ type: "flush" });
      await socket.until((frame) => frame.type === "ack" && frame.seq === 399);
    } else await taken(socket);
    const found = new Set((await held(device, "a")).map(([, value]) => value));
    acknowledged = Math.max(acknowledged, ...acksOf(socket).map(({ seq }) => seq));
    for (let seq = 0; seq <= acknowledged; seq++) expect(found).toContain(seq);
    await evictDurableObject(device, { webSockets: "close" });
    await socket.closed;
  }
  expect(connections).toBeGreaterThan(10);
  expect(await held(device, "a")).toEqual(Array.from({ length: 400 }, (_, seq) => [T0 + seq * 10_000, seq]));
});

it("[D5] large reports that would not fit the attachment are committed by size, and none is refused", async () => {
  const device = env.DEVICE.getByName("hibernation/large");
  const socket = await connect(device, T0, COMMIT_EVERY_MS_MAX);
  for (let seq = 0; seq < 60; seq++) {
    // 300 metrics, then names as long as they may be, then as many as they may be; two-byte letters among them.
    const [many, length] = seq % 3 === 0 ? [300, 12] : seq % 3 === 1 ? [60, 120] : [900, 6];
    const metrics = Object.fromEntries(
      Array.from({ length: many }, (_, i) => [`${"é".repeat(seq % 2)}${i}`.padEnd(length, "x"), seq + i / 7]),
    );
    socket.send({ type: "report", seq, at: T0 + seq * 1000, clockMs: T0 + seq * 1000, metrics });
    if (seq % 8 === 2) {
      await taken(socket);
      await evictDurableObject(device);
    }
  }
  socket.send({ type: "flush" });
  await socket.until((frame) => frame.type === "ack" && frame.seq === 59);
  const refusals = socket.frames.filter(
    (frame) => frame.type === "problem" && frame.code !== "invalid_frame",
  );
  const total = acksOf(socket).reduce((sum, ack) => sum + ack.stored + ack.refused, 0);
  expect(total).toBe(20 * (300 + 60 + 900));
  expect(new Set(refusals.map((frame) => frame.type === "problem" && frame.code))).toEqual(
    new Set(["too_many_metrics"]),
  );
  expect(acksOf(socket).length).toBeGreaterThan(20);
});

it("[D5] small reports are held until the attachment is full, and then committed whole", async () => {
  const device = env.DEVICE.getByName("hibernation/full");
  const socket = await connect(device, T0, COMMIT_EVERY_MS_MAX);
  const metrics = Object.fromEntries(Array.from({ length: 16 }, (_, i) => [`metric-${i}`, i]));
  for (let seq = 0; seq < 400; seq++) {
    socket.send({ type: "report", seq, at: T0 + seq * 1000, clockMs: T0 + seq * 1000, metrics });
    if (seq % 50 === 49) {
      await taken(socket);
      await evictDurableObject(device);
    }
  }
  await taken(socket);
  const acks = acksOf(socket);
  // 160 bytes a report: some 80 fit.
  expect(acks.length).toBeGreaterThanOrEqual(4);
  expect(acks.length).toBeLessThanOrEqual(6);
  expect(await held(device, "metric-3")).toHaveLength(acks.at(-1)!.seq + 1);
});

it("[D5] what waits is committed when the socket closes", async () => {
  const device = env.DEVICE.getByName("hibernation/closed");
  const socket = await connect(device, T0, 60_000);
  socket.send({ type: "report", seq: 0, at: T0, clockMs: T0, metrics: { a: 1 } });
  await taken(socket);
  expect(await held(device, "a")).toEqual([]);
  await evictDurableObject(device);
  socket.close();
  await socket.closed;
  expect(await held(device, "a")).toEqual([[T0, 1]]);
});

it("[D5] what waits is committed and acknowledged when another socket of the device comes", async () => {
  const device = env.DEVICE.getByName("hibernation/followed");
  const first = await connect(device, T0, 60_000);
  first.send({ type: "report", seq: 4, at: T0, clockMs: T0, metrics: { a: 1 } });
  await taken(first);
  const second = await connect(device, T0 + 1000, 60_000);
  expect(await first.until(({ type }) => type === "ack")).toMatchObject({ seq: 4, stored: 1 });
  expect(await held(device, "a")).toEqual([[T0, 1]]);
  second.close();
});

it("[D5] a report over HTTPS takes what a socket holds along, in one row", async () => {
  const device = env.DEVICE.getByName("hibernation/along");
  const socket = await connect(device, T0, 60_000);
  socket.send({ type: "report", seq: 0, at: T0, clockMs: T0, metrics: { a: 1 } });
  await taken(socket);
  await device.report(packed([T0 + 1, { a: 2 }]), T0 + 1);
  expect(await socket.until(({ type }) => type === "ack")).toMatchObject({ seq: 0, stored: 1 });
  await rowsOnceKnown(device); // and one more, that the registry knows it
  expect(await held(device, "a")).toEqual([
    [T0, 1],
    [T0 + 1, 2],
  ]);
});
