// A provider that refuses a message for good: it is shown with what was said, goes by another channel, and the incident says so.
import { afterAll, beforeAll, expect, it } from "vitest";
import { AlertClient } from "./alert-client.ts";
import { answerWith, Receiver } from "./receiver.ts";
import { eachSharedTopology } from "./topology.ts";
import { until } from "./until.ts";
import { WebhookReceiver } from "./webhook-receiver.ts";

const provider = new Receiver();
const receiver = new WebhookReceiver();
beforeAll(async () => {
  await Promise.all([provider.listen(), receiver.listen()]);
  provider.always(answerWith(422, {}, '{"message":\n"The `subject` is odd"}'));
});
afterAll(() => Promise.all([provider.close(), receiver.close()]));

eachSharedTopology((server) => {
  it("[A59] [A60] [A61] of a critical alert the other channel has fire and resolve, each once", async () => {
    const tenant = server.tenant("refused");
    const client = new AlertClient(tenant, server.run.secret);
    const path = `/${tenant.tenant}`;
    const people = { from: "a@example.com", to: ["b@example.com"] };
    await client.addChannel({ id: "mail", target: { type: "email", url: provider.url, ...people } });
    await client.addChannel({ id: "ops", target: { type: "webhook", url: receiver.urlOf(path) } });
    await client.addRule({
      id: "hot",
      condition: { type: "threshold", metric: "level", above: 50 },
      severity: "critical",
      channels: ["mail"],
    });
    const report = (level: number) =>
      tenant.send(["a", "b", "c"].map((device) => ({ device, metrics: { level } })));
    await report(10);
    await report(90);
    await until("the fire at the other channel", () => receiver.at(path)[0]);
    const [incident] = await until("the incident to say so", async () => {
      const incidents = await client.incidents();
      return incidents[0]?.refusals?.[0]?.instead ? incidents : undefined;
    });
    expect(incident!.refusals).toEqual([
      {
        ...{ key: `${incident!.id}.fire.0`, kind: "fire", channel: "mail", at: expect.any(Number) },
        ...{ error: 'answered 422: {"message": "The `subject` is odd"}', instead: ["ops"] },
      },
    ]);
    const { deliveries } = await client.deliveries("mail");
    expect(deliveries).toMatchObject([
      { state: "refused", attempts: 1, error: incident!.refusals![0]!.error, dueAt: null },
    ]);
    await report(10);
    await until("the resolve", () => receiver.at(path).find(({ kind }) => kind === "resolve"));
    const keys = receiver.at(path).map(({ key }) => key);
    expect(new Set(keys).size).toBe(keys.length);
    const fires = receiver.at(path).filter(({ kind }) => kind === "fire");
    expect(fires).toHaveLength(1);
  }, 120_000);
});
