import { env } from "cloudflare:test";
import { expect, it, vi } from "vitest";
import type { Channel, Target } from "../../schemas/channel.ts";
import { CHANNELS_PER_TENANT_MAX } from "../../schemas/limits.ts";
import { problem } from "../test-support.ts";
import { answerOf, ask } from "./api-test-support.ts";

vi.setConfig({ testTimeout: 60_000 });

const hook = { name: "Hook", target: { type: "webhook", url: "https://example.com/hook", secret: "s3cret" } };
const rule = { name: "Too hot", condition: { type: "threshold", metric: "temp", above: 80 } };

/** Channels' objects that keep what they are told. */
class ToldChannels {
  readonly told: [name: string, channel: Channel | null][] = [];

  getByName(name: string) {
    return {
      configure: async (channel: Channel | null) => void this.told.push([name, channel]),
      test: async (channel: Channel) => ({
        key: "test",
        state: "sent",
        kind: "test",
        sentTo: channel.target,
      }),
      deliveries: async (limit: number) => ({
        deliveries: [{ incident: "north.1" }],
        counts: { sent: limit },
      }),
    };
  }
}

function clientOf(tenant: string) {
  const told = new ToldChannels();
  const bindings = { CHANNEL: told };
  const change = (method: string, path: string, body?: object) =>
    ask(tenant, "admin", `/v1/channels${path}`, { method, body, bindings });
  const get = <Answer>(path = "") =>
    answerOf<Answer>(ask(tenant, "operator", `/v1/channels${path}`, { bindings }));
  return { told: told.told, change, get };
}

const storedTarget = async (tenant: string, id: string): Promise<Target> => {
  const select = env.CONTROL.prepare("SELECT body FROM channel WHERE tenant = ?1 AND id = ?2").bind(
    tenant,
    id,
  );
  return (JSON.parse((await select.first<string>("body"))!) as Channel).target;
};

it.each([
  [{}, "invalid_body", /name/],
  [{ ...hook, target: { type: "fax" } }, "invalid_body", /target\.type.*'webhook'.*not "fax"/],
  [
    { ...hook, target: { type: "slack", url: "ftp://example.com" } },
    "invalid_body",
    /target\.url.*not "ftp:/,
  ],
  [
    { ...hook, target: { type: "alertmanager", url: "https://am.example.com", token: "pasted\n" } },
    "invalid_body",
    /target\.token.*printable ASCII/,
  ],
  [{ ...hook, perHourMax: 0 }, "invalid_body", /perHourMax.*>=1, not 0/],
  [{ ...hook, id: "No Id" }, "invalid_body", /id: an id is 1 to 40.*not "No Id"/],
  [{ ...hook, route: { hours: [{ from: "25:00", to: "08:00" }] } }, "invalid_body", /HH:MM.*not "25:00"/],
  [
    { ...hook, target: { ...hook.target, url: "http://169.254.169.254/x" } },
    "invalid_target",
    /169\.254.*link-local/,
  ],
  [
    { ...hook, target: { ...hook.target, url: "https://10.0.0.7/x" } },
    "invalid_target",
    /10\.0\.0\.7.*private/,
  ],
  [
    { ...hook, target: { ...hook.target, secret: "•••" } },
    "invalid_target",
    /target\.secret.*there is none; send it/,
  ],
])("[A35] a channel is refused with what is wrong and the remedy: %j", async (body, code, says) => {
  const { change, get } = clientOf("bad-channels");
  await change("POST", "", { ...hook, id: "good", target: { type: "teams", url: "https://example.com/t" } });
  for (const [method, path] of [
    ["POST", ""],
    ["PUT", "/good"],
  ] as const) {
    expect((await problem(change(method, path, body), 400, code)).detail).toMatch(says);
  }
  expect(await get()).toMatchObject({ channels: [{ id: "good", target: { type: "teams" } }] });
});

it("[A35] a target on the same machine is taken where the clock is settable, in a local run, and nowhere else", async () => {
  const body = { ...hook, target: { ...hook.target, url: "http://127.0.0.1:9/x" } };
  const post = (bindings: object) =>
    ask("loopback", "admin", "/v1/channels", {
      method: "POST",
      body,
      bindings: { CHANNEL: new ToldChannels(), ...bindings },
    });
  expect((await post({})).status).toBe(201);
  expect((await problem(post({ CLOCK: undefined }), 400, "invalid_target")).detail).toMatch(/loopback/);
});

