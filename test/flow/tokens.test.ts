// Who may do what: tokens that are missing, old, forged, of another role, another device or another tenant.
import { expect, it } from "vitest";
import { signToken } from "../../core/token/sign.ts";
import { telemetryAnswer } from "../../schemas/reading.ts";
import { problemOf, type TenantClient } from "./tenant-client.ts";
import { eachSharedTopology, type ServerUnderTest } from "./topology.ts";

const REPORT = '{"metrics":{"temp":1}}';
const base64 = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");

type Forge = (
  server: ServerUnderTest,
  tenant: TenantClient,
) => string | undefined | Promise<string | undefined>;
const subject = { tenant: "acme", role: "device", device: "pump-1", ttlSeconds: 3_600 } as const;
const claims = { iss: "telltale", ...subject, iat: 1_700_000_000, exp: 4_000_000_000 };

const REFUSED: [what: string, code: string, says: RegExp, make: Forge][] = [
  ["none", "token_missing", /Authorization: Bearer/, () => undefined],
  [
    "an expired one",
    "token_expired",
    /expired at \d{4}-.*new one/,
    (_, acme) => acme.token("device", "pump-1", Date.now() - 3_700_000),
  ],
  [
    "one of another secret",
    "token_invalid",
    /signed/,
    () => signToken(subject, "another secret, quite as long as ours", Date.now()),
  ],
  [
    "one without a signature (alg none)",
    "token_invalid",
    /signed/,
    () => `${base64({ alg: "none", typ: "JWT" })}.${base64(claims)}.`,
  ],
  [
    "one said to be unsigned, with a signature",
    "token_invalid",
    /signed/,
    async (_, acme) =>
      `${base64({ alg: "none" })}.${base64(claims)}.${(await acme.token("device", "pump-1")).split(".")[2]}`,
  ],
  [
    "one whose tenant was changed",
    "token_invalid",
    /signed/,
    async (_, acme) =>
      (await acme.token("device", "pump-1")).replace(/\..*\./, `.${base64({ ...claims, tenant: "rival" })}.`),
  ],
  [
    "one cut off",
    "token_invalid",
    /copied whole/,
    async (_, acme) => (await acme.token("device", "pump-1")).slice(0, -5),
  ],
  ["no token at all", "token_invalid", /signed/, () => "pump-1"],
  [
    "a device token without a device",
    "token_invalid",
    /names one device/,
    ({ run }) => signToken({ ...subject, device: undefined }, run.secret, Date.now()),
  ],
  [
    "a tenant that is a path",
    "token_invalid",
    /tenant/,
    ({ run }) => signToken({ ...subject, tenant: "../acme" }, run.secret, Date.now()),
  ],
];

