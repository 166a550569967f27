// Sockets of devices and gateways that send what they should not, or half of it, or end without a word.
import { describe, expect, it } from "vitest";
import type { ServerFrame } from "../../schemas/reading.ts";
import { FrameSocket } from "./frame-socket.ts";
import { frameBytes, OPCODE, RawSocket } from "./raw-socket.ts";
import type { TenantClient } from "./tenant-client.ts";
import { eachSharedTopology } from "./topology.ts";
import { until } from "./until.ts";

const START = Date.now() - 60_000;
const KB = 1024;

/** What comes back names the index (a frame is one report: 0), the code and what to do. */
const BAD_FRAMES: [what: string, code: string, frame: string | Uint8Array<ArrayBuffer>, says: RegExp][] = [
  [
    "a binary frame",
    "unsupported_frame",
    new TextEncoder().encode('{"type":"report","seq":1}'),
    /JSON text.*binary/,
  ],
  ["an empty binary frame", "unsupported_frame", new Uint8Array(), /binary/],
  ["a frame of 100 KB", "frame_too_large", reportOf(100 * KB), /65536.*1024\d\d/],
  ["a frame of 2 MB", "frame_too_large", reportOf(2 * KB * KB), /65536.*2097\d\d\d/],
  [
    "a frame of 65,537 bytes in half as many characters",
    "frame_too_large",
    "é".repeat(32_769),
    /65536.*65538/,
  ],
  ["JSON cut off", "malformed_json", '{"type":"report","seq":1,"metr', /not JSON/],
  ["an empty frame", "malformed_json", "", /not JSON/],
  ["60 KB of levels", "malformed_json", "[".repeat(60_000), /not JSON/],
  ["null", "invalid_frame", "null", /"type":"report"/],
  ["an array", "invalid_frame", "[]", /"type":"report"/],
  ["a type not known", "invalid_frame", '{"type":"hello"}', /"type":"flush"/],
  ["a report without seq", "missing_seq", '{"type":"report","metrics":{"temp":1}}', /integer from 0/],
  ["a seq below 0", "missing_seq", '{"type":"report","seq":-1,"metrics":{"temp":1}}', /integer from 0/],
  [
    "a seq that is a text",
    "missing_seq",
    '{"type":"report","seq":"7","metrics":{"temp":1}}',
    /integer from 0/,
  ],
];

/** Reports that are refused, and acknowledged: their verdict is final. */
const REFUSED: [what: string, code: string, report: string, refused: number][] = [
  ["metrics that are none", "invalid_report", '"metrics":[1]', 1],
  ["bare NaN", "not_finite", '"metrics":{"temp":NaN}', 1],
  ["a name of 1,000 characters", "invalid_metric_name", `"metrics":{"${"x".repeat(1_000)}":1}`, 1],
  [
    "2,000 metrics",
    "too_many_metrics",
    `"metrics":{${Array.from({ length: 2_000 }, (_, i) => `"m${i}":1`).join()}}`,
    2_000,
  ],
  ["a time in seconds", "at_in_seconds", `"at":${Math.floor(START / 1000)},"metrics":{"temp":1}`, 1],
  ["a time far back", "too_old", '"at":"2020-01-01T00:00:00Z","metrics":{"temp":1}', 1],
  ["a time far ahead", "at_in_future", '"at":"2100-01-01T00:00:00Z","metrics":{"temp":1}', 1],
];

function reportOf(bytes: number): string {
  const report = { type: "report", seq: 1, metrics: { temp: 1 }, note: "" };
  return JSON.stringify({ ...report, note: "x".repeat(bytes - JSON.stringify(report).length) });
}

interface Door {
  door: string;
  token(tenant: TenantClient): Promise<string>;
  /** A gateway names the device it reports for. */
  named: { device?: string };
  /** How long it lets its reports wait; a gateway's frames never do. */
  patience: string;
}
const DOORS: Door[] = [
  {
    door: "a device's socket",
    token: (tenant) => tenant.token("device", "pump-1"),
    named: {},
    patience: "?commitEveryMs=600000",
  },
  {
    door: "a gateway's socket",
    token: (tenant) => tenant.token("gateway"),
    named: { device: "pump-1" },
    patience: "",
  },
];

