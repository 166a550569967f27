// One stream of a round: sends its steps in order as a real device does, again and again until each is acknowledged.
import { setTimeout as sleep } from "node:timers/promises";
import type { TelemetryAnswer } from "../../schemas/reading.ts";
import type { OuterFault } from "./faults.ts";
import type { Ledger, Report } from "./ledger.ts";
import type { Step, Stream } from "./plan-round.ts";
import { postPart, WireSocket } from "./wire.ts";

/** What a stream lives in. */
export interface World {
  url: string;
  ledger: Ledger;
  token(stream: Stream): Promise<string>;
  evict(device: string, webSockets: "hibernate" | "close"): Promise<void>;
  /** Resolves when its deletion is answered: what comes after that is its next life. */
  delete(device: string): Promise<void>;
  note(fault: OuterFault): void;
  /** Called after each step that was sent for the first time. */
  stepped(): void;
  /** Aborted: the round has failed. */
  signal: AbortSignal;
}

const RETRY_MS = 60;
const REQUEST_MS_MAX = 10_000;
/** No acknowledgement for so long: the device takes the line for lost. */
const STALLED_MS = 3_000;
/** Frames a device has on the line unacknowledged before it asks for their commit. */
const WINDOW = 12;

export async function playStream(stream: Stream, world: World): Promise<void> {
  if (stream.kind === "requests") await new Requests(stream, world).play();
  else await new Frames(stream, world).play();
}

async function begin(step: Step, { devices }: Stream, world: World): Promise<void> {
  await sleep(step.pauseMs);
  if (step.evict === undefined) return;
  for (const device of devices) await world.evict(device, step.evict);
}

class Requests {
  readonly #stream: Stream;
  readonly #world: World;

  constructor(stream: Stream, world: World) {
    this.#stream = stream;
    this.#world = world;
  }

  async play(): Promise<void> {
    const { ledger } = this.#world;
    for (const step of this.#stream.steps) {
      await begin(step, this.#stream, this.#world);
      if (step.deletesFirst) await this.#world.delete(this.#stream.devices[0]!);
      const reports = step.reports.map((report) => ledger.take(report, step.clockMs));
      await this.#post(reports, step);
      ledger.acknowledge(reports);
      this.#world.stepped();
    }
  }

  async #post(reports: Report[], { clockMs, cutAfter }: Step): Promise<void> {
    const { url, ledger, token, note, signal } = this.#world;
    const body = JSON.stringify(reports);
    const headers = {
      authorization: `Bearer ${await token(this.#stream)}`,
      "content-type": "application/json",
      "telltale-clock": String(clockMs),
    };
    if (cutAfter !== undefined) {
      note("request cut");
      ledger.doubt(reports);
      await postPart(url, "/v1/telemetry", headers, body, Math.ceil(cutAfter * (body.length + 500)));
    }
    for (; ; await sleep(RETRY_MS)) {
      signal.throwIfAborted();
      const request = { method: "POST", headers, body, signal: AbortSignal.timeout(REQUEST_MS_MAX) };
      const answer = await fetch(`${url}/v1/telemetry`, request)
        .then(async (response) => ({ status: response.status, text: await response.text() }))
        .catch(() => ledger.doubt(reports));
      if (answer === undefined) continue;
      if (answer.status === 200) return checkTaken(JSON.parse(answer.text) as TelemetryAnswer, reports);
      if (answer.status < 500) throw new Error(`${answer.status} ${answer.text}`);
    }
  }
}

function checkTaken(answer: Pick<TelemetryAnswer, "refused">, reports: Report[]): void {
  if (answer.refused > 0)
    throw new Error(`refused: ${JSON.stringify(answer)} of ${JSON.stringify(reports).slice(0, 500)}`);
}

class Frames {
  readonly #stream: Stream;
  readonly #world: World;
  readonly #sent: Report[] = [];
  /** How many steps have had their pause and eviction, which may have cost the line. */
  #begun = 0;
  #acknowledged = 0;

  constructor(stream: Stream, world: World) {
    this.#stream = stream;
    this.#world = world;
  }

  async play(): Promise<void> {
    const { steps } = this.#stream;
    const { ledger, signal } = this.#world;
    while (this.#acknowledged < steps.length) {
      signal.throwIfAborted();
      const wire = await this.#open().catch(() => undefined);
      if (wire === undefined) {
        await sleep(RETRY_MS);
        continue;
      }
      await this.#pump(wire);
      wire.cut();
      ledger.doubt(this.#sent.slice(this.#acknowledged));
    }
  }

  async #open(): Promise<WireSocket> {
    const { url, token } = this.#world;
    const { steps, commitEveryMs } = this.#stream;
    const { clockMs } = steps[Math.min(this.#acknowledged, steps.length - 1)]!;
    const path = `/v1/connect?commitEveryMs=${commitEveryMs}`;
    return await WireSocket.open(url, path, await token(this.#stream), clockMs);
  }

  /** Sends what is not acknowledged and goes on from there, until all is or the line is gone. */
  async #pump(wire: WireSocket): Promise<void> {
    const { steps } = this.#stream;
    for (let i = this.#acknowledged; i < steps.length && !wire.isClosed; i++) {
      const step = steps[i]!;
      const isNew = i === this.#sent.length;
      if (i === this.#begun) {
        this.#begun += 1;
        await begin(step, this.#stream, this.#world);
      }
      if (step.isCorrection && isNew) await this.#drain(wire, i);
      if (i - this.#acknowledged >= WINDOW) await this.#drain(wire, i);
      if (wire.isClosed) return;
      if (isNew) this.#sent.push(this.#world.ledger.take(step.reports[0]!, step.clockMs));
      const { device, at, metrics } = this.#sent[i]!;
      const whose = this.#stream.kind === "gateway socket" ? { device } : {};
      const frame = { type: "report", seq: i, ...whose, at, clockMs: step.clockMs, metrics };
      if (isNew && step.cutAfter !== undefined) {
        this.#world.note("socket cut");
        this.#world.stepped();
        wire.send(frame, Math.ceil(step.cutAfter * (JSON.stringify(frame).length + 8)));
        await sleep(0); // to the server's side of the line
        return;
      }
      wire.send(frame);
      if (isNew) this.#world.stepped();
      this.#hear(wire);
    }
    await this.#drain(wire, steps.length);
  }

  /** Waits until everything before `count` is acknowledged; else gives the line up. */
  async #drain(wire: WireSocket, count: number): Promise<void> {
    if (this.#acknowledged >= count) return;
    wire.send({ type: "flush" });
    for (let before = -1; this.#acknowledged > before && this.#acknowledged < count; ) {
      before = this.#acknowledged;
      await wire.until(() => this.#hear(wire) > before, STALLED_MS);
    }
    if (this.#acknowledged < count) wire.cut();
  }

  /** Takes in what came; gives how many steps are acknowledged. */
  #hear(wire: WireSocket): number {
    for (const frame of wire.frames.splice(0)) {
      if (frame.type === "slow" && frame.seq === undefined) continue; // a queue refused; it takes all the same
      if (frame.type !== "ack") throw new Error(`unexpected: ${JSON.stringify(frame)}`);
      const through = frame.seq + 1;
      const reports = this.#sent.slice(this.#acknowledged, through);
      if (reports.length > 0) checkTaken(frame, reports);
      this.#world.ledger.acknowledge(reports);
      this.#acknowledged = Math.max(this.#acknowledged, through);
    }
    return this.#acknowledged;
  }
}
