// One alert from the reading that fires it to the webhook, and what people then do; and all that must not happen to it.
import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { alert as alertSchema, type RuleBody } from "../../schemas/alert.ts";
import { AlertClient } from "./alert-client.ts";
import { answerWith } from "./receiver.ts";
import { eachTopology, type ServerUnderTest } from "./topology.ts";
import { until } from "./until.ts";
import { hang, type Webhook, WebhookReceiver } from "./webhook-receiver.ts";

const SECRET = "shared with the receiver only";
const DASHBOARD = "https://telltale.example.com";
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const TOO_HOT: RuleBody["condition"] = { type: "threshold", metric: "temp", above: 80, clear: 75 };

const receiver = new WebhookReceiver();
beforeAll(async () => {
  await receiver.listen();
});
afterAll(() => receiver.close());

/** A tenant with one rule, and one channel whose messages come to a path of its own. */
class Played extends AlertClient {
  readonly path: string;

  constructor(server: ServerUnderTest, name: string) {
    super(server.tenant(name), server.run.secret);
    this.path = `/${server.run.objectsWorker}/${name}`;
  }

  async begin(rule: Partial<RuleBody> = {}): Promise<this> {
    await this.addWebhook("ops", this.path);
    await this.addRule({ id: "too-hot", severity: "critical", condition: TOO_HOT, ...rule });
    return this;
  }

  async addWebhook(id: string, path: string): Promise<void> {
    const target = { type: "webhook", url: receiver.urlOf(path), secret: SECRET } as const;
    await this.addChannel({ id, target, perHourMax: null });
  }

  /** A reading at `at`, received at `receivedAt`. */
  async read(device: string, temp: number, at = Date.now(), receivedAt = Date.now()): Promise<void> {
    const { refused } = await this.tenant.send({ at, metrics: { temp } }, device, {
      "telltale-clock": String(receivedAt),
    });
    if (refused > 0) throw new Error(`${temp} of ${device} was refused`);
  }

  webhooks(path = this.path): Webhook[] {
    return receiver.at(path);
  }

  /** Waits until so many came. */
  async told(count: number, path = this.path): Promise<Webhook[]> {
    return await until(`${count} webhooks at ${path}`, () => {
      const webhooks = this.webhooks(path);
      return webhooks.length >= count ? webhooks : undefined;
    });
  }

  /** Waits until D1 lists the alert so: all that was to be sent of it until then is on its way. */
  async listed(id: string, state: string): Promise<void> {
    await until(`${id} ${state} in D1`, async () => {
      const { alerts } = await this.alerts();
      return alerts.find((alert) => alert.id === id)?.state === state || undefined;
    });
  }
}

/** What was told, in the order in which it came. */
const keys = (webhooks: readonly Webhook[]) => webhooks.map(({ key }) => key);

