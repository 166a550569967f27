// One stream of a round: sends its steps in order as a real device does, again and again until each is acknowledged.
import { setTimeout as sleep } from "node:timers/promises";
import { LIMIT_CODES } from "../../schemas/codes.ts";
import type { TelemetryAnswer } from "../../schemas/reading.ts";
import type { Credential, Credentials, Holder } from "./credentials.ts";
import type { OperatorFault, OuterFault } from "./faults.ts";
import type { Ledger, Report } from "./ledger.ts";
import type { Step, Stream } from "./plan-round.ts";
import { contraband, isSmuggled, smuggleByRequest, smuggleBySocket } from "./smuggle.ts";
import { postPart, WireSocket } from "./wire.ts";

/** What a stream lives in. */
export interface World {
  url: string;
  ledger: Ledger;
  credentials: Credentials;
  holderOf(stream: Stream): Holder;
  evict(device: string, webSockets: "hibernate" | "close"): Promise<void>;
  /** Resolves when its deletion is answered: what comes after that is its next life. */
  delete(device: string): Promise<void>;
  note(fault: OuterFault | OperatorFault): void;
  /** Called after each step that was sent for the first time. */
  stepped(): void;
  /** Aborted: the round has failed. */
  signal: AbortSignal;
}

/** Who speaks in a stream. */
export const speakerOf = ({ kind, devices }: Stream): Holder =>
  kind === "device socket" ? { role: "device", device: devices[0]! } : { role: "gateway" };

const headersOf = ({ token }: Credential, clockMs: number) => ({
  authorization: `Bearer ${token}`,
  "content-type": "application/json",
  "telltale-clock": String(clockMs),
});

/** Posts a reading with a void token. False: the server is away. */
async function smuggle(
  { url, ledger, note }: World,
  credential: Credential,
  device: string,
  clockMs: number,
): Promise<boolean> {
  const report = contraband(ledger, device, clockMs);
  if (report === undefined) return true;
  ledger.forbid(report);
  const asked = {
    method: "POST",
    headers: headersOf(credential, clockMs),
    body: JSON.stringify([report]),
  };
  const isAnswered = await smuggleByRequest(url, "/v1/telemetry", asked, ledger);
  if (isAnswered) note("sent with a void token");
  return isAnswered;
}

