// What a viewer sees while readings arrive: the zone's stream over both protocols, coming back to it, devices that move.
import { describe, expect, it } from "vitest";
import { snapshotFrame, type ZoneFrame, zoneFrame } from "../../schemas/live.ts";
import { deviceEntry, fleetAnswer, zoneList } from "../../schemas/query.ts";
import { EventStream } from "./event-stream.ts";
import { FrameSocket } from "./frame-socket.ts";
import type { TenantClient } from "./tenant-client.ts";
import { eachSharedTopology } from "./topology.ts";
import { until } from "./until.ts";

interface Watching {
  next<T extends ZoneFrame["type"]>(
    type: T,
    fits?: (frame: Extract<ZoneFrame, { type: T }>) => boolean,
  ): Promise<Extract<ZoneFrame, { type: T }>>;
  readonly frames: ZoneFrame[];
  close(): Promise<unknown>;
}

/** As a browser does: the token among the subprotocols. */
async function bySocket(tenant: TenantClient, zone: string, search = ""): Promise<Watching> {
  const protocols = ["telltale.v1", `bearer.${await tenant.token("viewer")}`];
  return FrameSocket.open<ZoneFrame>(`${tenant.url}/v1/zones/${zone}/stream${search}`, { protocols });
}

async function byEvents(tenant: TenantClient, zone: string, search = ""): Promise<Watching> {
  const headers = { authorization: `Bearer ${await tenant.token("viewer")}`, accept: "text/event-stream" };
  return EventStream.open<ZoneFrame>(`${tenant.url}/v1/zones/${zone}/stream${search}`, headers);
}

const WAYS = [
  { way: "WebSocket", watch: bySocket },
  { way: "server-sent events", watch: byEvents },
];
const has = (metric: string, value: number) => (frame: Extract<ZoneFrame, { type: "update" }>) =>
  frame.metrics[metric]?.value === value;