eachTopology(
  (server) => {
    const played = (name: string, rule?: Partial<RuleBody>) => new Played(server, name).begin(rule);

    it("[A12] [A14] [A31] [A34] [A37] [A38] [A47] reading → webhook → acknowledged → resolved, with its whole history", async () => {
      const acme = await played("acme");
      await acme.place("pump-1", { zone: "north" });
      await acme.read("pump-1", 70, Date.now() - MINUTE_MS);
      const receivedAt = Date.now();
      await acme.read("pump-1", 91.25, receivedAt - 1_500, receivedAt);
      const [fire] = await acme.told(1);
      expect(fire!.body).toMatchObject({
        kind: "fire",
        tenant: "acme",
        incident: { id: "north.1", state: "firing", zone: "north", members: 1, active: 1 },
        alerts: [
          {
            id: "too-hot.0.1.pump-1",
            state: "firing",
            device: "pump-1",
            metric: "temp",
            firedAt: receivedAt,
            reading: { at: receivedAt - 1_500, receivedAt, value: 91.25 },
            rule: { id: "too-hot", version: 1, severity: "critical", condition: TOO_HOT },
            links: { chart: `${DASHBOARD}/#/devices/pump-1?metric=temp` },
          },
        ],
      });
      const isGenuine = await documentedCheck();
      expect(isGenuine(fire!.headers as Record<string, string>, fire!.text, SECRET, Date.now())).toBe(true);
      expect(isGenuine(fire!.headers as Record<string, string>, `${fire!.text} `, SECRET, Date.now())).toBe(
        false,
      );

      const [alert] = fire!.body.alerts;
      const path = `/v1/alerts/${alert!.id}/ack`;
      const ada = { role: "operator", name: "ada" } as const;
      const acknowledged = await acme.do(alertSchema, "POST", path, { text: "on my way" }, ada);
      expect(acknowledged).toMatchObject({ state: "acknowledged", acknowledgedBy: "ada", revision: 2 });
      await acme.read("pump-1", 78);
      await acme.read("pump-1", 74);
      const [, resolve] = await acme.told(2);
      expect(keys(acme.webhooks())).toEqual(["north.1.fire.0", "north.1.resolve.0"]);
      expect(resolve!.body).toMatchObject({
        kind: "resolve",
        incident: { state: "resolved", acknowledgedBy: "ada", active: 0 },
        alerts: [{ state: "resolved", resolution: "cleared", clearedBy: { value: 74 } }],
      });
      await acme.listed(alert!.id, "resolved");
      const { history, incident } = await acme.alert(alert!.id);
      expect(incident).toBe("north.1");
      expect(history).toMatchObject([
        { revision: 1, kind: "fired", by: null, at: receivedAt },
        { revision: 2, kind: "acknowledged", by: "ada", text: "on my way" },
        { revision: 3, kind: "resolved", by: null },
      ]);
    });

    it("[A9] a report that comes again, or late, or corrects one, neither fires, clears nor fires again", async () => {
      const late = await played("late", { cooldownMs: 0 });
      const start = Date.now() - 10 * MINUTE_MS;
      await late.read("pump-1", 70, start);
      await late.read("pump-1", 90, start + 60_000);
      const [fire] = await late.told(1);
      await late.read("pump-1", 90, start + 60_000);
      await late.read("pump-1", 10, start + 60_000);
      await late.read("pump-1", 10, start + 30_000);
      const { id } = fire!.body.alerts[0]!;
      expect((await late.alert(id)).alert).toMatchObject({ state: "firing", revision: 1 });
      await late.read("pump-1", 70, start + 120_000);
      await late.told(2);
      await late.read("pump-1", 95, start + 90_000);
      await late.read("pump-1", 95, start + 120_000);
      await late.listed(id, "resolved");
      const { alerts } = await late.alerts();
      expect(alerts.map((alert) => alert.id)).toEqual([id]);
      // What fires next is numbered next: nothing fired in between.
      await late.read("pump-1", 95, start + 150_000);
      const fires = (await late.told(3)).filter(({ kind }) => kind === "fire");
      expect(fires.map(({ body }) => body.alerts[0]!.id)).toEqual([
        "too-hot.0.1.pump-1",
        "too-hot.0.2.pump-1",
      ]);
      expect(late.webhooks()).toHaveLength(3);
    });

    it("[A5] [A10] a clock that jumps, the device's or ours, does not make a breach last", async () => {
      const jumpy = await played("jumpy", { forMs: 5 * MINUTE_MS });
      const now = Date.now();
      // The device's clock jumps by an hour; by ours three seconds pass.
      await jumpy.read("device-clock", 90, now - HOUR_MS, now);
      await jumpy.read("device-clock", 90, now, now + 3_000);
      // A backlog of an hour comes at once: by ours nothing passes.
      const backlog = [0, 20, 40, 60].map((minutes) => ({
        at: now - HOUR_MS + minutes * MINUTE_MS,
        metrics: { temp: 90 },
      }));
      await jumpy.tenant.send(backlog, "backlog", { "telltale-clock": String(now) });
      // Ours jumps by an hour; by the device's a minute passes.
      await jumpy.read("our-clock", 90, now, now);
      await jumpy.read("our-clock", 90, now + MINUTE_MS, now + HOUR_MS);
      for (const device of ["device-clock", "backlog", "our-clock"]) {
        expect((await jumpy.alerts(`device=${device}`)).alerts).toEqual([]);
      }
      // Both see five minutes pass.
      await jumpy.read("both", 90, now, now);
      await jumpy.read("both", 90, now + 5 * MINUTE_MS, now + 5 * MINUTE_MS);
      const [fire] = await jumpy.told(1);
      expect(fire!.body.alerts.map(({ device }) => device)).toEqual(["both"]);
    });

    it("[A10] a clock that jumps back clears nothing", async () => {
      const back = await played("back");
      const now = Date.now();
      await back.read("pump-1", 90, now);
      const [fire] = await back.told(1);
      await back.read("pump-1", 10, now - HOUR_MS, now - HOUR_MS);
      const { id } = fire!.body.alerts[0]!;
      expect((await back.alert(id)).alert).toMatchObject({ state: "firing", revision: 1 });
    });

    it("[A17] [A32] a device deleted while firing resolves its alert as deleted, to all who got the fire", async () => {
      const gone = await played("gone");
      await gone.addWebhook("second", `${gone.path}/second`);
      const elsewhere = { type: "webhook", url: receiver.urlOf(`${gone.path}/elsewhere`) } as const;
      await gone.addChannel({ id: "elsewhere", target: elsewhere, route: { zones: ["elsewhere"] } });
      await gone.read("pump-1", 90);
      await gone.told(1);
      await gone.told(1, `${gone.path}/second`);
      expect((await gone.as({ role: "admin" }, "DELETE", "/v1/devices/pump-1")).status).toBe(202);
      await server.run.tick();
      for (const path of [gone.path, `${gone.path}/second`]) {
        const webhooks = await gone.told(2, path);
        expect(keys(webhooks)).toEqual(["default.1.fire.0", "default.1.resolve.0"]);
        expect(webhooks[1]!.body.alerts).toMatchObject([{ state: "resolved", resolution: "deleted" }]);
      }
      expect(gone.webhooks(`${gone.path}/elsewhere`)).toEqual([]);
    });

    it("[A33] [A35] a channel that answers 500, hangs or redirects delays only itself", async () => {
      const hard = await played("hard");
      const paths = ["broken", "hung", "moved"].map((name) => `${hard.path}/${name}`);
      const [broken, hung, moved] = paths as [string, string, string];
      receiver.answer(broken, answerWith(500, {}, "not today"));
      receiver.answer(hung, hang);
      receiver.answer(moved, answerWith(302, { location: receiver.urlOf(`${hard.path}/new`) }));
      for (const path of paths) await hard.addWebhook(path.split("/").at(-1)!, path);
      await hard.read("pump-1", 90);
      await hard.told(1);
      for (const path of paths) await hard.told(1, path);
      const [delivery] = (await hard.deliveries("ops")).deliveries;
      expect(delivery).toMatchObject({ state: "sent", attempts: 1 });
      // Its state is known when an attempt is over: the one that hangs takes ten seconds.
      for (const [channel, error] of [
        ["broken", /answered 500: not today/],
        ["moved", /answered 302, and redirects are not followed/],
      ] as const) {
        const failed = await until(`a failure of ${channel}`, async () =>
          (await hard.deliveries(channel)).deliveries.find((own) => own.error !== null),
        );
        expect(failed).toMatchObject({ state: "waiting", key: "default.1.fire.0" });
        expect(failed.error).toMatch(error);
      }
      // The next incident finds the others as they are, and the good channel as good.
      await hard.read("pump-1", 70);
      await hard.told(2);
      for (const path of paths) receiver.answer(path, answerWith(204));
      await hard.told(2, hung); // taken at the second attempt
      for (const path of paths) {
        const kinds = await until(`a resolve at ${path}`, () => {
          const own = hard.webhooks(path).map(({ kind }) => kind);
          return own.includes("resolve") ? own : undefined;
        });
        expect(kinds.lastIndexOf("fire")).toBeLessThan(kinds.indexOf("resolve"));
        expect(new Set(keys(hard.webhooks(path)))).toEqual(
          new Set(["default.1.fire.0", "default.1.resolve.0"]),
        );
      }
      expect(keys(hard.webhooks())).toEqual(["default.1.fire.0", "default.1.resolve.0"]);
      expect(hard.webhooks(`${hard.path}/new`)).toEqual([]);
    });

    it("[A29] a silence holds the message, not the alert; what still fires when it is ended is told then", async () => {
      const quiet = await played("quiet", { groupWithinMs: 0 });
      const id = await quiet.silence({ comment: "maintenance", endsAt: Date.now() + HOUR_MS });
      await quiet.read("still", 90);
      await quiet.read("over", 90);
      for (const device of ["still", "over"]) await quiet.listed(`too-hot.0.1.${device}`, "firing");
      await quiet.read("over", 70);
      await quiet.listed("too-hot.0.1.over", "resolved");
      const held = await quiet.incidents();
      expect(held.map(({ state }) => state).sort()).toEqual(["firing", "resolved"]);
      expect(quiet.webhooks()).toEqual([]);
      await quiet.as({ role: "operator" }, "DELETE", `/v1/silences/${id}`);
      const [fire] = await quiet.told(1);
      expect(fire!.body).toMatchObject({ kind: "fire", alerts: [{ device: "still" }] });
      await quiet.read("still", 70);
      const [, resolve] = await quiet.told(2);
      expect(resolve!.kind).toBe("resolve");
      expect(new Set(quiet.webhooks().map(({ body }) => body.incident.id))).toEqual(
        new Set([held.find(({ state }) => state === "firing")!.id]),
      );
    });
  },
  { vars: { PUBLIC_URL: DASHBOARD } },
);

/** `isGenuine` of docs/webhooks.md, run as it stands there. */
async function documentedCheck(): Promise<
  (headers: Record<string, string>, body: string, secret: string, nowMs: number) => boolean
> {
  const text = await readFile(new URL("../../docs/webhooks.md", import.meta.url), "utf8");
  const [, code] = text.match(/<!-- snippet: verify -->\n```js\n([\s\S]+?)```/)!;
  return (await import(`data:text/javascript,${encodeURIComponent(code!)}`)).isGenuine;
}
