// A viewer that does not read, and one that reads slowly, of a zone that says a megabyte every other second.
import { expect, it } from "vitest";
import { SNAPSHOT_BYTES_MAX } from "../../schemas/limits.ts";
import type { SnapshotFrame, ZoneFrame } from "../../schemas/live.ts";
import { frameBytes, RawSocket } from "./raw-socket.ts";
import type { TenantClient } from "./tenant-client.ts";
import { eachSharedTopology } from "./topology.ts";
import { until } from "./until.ts";

const DEVICES = 60;
const ROUNDS = 6;

/** A report of each device, of some 10 KB each in a frame. */
const round = (value: number) =>
  Array.from({ length: DEVICES }, (_, i) => ({
    device: `d${i}`,
    metrics: Object.fromEntries(Array.from({ length: 50 }, (_, m) => [`${"m".repeat(120)}-${m}`, value])),
  }));

/** A viewer that answers what it is asked, when it is told to. */
class Viewer {
  readonly raw: RawSocket;
  #looked = 0;
  bytes = 0;
  lastSeq = 0;
  readonly #values = new Map<string, number>();

  private constructor(raw: RawSocket) {
    this.raw = raw;
  }

  static async open(tenant: TenantClient, query = ""): Promise<Viewer> {
    const token = await tenant.token("viewer");
    const raw = await RawSocket.open(`${tenant.url}/v1/zones/default/stream${query}`, token);
    raw.write(frameBytes(Buffer.from("ping"))); // or a close would be half of one (L20)
    return new Viewer(raw);
  }

  /** Looks at what came, and answers. */
  look(): void {
    for (; this.#looked < this.raw.texts.length; this.#looked++) {
      const text = this.raw.texts[this.#looked]!;
      if (text === "pong") continue;
      this.bytes += text.length;
      const frame = JSON.parse(text) as ZoneFrame;
      this.lastSeq = frame.seq;
      if (frame.type === "ask") this.raw.send({ type: "ack", seq: frame.seq });
      const shown = frame.type === "snapshot" ? frame.devices : frame.type === "update" ? [frame] : [];
      for (const { device, metrics } of shown) this.#values.set(device, Object.values(metrics)[0]!.value);
    }
  }

  /** Waits until it has seen every device report this, answering meanwhile. */
  async sees(value: number): Promise<void> {
    await until(
      () => `all devices at ${value}; ${this.bytes} bytes came, closed with ${this.raw.closeCode}`,
      () => {
        this.look();
        const seen = [...this.#values.values()].filter((last) => last === value).length;
        return seen === DEVICES || undefined;
      },
    );
  }
}

eachSharedTopology((server) => {
  it("[L26] a viewer that does not read is cut and comes back; one that reads slowly and one that reads on are not", async () => {
    const tenant = server.tenant("slow-viewers");
    await tenant.send(round(0));
    const reading = await until("the zone's devices", async () => {
      const viewer = await Viewer.open(tenant);
      const snapshot = await viewer.raw.next('"snapshot"');
      if ((JSON.parse(snapshot) as SnapshotFrame).devices.length === DEVICES) return viewer;
      viewer.raw.vanish();
      return undefined;
    });
    const [slow, mute] = [await Viewer.open(tenant), await Viewer.open(tenant)];
    await Promise.all([slow.raw.next('"snapshot"'), mute.raw.next('"snapshot"')]);
    mute.raw.pause();
    for (let value = 1; value <= ROUNDS; value++) {
      slow.raw.pause();
      await tenant.send(round(value));
      await reading.sees(value);
      slow.raw.resume();
      await slow.sees(value);
    }
    expect(reading.bytes).toBeGreaterThan(3_000_000);
    expect([reading.raw.closeCode, slow.raw.closeCode]).toEqual([undefined, undefined]);

    mute.raw.resume();
    expect(await mute.raw.closedByServer()).toBe(1013);
    const bytes = mute.raw.texts.reduce((sum, text) => sum + text.length, 0);
    expect(bytes).toBeGreaterThan(1_000_000);
    expect(bytes).toBeLessThan(SNAPSHOT_BYTES_MAX + 256 * 1024 + 1_000_000);
    const lastSeq = (JSON.parse(mute.raw.texts.at(-1)!) as ZoneFrame).seq;
    const again = await Viewer.open(tenant, `?after=${lastSeq}`);
    await again.sees(ROUNDS);
    for (const { raw } of [reading, slow, again]) raw.vanish();
  });
});