it.each<[Target, string]>([
  [{ type: "webhook", url: "https://example.com/a", secret: "hidden" }, "secret"],
  [{ type: "slack", url: "https://hooks.slack.com/services/hidden" }, "url"],
  [{ type: "pagerduty", routingKey: "hidden", url: "https://events.pagerduty.com/v2/enqueue" }, "routingKey"],
  [{ type: "opsgenie", apiKey: "hidden", url: "https://api.opsgenie.com/v2/alerts" }, "apiKey"],
  [{ type: "teams", url: "https://example.webhook.office.com/hidden" }, "url"],
  [
    {
      type: "email",
      url: "https://mail.example.com",
      token: "hidden",
      from: "a@example.com",
      to: ["b@example.com"],
    },
    "token",
  ],
  [{ type: "alertmanager", url: "https://am.example.com", token: "hidden" }, "token"],
])(
  "[A28] a secret is never shown again, and stays when its mask is sent back: %j",
  async (target, secret) => {
    const tenant = `secret-${target.type}`;
    const { change, get, told } = clientOf(tenant);
    const made = await answerOf<Channel>(change("POST", "", { name: "One", id: "one", target }));
    const listed = await get<{ channels: Channel[] }>();
    const one = await get<Channel>("/one");
    const renamed = await answerOf<Channel>(change("PUT", "/one", { ...one, name: "Two" }));
    expect(renamed.name).toBe("Two");
    expect(await storedTarget(tenant, "one")).toEqual(target);
    expect(told.at(-1)).toMatchObject([`${tenant}/one`, { name: "Two", target }]);
    expect((one.target as Record<string, unknown>)[secret]).toContain("•••");
    const deleted = await answerOf(change("DELETE", "/one"));
    expect(JSON.stringify([made, listed, one, renamed, deleted])).not.toContain("hidden");
  },
);

it("[A73] a webhook's address is whole for admins only, and what either was shown is kept when it is sent back", async () => {
  const { change, get } = clientOf("webhook-key");
  const target = { type: "webhook", url: "https://example.com/in/k3y?key=k3y", secret: "s3cret" } as const;
  const made = await answerOf<Channel>(change("POST", "", { ...hook, id: "one", target }));
  const own = await answerOf<Channel>(change("GET", "/one"));
  const [listed] = (await answerOf<{ channels: Channel[] }>(change("GET", ""))).channels;
  for (const one of [made, own, listed!]) expect(one.target).toEqual({ ...target, secret: "•••" });
  const masked = { ...target, url: "https://example.com/•••", secret: "•••" };
  const shown = await get<Channel>("/one");
  expect([shown.target, (await get<{ channels: Channel[] }>()).channels[0]!.target]).toEqual([
    masked,
    masked,
  ]);
  for (const sent of [own, shown]) {
    await answerOf(change("PUT", "/one", { name: "Two", target: sent.target }));
    expect(await storedTarget("webhook-key", "one")).toEqual(target);
  }
  const moved = { ...masked, url: "https://example.org/•••" };
  await problem(change("PUT", "/one", { name: "Two", target: moved }), 400, "invalid_target");
  const { results } = await env.CONTROL.prepare("SELECT * FROM audit WHERE tenant = 'webhook-key'").all();
  expect(results.length).toBeGreaterThan(2);
  expect(JSON.stringify(results)).not.toMatch(/k3y|s3cret/);
});

it("[A72] a test that comes too soon is 429 with the time to wait", async () => {
  const { change } = clientOf("tested");
  await answerOf(change("POST", "", { ...hook, id: "one" }));
  const object = { test: async () => ({ retryAfterMs: 41_500 }) };
  const asked = ask("tested", "operator", "/v1/channels/one/test", {
    method: "POST",
    bindings: { CHANNEL: { getByName: () => object } },
  });
  const answer = await asked;
  expect(answer.headers.get("retry-after")).toBe("42");
  expect(await problem(Promise.resolve(answer), 429, "rate_limited")).toMatchObject({ retryAfterMs: 41_500 });
});

it("[A71] a target with a secret is not kept with an address that is not encrypted", async () => {
  const { change } = clientOf("plain");
  const target = { ...hook.target, url: "http://example.com/hook" };
  const { detail } = await problem(change("POST", "", { ...hook, target }), 400, "invalid_target");
  expect(detail).toMatch(/no encryption.*secret.*https/);
  await answerOf(change("POST", "", { ...hook, target: { type: "webhook", url: target.url } }));
});

it("[A28] a stored secret does not follow to another address, and a new one replaces it", async () => {
  const { change } = clientOf("moved");
  await answerOf(change("POST", "", { ...hook, id: "one" }));
  const put = (target: object) => change("PUT", "/one", { ...hook, target: { ...hook.target, ...target } });
  const moved = problem(put({ url: "https://example.org/hook", secret: "•••" }), 400, "invalid_target");
  expect((await moved).detail).toMatch(/send the secret again/);
  expect(await storedTarget("moved", "one")).toEqual(hook.target);
  await answerOf(put({ url: "https://example.org/hook", secret: "other" }));
  expect(await storedTarget("moved", "one")).toMatchObject({
    url: "https://example.org/hook",
    secret: "other",
  });
});