eachSharedTopology((server) => {
  const acme = () => server.tenant("acme");
  const rival = () => server.tenant("rival");

  async function refused(...[_what, code, says, make]: (typeof REFUSED)[number]): Promise<void> {
    const token = await make(server, acme());
    const headers = { "content-type": "application/json" };
    for (const answer of [
      await acme().ask("/v1/telemetry", { method: "POST", token, body: REPORT, headers }),
      await acme().ask("/v1/devices/pump-1/latest", { token }),
    ]) {
      expect(problemOf(answer)).toMatchObject({ status: 401, code, detail: expect.stringMatching(says) });
      expect(answer.headers.get("www-authenticate")).toMatch(/^Bearer/);
    }
    for (const path of ["/v1/connect", "/v1/zones/default/stream"]) {
      const search = token === undefined ? "" : `?access_token=${encodeURIComponent(token)}`;
      await expect(openSocket(`${acme().url}${path}${search}`), path).rejects.toThrow();
    }
  }
  it.each(REFUSED.slice(0, 1))("[I4] %s: 401 %s at every door", refused);
  it.each(REFUSED.slice(1, 2))("[I2] %s: 401 %s at every door", refused);
  it.each(REFUSED.slice(2))("[I3] %s: 401 %s at every door", refused);

  it.each([
    ["viewer", "POST", "/v1/telemetry", /device, gateway.*viewer/],
    ["admin", "POST", "/v1/telemetry", /device, gateway.*admin/],
    ["device", "GET", "/v1/devices", /viewer, operator, admin.*device/],
    ["device", "GET", "/v1/devices/pump-1/latest", /viewer.*device/],
    ["gateway", "GET", "/v1/zones/default/snapshot", /viewer.*gateway/],
    ["gateway", "GET", "/v1/archive", /viewer.*gateway/],
    ["viewer", "PUT", "/v1/devices/pump-1", /operator, admin.*viewer/],
    ["viewer", "POST", "/v1/devices/pump-1/seal", /operator, admin.*viewer/],
    ["operator", "PUT", "/v1/tenant", /admin.*operator/],
  ] as const)("[I4] a %s may not %s %s: 403 forbidden", async (role, method, path, says) => {
    const token = await acme().token(role, role === "device" ? "pump-1" : undefined);
    const body = method === "GET" ? undefined : REPORT;
    const answer = await acme().ask(path, { method, token, ...(body === undefined ? {} : { body }) });
    expect(problemOf(answer)).toMatchObject({
      status: 403,
      code: "forbidden",
      detail: expect.stringMatching(says),
    });
  });

  it("[I6] a device token speaks for its device only: 403 alone, named by index among good ones", async () => {
    const foreign = { device: "pump-2", metrics: { temp: 5 } };
    const alone = problemOf(await acme().post(JSON.stringify([foreign, foreign]), "pump-1"));
    expect(alone).toMatchObject({
      status: 403,
      code: "device_mismatch",
      detail: expect.stringMatching(/pump-1.*pump-2.*gateway/),
    });
    expect(alone.problems?.map(({ index }) => index)).toEqual([0, 1]);
    const own = { device: "pump-1", metrics: { temp: 6 } };
    const mixed = telemetryAnswer.parse((await acme().post(JSON.stringify([foreign, own]), "pump-1")).body);
    expect(mixed).toMatchObject({ stored: 1, refused: 1, problems: [{ index: 0, code: "device_mismatch" }] });
    expect(problemOf(await acme().get("/v1/devices/pump-2/latest"))).toMatchObject({
      status: 404,
      code: "device_not_found",
    });
    expect((await acme().latest("pump-1")).metrics.temp).toMatchObject({ value: 6 });
  });

  it("[I7] a gateway's report names its device", async () => {
    const answer = await acme().send([{ metrics: { temp: 1 } }, { device: "pump-3", metrics: { temp: 2 } }]);
    expect(answer).toMatchObject({ stored: 1, refused: 1, problems: [{ index: 0, code: "device_missing" }] });
  });

  it("[I5] to another tenant nothing of the first exists, by whatever name it asks", async () => {
    const history = "/v1/devices/pump-1/history?metric=temp&resolution=raw";
    expect((await acme().get(history)).status).toBe(200);
    for (const [path, code] of [
      ["/v1/devices/pump-1", "device_not_found"],
      ["/v1/devices/pump-1/latest", "device_not_found"],
      [history, "device_not_found"],
      [`${history}&source=cold`, "device_not_found"],
    ] as const) {
      expect(problemOf(await rival().get(path)), path).toMatchObject({ status: 404, code });
    }
    expect((await rival().get("/v1/devices")).body).toEqual({ devices: [], next: null });
    expect((await rival().get("/v1/zones")).body).toEqual({ zones: [] });
    expect((await rival().get("/v1/fleet")).body).toEqual({ tenant: rival().tenant, devices: 0, zones: [] });
    expect((await rival().get("/v1/zones/default/snapshot")).body).toMatchObject({
      devices: [],
      missing: [],
    });
  });

  it("[I5] [D17] a device of the same name in another tenant is another device; asking made none", async () => {
    expect(await rival().send({ metrics: { temp: -1 } }, "pump-1")).toMatchObject({ stored: 1 });
    expect((await acme().latest("pump-1")).metrics.temp).toMatchObject({ value: 6 });
    expect((await rival().latest("pump-1")).metrics.temp).toMatchObject({ value: -1 });
    await rival().seal("pump-9");
    expect((await rival().get("/v1/devices/pump-9/latest")).status).toBe(404);
  });
});

function openSocket(url: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url.replace(/^http/, "ws"), ["telltale.v1"]);
    socket.addEventListener("open", () => resolve());
    socket.addEventListener("error", () => reject(new Error("does not open")));
  });
}
