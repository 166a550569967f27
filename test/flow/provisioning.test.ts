// From a factory's list to a device that sends, and to its end: made ahead of a file, claimed, reported, revoked.
import { expect, it } from "vitest";
import { claimAnswer, provisioningKeyMade } from "../../schemas/provisioning.ts";
import { deviceEntry, devicesMadeOfLines } from "../../schemas/query.ts";
import { problemOf, type TenantClient } from "./tenant-client.ts";
import { eachSharedTopology } from "./topology.ts";
import { until } from "./until.ts";

const JSON_TYPE = { "content-type": "application/json" };

async function post(acme: TenantClient, path: string, token: string, body: object) {
  return await acme.ask(path, { method: "POST", token, body: JSON.stringify(body), headers: JSON_TYPE });
}

eachSharedTopology((server) => {
  it("[I49] [I52] [I55] devices of a CSV file claim their tokens, report, and are revoked with key and device", async () => {
    const acme = server.tenant("factory");
    const admin = await acme.token("admin");
    const file = "device;name;model\r\npump-1;Left;M3\r\npump-2;Right;M3\r\n";
    const listed = await acme.ask("/v1/devices", {
      method: "POST",
      token: await acme.token("operator"),
      body: file,
      headers: { "content-type": "text/csv" },
    });
    expect(devicesMadeOfLines.parse(listed.body)).toMatchObject({ made: 2, exists: 0, invalid: 0 });

    const spec = { devicePrefix: "pump-", maxDevices: 2, ttlSeconds: 3_600, zone: "yard" };
    const made = provisioningKeyMade.parse((await post(acme, "/v1/provisioning-keys", admin, spec)).body);
    const claim = (device: string) =>
      post(acme, "/v1/claim", made.provisioningKey, { device, secret: `the secret of ${device}` });
    const first = await claim("pump-1");
    expect(first.status).toBe(201);
    const { token } = claimAnswer.parse(first.body);
    const again = await claim("pump-1");
    expect([again.status, again.body]).toEqual([200, first.body]);

    const report = () => post(acme, "/v1/telemetry", token, { metrics: { temp: 21.5 } });
    expect(await report()).toMatchObject({ status: 200, body: { stored: 1 } });
    const entry = await until("the registry to know of the report", async () => {
      const known = deviceEntry.parse((await acme.get("/v1/devices/pump-1")).body);
      return known.firstSeenAt === null ? undefined : known;
    });
    expect(entry).toMatchObject({ name: "Left", model: "M3", zone: "default" });

    const keyPath = `/v1/provisioning-keys/${made.id}`;
    const revoked = await acme.ask(keyPath, { method: "DELETE", token: admin });
    expect(revoked).toMatchObject({ status: 200, body: { claimed: 1 } });
    expect(problemOf(await claim("pump-2"))).toMatchObject({ status: 401, code: "token_revoked" });
    expect((await report()).status).toBe(200); // its token is its own
    await post(acme, "/v1/devices/pump-1/revoke", admin, {});
    expect(problemOf(await report())).toMatchObject({ status: 401, code: "token_revoked" });
  });
});
