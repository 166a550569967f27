// Whole zones that fail at once: one incident, a handful of messages, every member named, one resolve.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { SnapshotFrame } from "../../schemas/live.ts";
import { AlertClient } from "./alert-client.ts";
import { useServer } from "./topology.ts";
import { until } from "./until.ts";
import { type Webhook, WebhookReceiver } from "./webhook-receiver.ts";

/** Reports of one request of the gateway. */
const BATCH = 100;

const receiver = new WebhookReceiver();
beforeAll(async () => {
  await receiver.listen();
});
afterAll(() => receiver.close());

const server = useServer();

/** A tenant whose devices report through one gateway, and a channel. */
class Site extends AlertClient {
  /** The devices have reported and know their zone; those behind a gateway know that too. */
  async begin(devices: readonly string[], gateway: string | null): Promise<void> {
    const url = receiver.urlOf(`/${this.tenant.tenant}`);
    await this.addChannel({ id: "ops", target: { type: "webhook", url } });
    const database = await server.run.miniflare.getD1Database("CONTROL", server.run.objectsWorker);
    await database
      .prepare(
        `INSERT INTO device (tenant, device, zone, gateway, created_at)
          SELECT ?, value, 'north', nullif(?, value), 0 FROM json_each(?)`,
      )
      .bind(this.tenant.tenant, gateway, JSON.stringify(devices))
      .run();
    await this.report(devices, 10);
    await until(`${devices.length} devices in the zone`, async () => {
      const { body } = await this.tenant.get("/v1/zones/north/snapshot");
      const snapshot = body as SnapshotFrame;
      return snapshot.devices.length + snapshot.missing.length === devices.length || undefined;
    });
  }

  /** All report once, in requests side by side. */
  async report(devices: readonly string[], level: number): Promise<void> {
    const reports = devices.map((device) => ({ device, metrics: { level } }));
    const requests = Array.from({ length: Math.ceil(reports.length / BATCH) }, (_, i) =>
      this.tenant.send(reports.slice(i * BATCH, (i + 1) * BATCH)),
    );
    const stored = (await Promise.all(requests)).reduce((sum, answer) => sum + answer.stored, 0);
    if (stored !== devices.length) throw new Error(`${stored} of ${devices.length} were stored`);
  }

  get webhooks(): Webhook[] {
    return receiver.at(`/${this.tenant.tenant}`);
  }

  /** The first message of a kind. */
  async told(kind: Webhook["kind"]): Promise<Webhook> {
    return await until(kind, () => this.webhooks.find((webhook) => webhook.kind === kind));
  }

  /** The keys of what was told, each once: a receiver that answers too late is told again under the same key. */
  keysTold() {
    return [...new Set(this.webhooks.map(({ key }) => key))];
  }

  /** The only incident there is, when D1 says so of it. */
  async incidentWith(expected: object) {
    return await until(`an incident with ${JSON.stringify(expected)}`, async () => {
      const incidents = await this.incidents();
      expect(incidents.length).toBeLessThanOrEqual(1);
      const [incident] = incidents;
      const isSo = Object.entries(expected).every(([key, value]) => incident?.[key as "id"] === value);
      return isSo ? incident : undefined;
    });
  }
}

const site = (name: string) => new Site(server.tenant(name), server.run.secret);
const named = (prefix: string, count: number) => Array.from({ length: count }, (_, i) => `${prefix}-${i}`);

describe.concurrent("an outage", () => {
  it("[A23] [A24] [A25] [A32] of 500 devices of a zone: one incident, at most three messages, all 500 listed, one resolve", async () => {
    const plant = site("plant");
    const devices = named("pump", 500);
    const condition = { type: "threshold", metric: "level", above: 50, clear: 40 } as const;
    await plant.addRule({ id: "too-full", condition });
    await plant.begin(devices, null);
    await plant.report(devices, 90);
    const { id } = await plant.incidentWith({ members: 500, active: 500 });
    expect((await plant.incident(id)).alerts).toHaveLength(500);
    // The fire lists who had joined by then; an update, when joining has calmed, the others, if there are any.
    const listed = () =>
      new Set(plant.webhooks.flatMap(({ body }) => body.alerts.map(({ device }) => device)));
    await until("all 500 to be told", () => (listed().size === 500 ? true : undefined));
    await plant.report(devices, 10);
    const resolve = await plant.told("resolve");
    expect(resolve.body.alerts.map(({ device }) => device).sort()).toEqual(devices.toSorted());
    expect(resolve.body.alerts.every(({ state }) => state === "resolved")).toBe(true);
    await plant.incidentWith({ state: "resolved", members: 500, active: 0 });
    const { alerts } = await plant.alerts("limit=1000");
    expect(new Set(alerts.map(({ device }) => device)).size).toBe(500);
    expect(new Set(alerts.map(({ incident, state }) => `${incident} ${state}`))).toEqual(
      new Set([`${id} resolved`]),
    );
    const told = plant.keysTold();
    const most = ["fire.0", "update.0", "resolve.0"].map((what) => `${id}.${what}`);
    expect(told).toEqual(most.filter((key) => told.includes(key)));
    expect([told[0], told.at(-1)]).toEqual([most[0], most[2]]);
  }, 180_000);

  it("[A8] [A26] of a gateway: the gateway is told of, the thirty devices behind it are muted", async () => {
    const field = site("field");
    const devices = named("sensor", 30);
    const all = [...devices, "gateway"];
    await field.begin(all, "gateway");
    await field.report(all, 1);
    await field.addRule({ id: "silent", condition: { type: "no_data", afterMs: 10_000 } });
    const { id } = await field.incidentWith({ members: 31, active: 31, muted: 30 });
    const fire = await field.told("fire");
    expect(fire.body.alerts.map(({ device, state }) => [device, state])).toContainEqual([
      "gateway",
      "no_data",
    ]);
    await field.report(all, 1);
    await field.told("resolve");
    expect((await field.incident(id)).alerts.every(({ resolution }) => resolution === "cleared")).toBe(true);
    expect(field.keysTold()).toEqual([`${id}.fire.0`, `${id}.resolve.0`]);
  }, 180_000);
});