eachSharedTopology((server) => {
  describe.concurrent.each(DOORS)("$door", ({ door, token, named, patience }) => {
    const tenant = () => server.tenant(door.replaceAll(/\W/g, "-"));
    const address = () => `${tenant().url}/v1/connect`;
    const report = (seq: number) => ({
      type: "report",
      seq,
      ...named,
      at: START + seq,
      metrics: { temp: seq },
    });
    const kept = (...seqs: number[]) => seqs.map((seq) => [START + seq, seq]);

    it.sequential("[I18] answers each bad frame by a problem, and goes on taking good ones", async () => {
      const socket = await FrameSocket.open<ServerFrame>(address(), { token: await token(tenant()) });
      for (const [index, [what, code, frame, says]] of BAD_FRAMES.entries()) {
        socket.send(frame);
        socket.send(report(index));
        await socket.next("ack", ({ seq }) => seq === index);
        const problem = socket.frames.splice(0).find(({ type }) => type === "problem");
        // Where the text still tells which report it was, the problem names it.
        const cutOff = what === "JSON cut off" ? { seq: 1 } : {};
        expect(problem, what).toEqual({
          type: "problem",
          ...cutOff,
          index: 0,
          code,
          message: expect.stringMatching(says),
        });
      }
      await socket.close();
      expect(await tenant().readings("pump-1", "temp")).toEqual(kept(...BAD_FRAMES.keys()));
    });

    it.sequential("[I18] [D6] a refused report has its reason and its acknowledgement", async () => {
      const socket = await FrameSocket.open<ServerFrame>(address(), { token: await token(tenant()) });
      const device = named.device === undefined ? "" : `"device":"${named.device}",`;
      for (const [index, [what, code, text, refused]] of REFUSED.entries()) {
        const seq = 100 + index;
        socket.send(`{"type":"report","seq":${seq},${device}${text}}`);
        expect(await socket.next("ack", (ack) => ack.seq === seq), what).toMatchObject({
          stored: 0,
          refused,
        });
        expect(await socket.next("problem", (problem) => problem.seq === seq)).toMatchObject({
          index: 0,
          code,
        });
      }
      await socket.close();
      expect(await tenant().readings("pump-1", "temp")).toHaveLength(BAD_FRAMES.length);
    });

    it.sequential("[I18] half a message is no message: what was acknowledged before it stays, and nothing of it comes", async () => {
      const socket = await RawSocket.open(address(), await token(tenant()));
      socket.send(report(200));
      await socket.next('"ack"', '"seq":200');
      const half = Buffer.from(JSON.stringify(report(201)));
      socket.write(frameBytes(half.subarray(0, 30), OPCODE.text, false));
      socket.vanish();

      const torn = await RawSocket.open(address(), await token(tenant()));
      torn.write(frameBytes(half).subarray(0, 20)); // a frame that says more bytes follow
      torn.vanish();

      const whole = await RawSocket.open(address(), await token(tenant()));
      whole.write(frameBytes(half.subarray(0, 30), OPCODE.text, false));
      whole.write(frameBytes(half.subarray(30), OPCODE.continuation));
      await whole.next('"ack"', '"seq":201');
      whole.vanish();
      expect((await tenant().readings("pump-1", "temp")).slice(-2)).toEqual(kept(200, 201));
    });

    it.sequential("[D6] [D7] a socket that vanishes loses nothing acknowledged; what is sent again is not there twice", async () => {
      const patient = address() + patience;
      const socket = await RawSocket.open(patient, await token(tenant()));
      socket.send(report(300));
      socket.send({ type: "flush" });
      await socket.next('"ack"', '"seq":300');
      for (const seq of [301, 302, 303]) socket.send(report(seq));
      socket.vanish();

      const again = await RawSocket.open(patient, await token(tenant()));
      for (const seq of [300, 301, 302, 303, 304]) again.send(report(seq));
      again.send({ type: "flush" });
      await again.next('"ack"', '"seq":304');
      expect((await tenant().readings("pump-1", "temp")).slice(-5)).toEqual(kept(300, 301, 302, 303, 304));
      again.vanish();
    });

    it.sequential("[D7] vanished sockets in a row leave a device that answers and is not connected", async () => {
      for (let seq = 400; seq < 410; seq++) {
        const socket = await RawSocket.open(address(), await token(tenant()));
        socket.send(report(seq));
        await socket.next('"ack"', `"seq":${seq}`);
        socket.vanish();
      }
      await until("the end of the last socket", async () =>
        (await tenant().latest("pump-1")).connected ? undefined : true,
      );
      expect(await tenant().send({ ...report(410), ...named }, "pump-1")).toMatchObject({ stored: 1 });
      const seqs = Array.from({ length: 11 }, (_, i) => 400 + i);
      expect((await tenant().readings("pump-1", "temp")).slice(-11)).toEqual(kept(...seqs));
    });
  });
});
