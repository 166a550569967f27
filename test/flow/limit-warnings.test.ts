// A tenant that comes near a limit, from its eighth device to the webhook that says so, and back.
import { afterAll, beforeAll, expect, it } from "vitest";
import { quotaAnswer } from "../../schemas/tenant.ts";
import { AlertClient } from "./alert-client.ts";
import { eachSharedTopology } from "./topology.ts";
import { until } from "./until.ts";
import { type Webhook, WebhookReceiver } from "./webhook-receiver.ts";

const receiver = new WebhookReceiver();
beforeAll(async () => {
  await receiver.listen();
});
afterAll(() => receiver.close());

eachSharedTopology((server) => {
  it("[A78] [F48] eight of ten devices are told once through the channel, and seven that there is room again", async () => {
    const tenant = server.tenant("near");
    const people = new AlertClient(tenant, server.run.secret);
    const path = `/${tenant.tenant}/${server.run.objectsWorker}`;
    const told = (count: number): Promise<Webhook[]> =>
      until(`${count} webhooks`, () => {
        const webhooks = receiver.at(path);
        return webhooks.length >= count ? webhooks : undefined;
      });
    const quota = async () => quotaAnswer.parse((await tenant.get("/v1/tenant/quota")).body);
    expect((await tenant.put("/v1/tenant", { limits: { devices: 10 } }, "admin")).status).toBe(200);
    await people.addChannel({ id: "ops", target: { type: "webhook", url: receiver.urlOf(path) } });

    const report = (from: number, to: number) =>
      tenant.send(
        Array.from({ length: to - from }, (_, i) => ({ device: `d${from + i}`, metrics: { a: 1 } })),
      );
    await report(0, 7);
    await report(7, 8);
    const [fire] = await told(1);
    expect(fire?.body).toMatchObject({
      kind: "fire",
      tenant: tenant.tenant,
      title: `WARNING · Limit of devices · ${tenant.tenant} uses 8 of 10 devices`,
      incident: { state: "firing", rule: { severity: "warning" } },
      alerts: [{ limit: { name: "devices", used: 8, most: 10 } }],
      links: { incident: null },
    });
    await until("all are registered", async () => ((await quota()).use.devices === 8 ? true : undefined));
    expect((await quota()).states).toEqual({
      ...{ devices: "near", storageBytes: "ok", readingsPerSecond: "ok", viewers: "ok" },
    });

    expect((await people.as({ role: "admin" }, "DELETE", "/v1/devices/d0")).status).toBe(202);
    const [, resolve, ...more] = await told(2);
    expect(resolve?.body).toMatchObject({
      kind: "resolve",
      title: `Resolved: WARNING · Limit of devices · ${tenant.tenant} uses 7 of 10 devices`,
      incident: { id: fire!.body.incident.id, state: "resolved" },
    });
    expect(more).toEqual([]);
    expect((await quota()).states.devices).toBe("ok");
    const { deliveries } = await people.deliveries("ops");
    expect(deliveries.map(({ kind, state, rule }) => [kind, state, rule])).toEqual([
      ["resolve", "sent", "Limit of devices"],
      ["fire", "sent", "Limit of devices"],
    ]);
  });
});
