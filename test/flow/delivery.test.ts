// Messages on their way out: a channel's object and a real receiver, which fails, hangs, redirects and recovers.

import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { alertOf, channelOf, resolvedOf, snapshotOf } from "../../core/alert/deliver/fake-notice.ts";
import type { AlertEvent, Incident, NoticeKind, NoticeMessage } from "../../schemas/alert.ts";
import type { Channel, Delivery } from "../../schemas/channel.ts";
import type { ChannelNotice, ChannelRpc, ZoneRpc } from "../../schemas/message.ts";
import { startLocal } from "../../scripts/local-run.ts";
import { answerWith, Receiver } from "./receiver.ts";
import { eachSharedTopology, type ServerUnderTest } from "./topology.ts";
import { until } from "./until.ts";

const SECRET = "shared with the receiver only";
const receivers: Receiver[] = [];
afterAll(() => Promise.all(receivers.map((receiver) => receiver.close())));

async function receiver(): Promise<Receiver> {
  const own = await new Receiver().listen();
  receivers.push(own);
  return own;
}

/** The object of a channel, called as the consumer calls it. */
async function channelObject({ run }: Pick<ServerUnderTest, "run">, name: string): Promise<ChannelRpc> {
  const namespace = await run.miniflare.getDurableObjectNamespace("CHANNEL", run.objectsWorker);
  return namespace.get(namespace.idFromName(name)) as unknown as ChannelRpc;
}

const webhookTo = ({ url }: Receiver, change: Partial<Channel> = {}): Channel =>
  channelOf({ target: { type: "webhook", url: `${url}/hook`, secret: SECRET }, ...change });

function noticeOf(kind: NoticeKind, number: number, incident: Partial<Incident> = {}): ChannelNotice {
  const id = incident.id ?? "north.7";
  const alerts = kind === "resolve" ? [resolvedOf()] : [alertOf()];
  return {
    key: `${id}.${kind}.${number}`,
    kind,
    tenant: "acme",
    snapshot: snapshotOf(alerts, { ...incident, id }),
  };
}

const sent = (object: ChannelRpc, count: number) =>
  until(`${count} messages sent`, async () => {
    const { deliveries } = await object.deliveries(100);
    const own = deliveries.filter(({ state }) => state === "sent");
    return own.length >= count ? deliveries : undefined;
  });

const keys = ({ received }: Receiver) => received.map(({ headers }) => headers["idempotency-key"]);

