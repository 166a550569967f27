// What object tests share: reports made short, a socket that remembers its frames, tokens, sealed blocks as messages.
import { createMessageBatch, env, runInDurableObject } from "cloudflare:test";
import { expect, vi } from "vitest";
import { encodeBlock } from "../core/block/encode.ts";
import { ReportPacker } from "../core/report/pack.ts";
import { signToken } from "../core/token/sign.ts";
import type { ProblemDocument } from "../schemas/error.ts";
import type { BlockMessage, PackedReports } from "../schemas/message.ts";
import type { Role } from "../schemas/token.ts";
import type { DeviceObject } from "./aggregate/device/device-object.ts";

export const T0 = Date.UTC(2026, 10, 22, 10);
export const HOUR_MS = 3_600_000;

export type DeviceStub = DurableObjectStub<DeviceObject>;

/** Reports of one device; each is received at its own `at`. */
export const packed = (...reports: [at: number, metrics: Record<string, number>][]) =>
  packedAt(undefined, ...reports);

/** Reports of one device, all received at `receivedAt`. */
export function packedAt(
  receivedAt: number | undefined,
  ...reports: [at: number, metrics: Record<string, number>][]
): PackedReports {
  const packer = new ReportPacker();
  for (const [index, [at, metrics]] of reports.entries()) {
    packer.add(index, at, receivedAt ?? at, Object.keys(metrics), Object.values(metrics));
  }
  return packer.finish();
}

/** Metrics beside `a`, enough of them in an hour for buckets of an hour. */
export const many: Record<string, number> = Object.fromEntries(
  Array.from({ length: 900 }, (_, i) => [`m${i}`, 1]),
);

/** Rows written by commits since the object woke. */
export const rowsWritten = (device: DeviceStub): Promise<number> =>
  runInDurableObject<DeviceObject, number>(device, (object) => object.rowsWritten);

/** Rows written once registry and zone know the device, which is one row more in its life; after its first report. */
export async function rowsOnceKnown(device: DeviceStub): Promise<number> {
  await vi.waitFor(async () => expect(await rowsWritten(device)).toBe(2), { timeout: 10_000 });
  return 2;
}

/** All of a metric that the device holds. */
export async function held(device: DeviceStub, metric: string): Promise<[at: number, value: number][]> {
  const found = await device.readings(metric, 0, Number.MAX_SAFE_INTEGER);
  return [...(found?.at ?? [])].map((at, index) => [at, found!.value[index]!]);
}

/** A queue that keeps what it is sent. `refusing`: it takes nothing. */
export class KeptQueue {
  readonly sent: BlockMessage[] = [];
  refusing = false;

  async sendBatch(batch: Iterable<MessageSendRequest<BlockMessage>>): Promise<void> {
    if (this.refusing) throw new Error("the queue is away");
    for (const { body } of batch) this.sent.push(body);
  }

  /** Stands in for the real queue of a device's object until that is evicted. */
  async into(device: DeviceStub): Promise<this> {
    await runInDurableObject<DeviceObject, void>(device, (object) => {
      const own = (object as unknown as { env: object }).env;
      Object.defineProperty(object, "env", { value: { ...own, ROLLUPS: this } });
    });
    return this;
  }
}

/** The client's end of a WebSocket, with every frame it was sent. */
export class TestSocket<Frame extends { type: string }> {
  readonly frames: Frame[] = [];
  readonly #ws: WebSocket;
  #waiting: { matches: (frame: Frame) => boolean; found: (frame: Frame) => void }[] = [];
  readonly closed: Promise<number>;