const RETRY_MS = 60;
const REQUEST_MS_MAX = 10_000;
/** A limit that lasts longer than it says is taken away before. */
const LIMITED_MS_MAX = 500;
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
      await this.#post(
        step.reports.map((report) => ledger.take(report)),
        step,
      );
      this.#world.stepped();
    }
  }

  /** Sends reports until all have been taken, or are given up. */
  async #post(reports: Report[], { clockMs, cutAfter, givesUp }: Step): Promise<void> {
    const { url, ledger, credentials, holderOf, note, signal } = this.#world;
    const holder = holderOf(this.#stream);
    let left = reports;
    let isFirst = true;
    for (; ; await sleep(RETRY_MS)) {
      signal.throwIfAborted();
      const credential = await credentials.of(holder).catch(() => undefined);
      if (credential === undefined) continue;
      if (credential.standing === "void") {
        let isAnswered = true;
        for (const device of this.#stream.devices)
          isAnswered &&= await smuggle(this.#world, credential, device, clockMs);
        if (isAnswered) credentials.renew(holder);
        continue;
      }
      const headers = headersOf(credential, clockMs);
      const body = JSON.stringify(left);
      if (isFirst && cutAfter !== undefined) {
        note("request cut");
        ledger.doubt(left);
        await postPart(url, "/v1/telemetry", headers, body, Math.ceil(cutAfter * (body.length + 500)));
      }
      const request = { method: "POST", headers, body, signal: AbortSignal.timeout(REQUEST_MS_MAX) };
      const sent = left;
      const answer = await fetch(`${url}/v1/telemetry`, request)
        .then(async (response) => ({ status: response.status, text: await response.text() }))
        .catch(() => ledger.doubt(sent));
      const mayGiveUp = isFirst && cutAfter === undefined && givesUp === true;
      isFirst = false;
      if (answer === undefined || answer.status >= 500) continue;
      if (answer.status === 401 && credential.standing !== "good") {
        credentials.refused(holder);
        continue;
      }
      const said = JSON.parse(answer.text) as TelemetryAnswer;
      if (answer.status === 429) {
        note("sent beyond a limit");
        const isLimited = limitedBy(said);
        ledger.acknowledge(
          left.filter((_, index) => !isLimited(index)),
          clockMs,
        );
        left = left.filter((_, index) => isLimited(index));
        checkTaken({ refused: said.refused - countReadings(left) }, sent);
        if (mayGiveUp) {
          note("given up at a limit");
          for (const report of left) ledger.giveUp(report);
          return;
        }
        await sleep(Math.min(said.retryAfterMs!, LIMITED_MS_MAX));
      } else if (answer.status === 200) {
        checkTaken(said, left);
        return ledger.acknowledge(left, clockMs);
      } else throw new Error(`${answer.status} ${answer.text}`);
    }
  }
}

const countReadings = (reports: readonly Report[]) =>
  reports.reduce((sum, { metrics }) => sum + Object.keys(metrics).length, 0);

/** Whether the report of an index was beyond a limit, and is to be sent again. */
const limitedBy =
  ({ limitedReports = [] }: TelemetryAnswer) =>
  (index: number) =>
    limitedReports.some(([from, to]) => index >= from && index < to);

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
  /** How long to wait before the next line, because a frame of this one was beyond a limit; 0: none was. */
  #waitMs = 0;

  constructor(stream: Stream, world: World) {
    this.#stream = stream;
    this.#world = world;
  }

  async play(): Promise<void> {
    const { steps } = this.#stream;
    const { ledger, credentials, signal } = this.#world;
    const holder = this.#world.holderOf(this.#stream);
    while (this.#acknowledged < steps.length) {
      signal.throwIfAborted();
      const credential = await credentials.of(holder).catch(() => undefined);
      const isVoid = credential?.standing === "void";
      const wire = credential && (await this.#open(credential).catch(() => undefined));
      if (wire === undefined) {
        if (!isVoid)
          credentials.refused(holder); // or nobody answered
        else if (await smuggle(this.#world, credential!, this.#stream.devices[0]!, this.#step.clockMs))
          credentials.renew(holder);
        await sleep(RETRY_MS);
        continue;
      }
      this.#waitMs = 0;
      await this.#pump(wire, credential!);
      wire.cut();
      ledger.doubt(this.#sent.slice(this.#acknowledged));
      if (isVoid) credentials.renew(holder);
      else credentials.refused(holder); // or the line was lost
      await sleep(this.#waitMs);
    }
  }

  get #step(): Step {
    const { steps } = this.#stream;
    return steps[Math.min(this.#acknowledged, steps.length - 1)]!;
  }

  /** @throws when nobody answers, or it is refused: with a token that is good it may not be. */
  async #open(credential: Credential): Promise<WireSocket> {
    const { url } = this.#world;
    const path = `/v1/connect?commitEveryMs=${this.#stream.commitEveryMs}`;
    return await WireSocket.open(url, path, credential.token, this.#step.clockMs);
  }

  /**
   * Sends what is not acknowledged and goes on from there, until all is or the line is gone, the token is void, or
   * a limit is reached.
   */
  async #pump(wire: WireSocket, credential: Credential): Promise<void> {
    const { steps } = this.#stream;
    for (let i = this.#acknowledged; i < steps.length && !wire.isClosed; i++) {
      const step = steps[i]!;
      const isNew = i === this.#sent.length;
      if (i === this.#begun) {
        this.#begun += 1;
        await begin(step, this.#stream, this.#world);
      }
      if (credential.standing === "void") return await this.#smuggle(wire, credential);
      if (step.isCorrection && isNew) await this.#drain(wire, i);
      if (i - this.#acknowledged >= WINDOW) await this.#drain(wire, i);
      if (wire.isClosed || this.#waitMs > 0) return;
      if (isNew) this.#sent.push(this.#world.ledger.take(step.reports[0]!));
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

  /** Goes on with a token that is void, on a line that was opened before it was, or with it. */
  async #smuggle(wire: WireSocket, credential: Credential): Promise<void> {
    const { ledger, note } = this.#world;
    const { clockMs } = this.#step;
    const [device] = this.#stream.devices as [string];
    const report = contraband(ledger, device, clockMs);
    if (report !== undefined) {
      ledger.forbid(report);
      note("sent with a void token");
      await smuggleBySocket(wire, this.#stream.kind === "gateway socket", clockMs, report, ledger);
    }
    this.#hear(wire);
    await smuggle(this.#world, credential, device, clockMs);
  }

  /** Waits until everything before `count` is acknowledged; else gives the line up. */
  async #drain(wire: WireSocket, count: number): Promise<void> {
    if (this.#acknowledged >= count) return;
    wire.send({ type: "flush" });
    for (let before = -1; this.#acknowledged > before && this.#acknowledged < count; ) {
      before = this.#acknowledged;
      await wire.until(() => this.#hear(wire) > before || this.#waitMs > 0, STALLED_MS);
    }
    if (this.#acknowledged < count) wire.cut();
  }

  /**
   * Takes in what came; gives how many steps are acknowledged. After a frame that was beyond a limit nothing more is, on
   * this line: what is sent again goes on another, where no acknowledgement is of what was sent before.
   */
  #hear(wire: WireSocket): number {
    const { ledger, note } = this.#world;
    for (const frame of wire.frames.splice(0)) {
      if (isSmuggled(frame) || this.#waitMs > 0) continue;
      if (frame.type === "slow" && frame.seq === undefined) continue; // a queue refused; it takes all the same
      if (frame.type === "slow") {
        note("sent beyond a limit");
        this.#waitMs = Math.min(frame.retryAfterMs, LIMITED_MS_MAX);
        continue;
      }
      if (frame.type === "problem" && (LIMIT_CODES as readonly string[]).includes(frame.code)) continue;
      if (frame.type !== "ack") throw new Error(`unexpected: ${JSON.stringify(frame)}`);
      const through = frame.seq + 1;
      const reports = this.#sent.slice(this.#acknowledged, through);
      if (reports.length > 0) checkTaken(frame, reports);
      for (const [n, report] of reports.entries())
        ledger.acknowledge([report], this.#stream.steps[this.#acknowledged + n]!.clockMs);
      this.#acknowledged = Math.max(this.#acknowledged, through);
    }
    return this.#acknowledged;
  }
}