eachSharedTopology((server) => {
  it("[A31] [A33] what was answered 500 is sent again with the same key, and once it is taken never again", async () => {
    const own = (await receiver()).next(answerWith(500, {}, "not today"));
    const object = await channelObject(server, "acme/flaky");
    await object.deliver(webhookTo(own), noticeOf("fire", 1));
    const [delivery] = await sent(object, 1);
    expect(delivery).toMatchObject({ key: "north.7.fire.1", state: "sent", attempts: 2 });
    // Redelivered by the queue, for one reason or another.
    await Promise.all([1, 2, 3].map(() => object.deliver(webhookTo(own), noticeOf("fire", 1))));
    await object.deliver(webhookTo(own), noticeOf("resolve", 2));
    await sent(object, 2);
    expect(keys(own)).toEqual(["north.7.fire.1", "north.7.fire.1", "north.7.resolve.2"]);
  });

  it("[A33] a receiver that never answers delays nobody else", async () => {
    const hung = (await receiver()).always(() => undefined);
    const well = await receiver();
    const slow = await channelObject(server, "acme/hung");
    const quick = await channelObject(server, "acme/well");
    await slow.deliver(webhookTo(hung), noticeOf("fire", 1));
    await until("the attempt that hangs", () => hung.received[0]);
    await slow.deliver(webhookTo(hung), noticeOf("fire", 1, { id: "north.8" }));
    await quick.deliver(webhookTo(well), noticeOf("fire", 1));
    await sent(quick, 1);
    // Nothing came of the other one yet: it neither answered nor ran out of time.
    expect((await slow.deliveries(10)).deliveries.map(({ state }) => state)).toEqual(["waiting", "waiting"]);
    const given = await until("the end of the attempt", async () =>
      (await slow.deliveries(10)).deliveries.find(({ error }) => error !== null),
    );
    expect(given.error).toBe("did not answer in 10 s");
    hung.always(answerWith(200));
    await sent(slow, 2);
  });

  it("[A35] a redirect is not followed, and said", async () => {
    const elsewhere = await receiver();
    const own = (await receiver()).always(answerWith(307, { location: `${elsewhere.url}/elsewhere` }));
    const object = await channelObject(server, "acme/redirected");
    const delivery = (await object.test(webhookTo(own))) as Delivery;
    expect(delivery).toMatchObject({ state: "dead", attempts: 1, kind: "test" });
    expect(delivery.error).toContain("answered 307, and redirects are not followed");
    expect(delivery.error).toContain("/elsewhere");
    expect(own.received).toHaveLength(1);
    expect(elsewhere.received).toEqual([]);
  });

  it("[A35] an address that is refused is not asked, also when the channel has it already", async () => {
    const object = await channelObject(server, "acme/refused");
    const target = { type: "webhook" as const, url: "http://169.254.169.254/latest/meta-data" };
    expect(((await object.test(channelOf({ target }))) as Delivery).error).toContain("link-local");
    await object.deliver(channelOf({ target }), noticeOf("fire", 1));
    const refused = await until("the refusal", async () =>
      (await object.deliveries(10)).deliveries.find(
        ({ key, error }) => key.includes("fire") && error !== null,
      ),
    );
    expect(refused).toMatchObject({ state: "refused", error: expect.stringContaining("link-local") });
  });

  it("[A34] the documented check takes what we sign, and nothing altered, replayed or of another", async () => {
    const own = await receiver();
    const object = await channelObject(server, "acme/signed");
    await object.deliver(webhookTo(own), noticeOf("fire", 1));
    await sent(object, 1);
    const { body } = own.received[0]!;
    const headers = own.received[0]!.headers as Record<string, string>;
    const isGenuine = await documentedCheck();
    const now = Date.now();
    expect(isGenuine(headers, body, SECRET, now)).toBe(true);
    expect(isGenuine(headers, Buffer.from(body), SECRET, now)).toBe(true);
    expect(isGenuine(headers, body.replace("pump-1", "pump-2"), SECRET, now)).toBe(false);
    expect(isGenuine(headers, body, "another secret", now)).toBe(false);
    expect(isGenuine(headers, body, SECRET, now + 6 * 60_000)).toBe(false);
    const later = { ...headers, "telltale-timestamp": String(Number(headers["telltale-timestamp"]) + 1) };
    expect(isGenuine(later, body, SECRET, now)).toBe(false);
    expect(isGenuine({ ...headers, "telltale-signature": "" }, body, SECRET, now)).toBe(false);
    expect(isGenuine({}, body, SECRET, now)).toBe(false);
    expect(JSON.parse(body)).toMatchObject({
      version: 1,
      key: "north.7.fire.1",
      kind: "fire",
      tenant: "acme",
    });
  });

  it("[A32] [A33] after an outage all comes, of each incident in its order, the resolve last", async () => {
    const own = (await receiver()).always(answerWith(503));
    const object = await channelObject(server, "acme/outage");
    const incidents = Array.from({ length: 8 }, (_, i) => `north.${i}`);
    for (const id of incidents) await object.deliver(webhookTo(own), noticeOf("fire", 1, { id }));
    for (const id of incidents) await object.deliver(webhookTo(own), noticeOf("resolve", 2, { id }));
    await until("an attempt that failed", async () =>
      (await object.deliveries(100)).deliveries.find(({ attempts }) => attempts > 0),
    );
    const tried = own.received.length;
    own.always(answerWith(204));
    await sent(object, 16);
    const taken = keys(own).slice(tried);
    expect(taken.toSorted()).toEqual(incidents.flatMap((id) => [`${id}.fire.1`, `${id}.resolve.2`]));
    for (const id of incidents) {
      const at = (key: string) => taken.indexOf(`${id}.${key}`);
      expect(at("fire.1")).toBeLessThan(at("resolve.2"));
    }
  });

  it("[A31] [A32] [A37] [A39] from the zone through the queue: a fire, a resolve, each once, and the history in D1", async () => {
    const own = await receiver();
    const { run } = server;
    const database = await run.miniflare.getD1Database("CONTROL", run.objectsWorker);
    const channel = webhookTo(own, { route: { zones: ["east"] } });
    await database
      .prepare("INSERT INTO channel (tenant, id, body) VALUES ('acme', 'ops', ?)")
      .bind(JSON.stringify(channel))
      .run();
    const zones = await run.miniflare.getDurableObjectNamespace("ZONE", run.objectsWorker);
    const zone = zones.get(zones.idFromName("acme/east")) as unknown as ZoneRpc;
    const east = { zone: "east", device: "pump-1", id: "too-hot.0.1.pump-1" };
    const fired: AlertEvent = { kind: "fired", at: Date.now(), by: null, text: null, alert: alertOf(east) };
    await zone.alerts([fired]);
    const fire = await until("the fire", () => own.received[0]);
    const told = JSON.parse(fire.body);
    expect(told).toMatchObject({ kind: "fire", tenant: "acme", incident: { zone: "east", members: 1 } });
    expect(told.alerts[0]).toMatchObject({
      device: "pump-1",
      reading: fired.alert.reading,
      rule: { id: "too-hot" },
    });
    // The queue delivers it again, and so does the zone that was not told in time.
    const queue = await run.miniflare.getQueueProducer("NOTICES", run.objectsWorker);
    const again: NoticeMessage = {
      ...{ version: 1, type: "notice", tenant: "acme", zone: "east", channels: null },
      ...{ key: told.key, incident: told.incident.id, kind: "fire" },
    };
    await queue.send(again, { contentType: "json" });
    await queue.send(again, { contentType: "json" });
    const cleared: AlertEvent = {
      ...{ kind: "resolved", at: Date.now(), by: null, text: null },
      alert: resolvedOf({ ...east, revision: 2 }),
    };
    await zone.alerts([cleared]);
    await until("the resolve", () => own.received[1]);
    expect(own.received.map(({ body }) => JSON.parse(body).kind)).toEqual(["fire", "resolve"]);
    const stored = await until("the history", async () => {
      const { results } = await database
        .prepare("SELECT state, revision FROM alert WHERE tenant = 'acme' AND id = ? AND state = 'resolved'")
        .bind(east.id)
        .all();
      return results.length > 0 ? results : undefined;
    });
    expect(stored).toEqual([{ state: "resolved", revision: 2 }]);
    const { results } = await database
      .prepare("SELECT revision, kind FROM alert_event WHERE tenant = 'acme' ORDER BY revision")
      .all();
    expect(results).toEqual([
      { revision: 1, kind: "fired" },
      { revision: 2, kind: "resolved" },
    ]);
    const incident = await database
      .prepare("SELECT state, zone FROM incident WHERE tenant = 'acme' AND id = ?")
      .bind(told.incident.id)
      .first();
    expect(incident).toEqual({ state: "resolved", zone: "east" });
  });
});