eachSharedTopology((server) => {
  let tenants = 0;
  /** A tenant whose pump-1 has reported once. All tests run side by side: most of their time goes in waiting for the
   * device, which shows itself once a second. */
  const withPump = async (): Promise<TenantClient> => {
    const tenant = server.tenant(`tenant-${++tenants}`);
    await tenant.send({ metrics: { temp: 1, rpm: 900 } }, "pump-1");
    return tenant;
  };

  describe.concurrent.each(WAYS)("$way", ({ watch }) => {
    it("[L2] [L8] a stream begins with what the devices know; a reading posted meanwhile comes as an update", async () => {
      const tenant = await withPump();
      const stream = await watch(tenant, "default");
      const { zone, devices, missing, seq } = await stream.next("snapshot");
      expect({ zone, missing }).toEqual({ zone: "default", missing: [] });
      expect(devices).toMatchObject([
        { device: "pump-1", connected: false, metrics: { temp: { value: 1 }, rpm: { value: 900 } } },
      ]);
      await tenant.send({ metrics: { temp: 2 } }, "pump-1");
      const update = await stream.next("update", has("temp", 2));
      expect(update).toMatchObject({ device: "pump-1", connected: false });
      expect(Object.keys(update.metrics)).toEqual(["temp"]);
      expect(update.seq).toBeGreaterThan(seq);
      await stream.close();
    });

    it("[L2] [L3] every reading shows, in frames whose numbers only rise and that fit the contract", async () => {
      const tenant = await withPump();
      const stream = await watch(tenant, "default");
      await stream.next("snapshot");
      for (let value = 100; value < 140; value++) await tenant.send({ metrics: { temp: value } }, "pump-1");
      await stream.next("update", has("temp", 139));
      const seqs = stream.frames.map((frame) => zoneFrame.parse(frame).seq);
      expect(seqs).toEqual([...new Set(seqs)].sort((a, b) => a - b));
      await stream.close();
    });

    it("[L8] a stream of one device tells nothing of the others", async () => {
      const tenant = await withPump();
      await tenant.send([
        { device: "fan-1", metrics: { rpm: 1 } },
        { device: "fan-2", metrics: { rpm: 1 } },
      ]);
      const stream = await watch(tenant, "default", "?device=fan-2");
      expect((await stream.next("snapshot")).devices.map(({ device }) => device)).toEqual(["fan-2"]);
      await tenant.send([
        { device: "fan-1", metrics: { rpm: 2 } },
        { device: "fan-2", metrics: { rpm: 2 } },
      ]);
      await tenant.send({ device: "fan-2", metrics: { rpm: 3 } });
      await stream.next("update", has("rpm", 3));
      expect(stream.frames.flatMap((frame) => (frame.type === "update" ? frame.device : []))).not.toContain(
        "fan-1",
      );
      await stream.close();
    });

    it("[L4] who comes back while another watches gets the gap and no second snapshot", async () => {
      const tenant = await withPump();
      const other = await watch(tenant, "default");
      await other.next("snapshot");
      const first = await watch(tenant, "default");
      const { seq } = await first.next("snapshot");
      await first.close();
      await tenant.send({ metrics: { temp: 7.5 } }, "pump-1");
      await other.next("update", has("temp", 7.5));
      const back = await watch(tenant, "default", `?after=${seq}`);
      await until("the gap or a snapshot", () => back.frames[0]);
      await tenant.send({ metrics: { temp: 8.5 } }, "pump-1");
      await back.next("update", has("temp", 8.5));
      const shown = back.frames
        .map((frame) => frameMetrics(frame)["pump-1"])
        .filter((value) => value !== undefined);
      expect(shown).toEqual([7.5, 8.5]);
      expect(back.frames.every(({ type, seq: later }) => type === "update" && later > seq)).toBe(true);
      await Promise.all([other.close(), back.close()]);
    });

    it("[L4] who comes back after nobody watched misses nothing, and is told what comes", async () => {
      const tenant = await withPump();
      const first = await watch(tenant, "default");
      await first.next("snapshot");
      await tenant.send({ metrics: { temp: 20 } }, "pump-1");
      const { seq } = await first.next("update", has("temp", 20));
      await first.close();
      // Pushed into a zone nobody watches: such a push ends the lease, and no frame keeps it.
      for (let value = 21; value < 24; value++) await tenant.send({ metrics: { temp: value } }, "pump-1");
      const back = await watch(tenant, "default", `?after=${seq}`);
      await until("the value sent meanwhile", () =>
        back.frames.some((frame) => frameMetrics(frame)["pump-1"] === 23) ? true : undefined,
      );
      await tenant.send({ metrics: { temp: 30 } }, "pump-1");
      await back.next("update", has("temp", 30));
      await back.close();
    });
  });

  it.concurrent("[D19] [L7] a device that moves leaves its old zone and joins the new one; both streams say so", async () => {
    const movers = await withPump();
    await movers.send({ metrics: { temp: 5 } }, "cart");
    const [before, after] = await Promise.all([bySocket(movers, "default"), bySocket(movers, "hall-2")]);
    await Promise.all([before.next("snapshot"), after.next("snapshot")]);
    const moved = await movers.put("/v1/devices/cart", {
      zone: "hall-2",
      name: "The cart",
      location: { latitude: 52.5, longitude: 13.4 },
    });
    expect(deviceEntry.parse(moved.body)).toMatchObject({ zone: "hall-2", name: "The cart", model: null });
    expect(await before.next("left")).toMatchObject({ device: "cart" });
    expect(await after.next("update")).toMatchObject({ device: "cart", metrics: { temp: { value: 5 } } });
    await movers.send({ metrics: { temp: 6 } }, "cart");
    await after.next("update", has("temp", 6));
    expect(await movers.latest("cart")).toMatchObject({ zone: "hall-2" });
    const { body } = await movers.get("/v1/zones/hall-2/snapshot");
    expect(snapshotFrame.parse(body).devices).toMatchObject([
      { device: "cart", zone: "hall-2", name: "The cart" },
    ]);
    expect(zoneList.parse((await movers.get("/v1/zones")).body).zones).toEqual([
      { zone: "default", devices: 1 },
      { zone: "hall-2", devices: 1 },
    ]);
    expect(fleetAnswer.parse((await movers.get("/v1/fleet")).body)).toMatchObject({
      tenant: movers.tenant,
      devices: 2,
    });
    await Promise.all([before.close(), after.close()]);
  });

  it.concurrent("[L5] [D5] a report on a socket shows before its commit; the acknowledgement waits for it", async () => {
    const tenant = await withPump();
    const stream = await bySocket(tenant, "default");
    await stream.next("snapshot");
    const device = await FrameSocket.open<{ type: "ack"; seq: number; stored: number }>(
      `${tenant.url}/v1/connect?commitEveryMs=600000`,
      { token: await tenant.token("device", "pump-1") },
    );
    await stream.next("update", ({ connected }) => connected);
    device.send({ type: "report", seq: 1, metrics: { temp: 41 } });
    await stream.next("update", has("temp", 41));
    expect((await tenant.latest("pump-1")).metrics.temp).toMatchObject({ value: 41 });
    expect(device.frames).toEqual([]);
    device.send({ type: "flush" });
    expect(await device.next("ack")).toMatchObject({ seq: 1, stored: 1 });
    await device.close();
    await until("its leaving", () => {
      const last = stream.frames.at(-1);
      return last?.type === "update" && !last.connected ? true : undefined;
    });
    await stream.close();
  });
});

/** Device → its temp, of a snapshot's devices or an update's one. */
function frameMetrics(frame: ZoneFrame): Record<string, number | undefined> {
  if (frame.type !== "snapshot" && frame.type !== "update") return {};
  const shown = frame.type === "snapshot" ? frame.devices : [frame];
  return Object.fromEntries(shown.map(({ device, metrics }) => [device, metrics.temp?.value]));
}
