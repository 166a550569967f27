// API keys through real Workers, one and three: made once, taken at the doors of their role, and void at once.
import { expect, it } from "vitest";
import type { ApiKeyList, ApiKeyMade } from "../../schemas/api-key.ts";
import { problemOf } from "./tenant-client.ts";
import { eachSharedTopology } from "./topology.ts";
import { until } from "./until.ts";

eachSharedTopology((server) => {
  it("[I57] [I58] [I61] a key is taken by every Worker at the doors of its role, until it is revoked", async () => {
    const acme = server.tenant("keys");
    const token = await acme.token("admin");
    const make = async (name: string, role: string) => {
      const body = JSON.stringify({ name, role });
      return (await acme.ask("/v1/api-keys", { method: "POST", token, body })).body as ApiKeyMade;
    };
    const gateway = await make("Gate", "gateway");
    const viewer = await make("Reader", "viewer");
    const send = () =>
      acme.ask("/v1/telemetry", {
        method: "POST",
        token: gateway.apiKey,
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ device: "pump-1", metrics: { temp: 1 } }),
      });
    const look = () => acme.ask("/v1/devices/pump-1/latest", { token: viewer.apiKey });
    expect(await send()).toMatchObject({ status: 200, body: { stored: 1 } });
    expect(await look()).toMatchObject({ status: 200, body: { metrics: { temp: { value: 1 } } } });
    await until("the registry knows the device", async () => {
      const { status } = await acme.ask("/v1/devices/pump-1", { token });
      return status === 200 ? true : undefined;
    });
    const listed = (await acme.ask("/v1/api-keys", { token })).body as ApiKeyList;
    expect(listed.apiKeys.map(({ name, lastUsedAt }) => [name, lastUsedAt === null])).toEqual([
      ["Gate", false],
      ["Reader", false],
    ]);
    for (const { id } of [gateway, viewer])
      expect((await acme.ask(`/v1/api-keys/${id}`, { method: "DELETE", token })).status).toBe(200);
    for (const refused of [await send(), await look()])
      expect(problemOf(refused)).toMatchObject({ status: 401, code: "token_revoked" });
  });
});