it("[A28] a channel that rules name is not deleted, and says which; one that is gone is told so", async () => {
  const { change, told } = clientOf("named");
  await answerOf(change("POST", "", { ...hook, id: "pager" }));
  const post = (id: string, more: object) =>
    answerOf(ask("named", "operator", "/v1/rules", { method: "POST", body: { ...rule, id, ...more } }));
  await post("by-name", { channels: ["pager"] });
  await post("by-step", { escalation: [{ afterMs: 60_000, channels: ["pager"] }] });
  await post("neither", {});
  const refused = await problem(change("DELETE", "/pager"), 409, "conflict");
  expect(refused.detail).toMatch(/by-name, by-step;/);
  for (const id of ["by-name", "by-step"]) {
    await answerOf(ask("named", "operator", `/v1/rules/${id}`, { method: "DELETE" }));
  }
  await answerOf(change("DELETE", "/pager"));
  expect(told.at(-1)).toEqual(["named/pager", null]);
  await problem(change("DELETE", "/pager"), 404, "channel_not_found");
});

it("[A33] a channel whose deletion the database did not take is told to again", async () => {
  await clientOf("kept-channel").change("POST", "", { ...hook, id: "kept" });
  const away = { bind: () => ({ run: () => Promise.reject(new Error("D1 is away")) }) };
  const CONTROL = {
    prepare: (sql: string) => (sql.startsWith("DELETE") ? away : env.CONTROL.prepare(sql)),
  };
  const bindings = { CONTROL, CHANNEL: new ToldChannels() };
  const answer = await ask("kept-channel", "admin", "/v1/channels/kept", { method: "DELETE", bindings });
  expect(answer.status).toBe(503);
  expect(bindings.CHANNEL.told).toEqual([
    ["kept-channel/kept", null],
    ["kept-channel/kept", expect.objectContaining({ id: "kept", target: hook.target })],
  ]);
});

it("[A37] a channel remembers where the API was reached, for the links in its messages, also when it is sent back whole", async () => {
  const { told, change, get } = clientOf("channels-origin");
  await change("POST", "", { id: "ops", ...hook });
  const shown = await get<Channel>("/ops");
  expect(shown.origin).toMatch(/^https?:\/\/[^/]+$/);
  expect((await change("PUT", "/ops", shown)).status).toBe(200);
  await problem(change("PUT", "/ops", { ...shown, origin: "https://elsewhere.test" }), 409, "conflict");
  expect(told.map(([, channel]) => channel?.origin)).toEqual([shown.origin, shown.origin]);
});

it("[A28] [A55] a channel is tried, and its deliveries are asked, with its own object, and name their rules", async () => {
  const { change, get } = clientOf("tried");
  await answerOf(change("POST", "", { ...hook, id: "one" }));
  const tried = await answerOf(change("POST", "/one/test"));
  expect(tried).toMatchObject({ state: "sent", kind: "test" });
  const deliveries = (rule: string | null) => ({
    deliveries: [{ incident: "north.1", rule }],
    counts: { sent: 7 },
  });
  expect(await get("/one/deliveries?limit=7")).toEqual(deliveries(null));
  await env.CONTROL.prepare(
    "INSERT INTO incident (tenant, id, zone, state, opened_at, revision, body) VALUES ('tried', 'north.1', 'north', 'firing', 0, 1, ?1)",
  )
    .bind(JSON.stringify({ rule: { name: "Too hot" } }))
    .run();
  expect(await get("/one/deliveries?limit=7")).toEqual(deliveries("Too hot"));
  await problem(change("GET", "/one/deliveries?limit=0"), 400, "invalid_query");
  await problem(change("POST", "/two/test"), 404, "channel_not_found");
});

it("[A28] a tenant has at most 50 channels, and an id once", async () => {
  const { change } = clientOf("full");
  await answerOf(change("POST", "", { ...hook, id: "one" }));
  const twice = await problem(change("POST", "", { ...hook, id: "one" }), 409, "conflict");
  expect(twice.detail).toMatch("PUT /v1/channels/one");
  for (let i = 1; i < CHANNELS_PER_TENANT_MAX; i++) await answerOf(change("POST", "", hook));
  expect((await problem(change("POST", "", hook), 409, "conflict")).detail).toMatch(
    /may have 50; delete one/,
  );
});

it("[I5] another tenant's channels do not exist for the caller", async () => {
  const { change } = clientOf("channel-owner");
  await answerOf(change("POST", "", { ...hook, id: "one" }));
  const stranger = clientOf("channel-stranger");
  expect(await stranger.get()).toEqual({ channels: [] });
  for (const [method, path] of [
    ["GET", "/one"],
    ["PUT", "/one"],
    ["DELETE", "/one"],
    ["POST", "/one/test"],
    ["GET", "/one/deliveries"],
  ] as const) {
    const asked = stranger.change(method, path, method === "PUT" ? hook : undefined);
    await problem(asked, 404, "channel_not_found");
  }
  expect(stranger.told).toEqual([]);
});
