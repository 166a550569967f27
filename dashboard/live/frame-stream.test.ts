import { describe, expect, it } from "vitest";
import { SILENCE_MS_MAX, type Socket, ZoneStream } from "./frame-stream.ts";

/** A world without a network: sockets are opened, fed and closed by hand, timers run when told. */
function world() {
  const sockets: (Socket & { after: number | null; closed: boolean })[] = [];
  const timers = new Map<number, { run: () => void; delayMs: number }>();
  const states: string[] = [];
  const frames: unknown[] = [];
  const said: string[] = [];
  let timerCount = 0;
  let refusals = 0;
  const stream = new ZoneStream(
    {
      open(after) {
        const socket = {
          after,
          closed: false,
          onopen: null,
          onmessage: null,
          onclose: null,
          send: (text: string) => void said.push(text),
          close() {
            this.closed = true;
          },
        };
        sockets.push(socket);
        return socket;
      },
      setTimer(run, delayMs) {
        timers.set(++timerCount, { run, delayMs });
        return timerCount;
      },
      clearTimer: (timer) => timers.delete(timer as number),
      random: () => 1,
    },
    {
      onFrame: (frame) => frames.push(frame),
      onState: (state) => states.push(state),
      onRefused: () => refusals++,
    },
  );
  const socket = () => sockets.at(-1)!;
  return {
    stream,
    states,
    frames,
    said,
    sockets,
    socket,
    refusals: () => refusals,
    delays: () => [...timers.values()].map((timer) => timer.delayMs),
    open: () => socket().onopen?.(),
    send: (frame: object) => socket().onmessage?.({ data: JSON.stringify(frame) }),
    lose: () => socket().onclose?.({ code: 1006 }),
    runTimer() {
      const [id, timer] = [...timers][0]!;
      timers.delete(id);
      timer.run();
    },
  };
}

describe("ZoneStream", () => {
  it("opens, is live, and comes back asking for what it missed", () => {
    const { states, sockets, frames, open, send, lose, runTimer } = world();
    open();
    send({ type: "snapshot", seq: 41, devices: [] });
    send({ type: "update", seq: 42 });
    lose();
    runTimer();
    open();
    expect(states).toEqual(["connecting", "live", "reconnecting", "live"]);
    expect(sockets.map(({ after }) => after)).toEqual([null, 42]);
    expect(frames).toHaveLength(2);
  });

  it("[L31] says that it received what it is asked about, and tells nobody of the question", () => {
    const { frames, said, sockets, open, send, lose, runTimer } = world();
    open();
    send({ type: "snapshot", seq: 41, devices: [] });
    send({ type: "ask", seq: 41 });
    expect(said).toEqual(['{"type":"ack","seq":41}']);
    expect(frames).toHaveLength(1);
    lose();
    runTimer();
    expect(sockets.at(-1)!.after).toBe(41);
  });

  it("waits longer after each failure and starts over once a frame came", () => {
    const { delays, open, send, lose, runTimer } = world();
    const waited: number[] = [];
    for (let failure = 0; failure < 3; failure++) {
      lose();
      waited.push(...delays());
      runTimer();
    }
    open();
    send({ type: "snapshot", seq: 1, devices: [] });
    lose();
    expect([...waited, ...delays()]).toEqual([500, 1000, 2000, 500]);
  });

  it("tells when a socket was refused before it opened, not when a live one was lost", () => {
    const { refusals, open, lose, runTimer } = world();
    lose();
    expect(refusals()).toBe(1);
    runTimer();
    open();
    lose();
    expect(refusals()).toBe(1);
  });

  it("opens a silent socket again without saying so", () => {
    const { states, sockets, delays, open, send, runTimer } = world();
    open();
    send({ type: "update", seq: 5 });
    expect(delays()).toEqual([SILENCE_MS_MAX]);
    runTimer();
    expect(sockets[0]!.closed).toBe(true);
    expect(sockets[1]!.after).toBe(5);
    expect(states).toEqual(["connecting", "live"]);
  });

  it("pauses, resumes, and once closed stays closed", () => {
    const { stream, states, sockets, delays, open } = world();
    open();
    stream.pause();
    expect(sockets[0]!.closed).toBe(true);
    stream.resume();
    expect(sockets).toHaveLength(2);
    stream.close();
    stream.resume();
    stream.networkLost();
    expect(sockets).toHaveLength(2);
    expect(delays()).toEqual([]);
    expect(states).toEqual(["connecting", "live", "paused", "reconnecting"]);
  });

  it("a lost network is noticed at once, its return reconnects at once", () => {
    const { stream, states, sockets, open } = world();
    open();
    stream.networkLost();
    expect(states.at(-1)).toBe("reconnecting");
    stream.resume();
    expect(sockets).toHaveLength(2);
  });

  it("skips frames it does not know", () => {
    const { frames, socket, open, send } = world();
    open();
    send({ type: "weather", seq: 1 });
    socket().onmessage?.({ data: "{" });
    socket().onmessage?.({ data: new ArrayBuffer(1) });
    expect(frames).toEqual([]);
  });
});