  constructor(response: Response) {
    if (response.webSocket === null) throw new Error(`no socket, but ${response.status}`);
    this.#ws = response.webSocket;
    this.closed = new Promise((resolve) => {
      this.#ws.addEventListener("close", ({ code }) => resolve(code));
    });
    this.#ws.addEventListener("message", ({ data }) => {
      const frame = JSON.parse(data as string) as Frame;
      this.frames.push(frame);
      this.#waiting = this.#waiting.filter(({ matches, found }) => {
        if (matches(frame)) found(frame);
        return !matches(frame);
      });
    });
    this.#ws.accept();
  }

  send(frame: object | string | ArrayBuffer): void {
    this.#ws.send(typeof frame === "string" || frame instanceof ArrayBuffer ? frame : JSON.stringify(frame));
  }

  close(): void {
    this.#ws.close(1000, "done");
  }

  /** The first frame that matches and was not looked at by an earlier `take`. */
  async until(matches: (frame: Frame) => boolean): Promise<Frame> {
    const known = this.frames.find(matches);
    return known ?? (await new Promise<Frame>((found) => this.#waiting.push({ matches, found })));
  }
}

/** A stream of server-sent events, frame by frame. */
export class TestEvents<Frame> {
  readonly frames: Frame[] = [];
  readonly ids: string[] = [];
  readonly #reader: ReadableStreamDefaultReader<string>;
  #text = "";

  constructor(response: Response) {
    this.#reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  }

  async next(): Promise<Frame> {
    let end = this.#text.indexOf("\n\n");
    while (end < 0) {
      const { done, value } = await this.#reader.read();
      if (done) throw new Error("the stream ended");
      this.#text += value;
      end = this.#text.indexOf("\n\n");
    }
    const lines = this.#text.slice(0, end).split("\n");
    this.#text = this.#text.slice(end + 2);
    if (!lines.some((line) => line.startsWith("data: "))) return await this.next(); // a comment
    const field = (name: string) =>
      lines.find((line) => line.startsWith(`${name}: `))!.slice(name.length + 2);
    const frame = JSON.parse(field("data")) as Frame;
    this.frames.push(frame);
    this.ids.push(field("id"));
    return frame;
  }

  async cancel(): Promise<void> {
    await this.#reader.cancel();
  }
}

export const upgrade = (path: string, headers: Record<string, string> = {}) =>
  new Request(`https://telltale.test${path}`, { headers: { upgrade: "websocket", ...headers } });

/** A bearer header of this deployment. */
export async function bearer(
  tenant: string,
  role: Role,
  device?: string,
): Promise<{ authorization: string }> {
  const subject = {
    tenant: role === "owner" ? undefined : tenant,
    role,
    ttlSeconds: 10 * 365 * 86_400,
    ...(device === undefined ? {} : { device }),
  };
  return { authorization: `Bearer ${await signToken(subject, env.TOKEN_SECRET, Date.now())}` };
}

/** A sealed block of one metric as its device sends it. */
export function blockMessageOf(
  tenant: string,
  device: string,
  startMs: number,
  readings: Record<string, [at: number, value: number][]>,
  revision = 1,
  lengthMs = HOUR_MS,
): BlockMessage {
  const endMs = startMs + lengthMs;
  const columns = Object.entries(readings).map(([metric, points]) => ({
    metric,
    at: points.map(([at]) => at),
    value: points.map(([, value]) => value),
  }));
  return {
    version: 1,
    tenant,
    device,
    startMs,
    endMs,
    revision,
    generation: 0,
    zone: "default",
    block: encodeBlock({ startMs, endMs, columns }),
  };
}

/** The problem document of an answer, which must be of this status and code. */
export async function problem(
  response: Response | Promise<Response>,
  status: number,
  code: string,
): Promise<ProblemDocument> {
  const answered = await response;
  const document = await answered.json<ProblemDocument>();
  expect([answered.status, document.code]).toEqual([status, code]);
  expect(answered.headers.get("content-type")).toBe("application/problem+json");
  expect(document).toMatchObject({ type: `urn:telltale:problem:${code}`, status, title: expect.any(String) });
  expect(document.detail).not.toBe("");
  return document;
}

let messages = 0;

/** A batch as the queue delivers it. */
export const batchOf = (...bodies: unknown[]) =>
  createMessageBatch<unknown>(
    "telltale-rollups",
    bodies.map((body) => ({ id: `message-${++messages}`, timestamp: new Date(T0), attempts: 1, body })),
  );