it("[A31] [A33] what waits survives a restart, and comes with its key", async () => {
  const own = (await receiver()).always(answerWith(500));
  const state = await mkdtemp(join(tmpdir(), "telltale-delivery-"));
  const start = async () => {
    const run = await startLocal({ port: 0, state, split: false, tenant: "local", quiet: true });
    return { run, object: await channelObject({ run }, "acme/restarted") };
  };
  const first = await start();
  await first.object.deliver(webhookTo(own), noticeOf("fire", 1));
  await first.object.deliver(webhookTo(own), noticeOf("resolve", 2));
  await until("an attempt that failed", () => own.received[0]);
  await first.run.stop();
  own.always(answerWith(200));
  const tried = own.received.length;
  const second = await start();
  try {
    await sent(second.object, 2);
    expect(keys(own).slice(tried)).toEqual(["north.7.fire.1", "north.7.resolve.2"]);
    await second.object.deliver(webhookTo(own), noticeOf("fire", 1));
    expect((await second.object.deliveries(10)).deliveries).toHaveLength(2);
  } finally {
    await second.run.stop();
    await rm(state, { recursive: true });
  }
});

/** `isGenuine` of docs/webhooks.md, run as it stands there. */
async function documentedCheck(): Promise<
  (headers: Record<string, string>, body: string | Buffer, secret: string, nowMs: number) => boolean
> {
  const text = await readFile(new URL("../../docs/webhooks.md", import.meta.url), "utf8");
  const [, code] = text.match(/<!-- snippet: verify -->\n```js\n([\s\S]+?)```/)!;
  const module = await import(`data:text/javascript,${encodeURIComponent(code!)}`);
  return module.isGenuine;
}
