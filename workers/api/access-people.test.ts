// People whom Cloudflare Access signed in: what they may, from where, and when it ends.
import { createExecutionContext } from "cloudflare:test";
import { exportJWK, generateKeyPair, type JWK, SignJWT } from "jose";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { AuditEntry } from "../../schemas/http.ts";
import type { ZoneFrame } from "../../schemas/live.ts";
import type { SessionAnswer, SessionToken } from "../../schemas/token.ts";
import { problem, TestSocket } from "../test-support.ts";
import { answerOf, apiEnv, ask, register } from "./api-test-support.ts";
import type { ApiEnv } from "./env.ts";
import { api } from "./worker.ts";

const AUD = "the-tag-of-the-application";
let teams = 0;

/** A team of its own, whose keys the isolate does not know. */
async function newTeam(tenant: string) {
  const team = `https://team-${++teams}.cloudflareaccess.com`;
  const keys: JWK[] = [];
  let isAway = false;
  const fetches = vi.spyOn(globalThis, "fetch").mockImplementation(async (input) => {
    expect(String(input)).toBe(`${team}/cdn-cgi/access/certs`);
    return isAway ? new Response("", { status: 502 }) : Response.json({ keys });
  });
  const addKey = async (kid: string) => {
    const { publicKey, privateKey } = await generateKeyPair("RS256", { extractable: true });
    keys.push({ ...(await exportJWK(publicKey)), kid, alg: "RS256", use: "sig" });
    return async (email: string, claims: object = {}, seconds = 3_600) => {
      const now = Math.floor(Date.now() / 1_000);
      return await new SignJWT({ email, type: "app", ...claims })
        .setProtectedHeader({ alg: "RS256", kid })
        .setIssuer(team)
        .setAudience([AUD])
        .setIssuedAt(now)
        .setExpirationTime(now + seconds)
        .sign(privateKey);
    };
  };
  const bindings = { ACCESS_TEAM_DOMAIN: team, ACCESS_AUD: AUD, ACCESS_TENANT: tenant };
  const asks = async (
    assertion: string,
    path: string,
    { headers = {}, ...init }: RequestInit = {},
    own: object = bindings,
  ) =>
    await api.fetch(
      new Request(`https://telltale.test${path}`, {
        ...init,
        headers: { "cf-access-jwt-assertion": assertion, ...(headers as Record<string, string>) },
      }),
      { ...apiEnv, ...own } as ApiEnv,
      createExecutionContext(),
    );
  const away = (is: boolean) => {
    isAway = is;
  };
  return { sign: await addKey("one"), addKey, asks, away, fetches, bindings };
}

const allow = (tenant: string, access: object[]) =>
  answerOf(ask(tenant, "admin", "/v1/tenant", { method: "PUT", body: { access } }));
const OWN = { "sec-fetch-site": "same-origin" };
const later = (ms: number) => vi.setSystemTime(Date.now() + ms);

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

it("[I62] [I63] a person has the role that the tenant gives, under the address, in the audit too", async () => {
  const { sign, asks, bindings } = await newTeam("people");
  const ada = await sign("Ada@acme.example");
  await problem(asks(ada, "/v1/session"), 403, "forbidden");
  await allow("people", [
    { domain: "acme.example", role: "viewer" },
    { group: "ops", role: "admin" },
  ]);
  expect(await answerOf<SessionAnswer>(asks(ada, "/v1/session"))).toMatchObject({
    tenant: "people",
    role: "viewer",
    name: "ada@acme.example",
  });
  await problem(asks(ada, "/v1/tokens"), 403, "forbidden");
  await problem(asks(await sign("eve@else.example"), "/v1/session"), 403, "forbidden");
  const grace = await sign("grace@acme.example", { custom: { groups: ["ops"] } });
  const changed = { method: "PUT", headers: OWN, body: JSON.stringify({ commitEveryMs: 7 }) };
  await answerOf(asks(grace, "/v1/tenant", changed));
  const { entries } = await answerOf<{ entries: AuditEntry[] }>(asks(grace, "/v1/audit"));
  const change = { who: "grace@acme.example", role: "admin" };
  expect(entries).toContainEqual(expect.objectContaining(change));
  expect(entries.find(({ who }) => who === change.who)).toMatchObject({ before: { commitEveryMs: 0 } });
  expect(await answerOf(asks(grace, "/v1/tenant"))).toHaveProperty("access");
  expect(await answerOf(asks(ada, "/v1/tenant"))).not.toHaveProperty("access");
  const cookie = { cookie: `a=b; CF_Authorization=${ada}; c=d` };
  const byCookie = new Request("https://telltale.test/v1/session", { headers: cookie });
  expect(
    (await api.fetch(byCookie, { ...apiEnv, ...bindings } as ApiEnv, createExecutionContext())).status,
  ).toBe(200);
});

it("[I62] without the deployment's word an assertion means nothing, and half of it is said; a token counts before it", async () => {
  const { sign, asks, bindings } = await newTeam("unsaid");
  await allow("unsaid", [{ domain: "acme.example", role: "admin" }]);
  const ada = await sign("ada@acme.example");
  await problem(asks(ada, "/v1/session", {}, {}), 401, "token_missing");
  for (const name of Object.keys(bindings))
    await problem(asks(ada, "/v1/session", {}, { ...bindings, [name]: "" }), 503, "not_configured");
  const insecure = { ...bindings, ACCESS_TEAM_DOMAIN: "http://team.example" };
  await problem(asks(ada, "/v1/session", {}, insecure), 503, "not_configured");
  const answer = await ask("other", "viewer", "/v1/session", {
    headers: { "cf-access-jwt-assertion": ada },
    bindings,
  });
  expect(await answerOf(answer)).toMatchObject({ tenant: "other", role: "viewer" });
  const bad = { authorization: "Bearer none" };
  await problem(asks(ada, "/v1/session", { headers: bad }), 401, "token_invalid");
  await problem(asks(await sign(""), "/v1/session"), 401, "token_invalid");
});

it("[I65] nobody acts for who is signed in from another site's page", async () => {
  const { sign, asks } = await newTeam("sites");
  await allow("sites", [{ domain: "acme.example", role: "admin" }]);
  const ada = await sign("ada@acme.example");
  const origin = "https://telltale.test";
  const change = { method: "PUT", body: JSON.stringify({ commitEveryMs: 1 }) };
  const socket = { headers: { upgrade: "websocket" } };
  const status = async (path: string, init: RequestInit, headers: object) =>
    (await asks(ada, path, { ...init, headers: { ...(init.headers as object), ...headers } })).status;
  for (const headers of [
    {},
    { origin: "https://evil.example" },
    { origin: "null" },
    { "sec-fetch-site": "cross-site", origin },
    { "sec-fetch-site": "same-site", origin: "https://evil.telltale.test" },
    { "sec-fetch-site": "none" },
    { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate" },
  ]) {
    expect([headers, await status("/v1/tenant", change, headers)]).toEqual([headers, 403]);
    expect(await status("/v1/zones/default/stream", socket, headers)).toBe(403);
  }
  for (const headers of [OWN, { origin }]) {
    expect(await status("/v1/tenant", change, headers)).toBe(200);
    expect(await status("/v1/zones/default/stream", socket, headers)).toBe(101);
  }
  const reads: [object, number][] = [
    [{}, 200],
    [OWN, 200],
    [{ "sec-fetch-site": "none" }, 200],
    [{ "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate" }, 200],
    [{ "sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors" }, 403],
    [{ "sec-fetch-site": "same-site", "sec-fetch-mode": "cors" }, 403],
  ];
  for (const [headers, expected] of reads) expect(await status("/v1/session", {}, headers)).toBe(expected);
});

it("[I64] who is taken out has nothing any more: neither what is open, nor the page's token", async () => {
  const { sign, asks } = await newTeam("taken");
  await register("taken", [{ device: "d1", zone: "roof" }]);
  await allow("taken", [{ domain: "acme.example", role: "operator" }]);
  const ada = await sign("ada@acme.example");
  const { token } = await answerOf<SessionToken>(asks(ada, "/v1/session", { method: "POST", headers: OWN }));
  const byToken = { headers: { authorization: `Bearer ${token}` } };
  const open = async () => {
    const headers = { upgrade: "websocket", ...OWN };
    const socket = new TestSocket<ZoneFrame>(await asks(ada, "/v1/zones/roof/stream", { headers }));
    await socket.until(({ type }) => type === "snapshot");
    return socket;
  };
  const before = await open();
  expect((await ask("taken", "viewer", "/v1/session", byToken)).status).toBe(200);
  await allow("taken", [{ email: "ada@acme.example", role: "viewer" }]);
  expect(await before.closed).toBe(4401);
  await problem(ask("taken", "viewer", "/v1/session", byToken), 401, "token_revoked");
  expect(await answerOf(asks(ada, "/v1/session"))).toMatchObject({ role: "viewer" });
  const again = await open();
  await allow("taken", []);
  expect(await again.closed).toBe(4401);
  await problem(asks(ada, "/v1/session"), 403, "forbidden");
});

it("[I62] what the tenant revokes ends what was signed in before; it ends with the sign-in anyhow", async () => {
  const { sign, asks } = await newTeam("over");
  await allow("over", [{ domain: "acme.example", role: "viewer" }]);
  const ada = await sign("ada@acme.example", {}, 600);
  expect((await asks(ada, "/v1/session")).status).toBe(200);
  await answerOf(ask("over", "admin", "/v1/tokens/revoke", { method: "POST" }));
  await problem(asks(ada, "/v1/session"), 401, "token_revoked");
  later(1_000);
  const anew = await sign("ada@acme.example", {}, 600);
  expect((await asks(anew, "/v1/session")).status).toBe(200);
  later(606_000);
  await problem(asks(anew, "/v1/session"), 401, "token_expired");
});

it("[I66] a new key is found when a first assertion names it; keys that are away are said, and asked for seldom", async () => {
  vi.spyOn(console, "error").mockImplementation(() => undefined);
  const { sign, asks, addKey, away, fetches } = await newTeam("rotated");
  await allow("rotated", [{ domain: "acme.example", role: "viewer" }]);
  away(true);
  await problem(asks(await sign("ada@acme.example"), "/v1/session"), 503, "unavailable");
  away(false);
  expect((await asks(await sign("ada@acme.example"), "/v1/session")).status).toBe(200);
  const next = await addKey("two");
  const renewed = await next("ada@acme.example");
  await problem(asks(renewed, "/v1/session"), 401, "token_invalid");
  const before = fetches.mock.calls.length;
  for (let i = 0; i < 5; i++) await asks(renewed, "/v1/session");
  expect(fetches.mock.calls.length).toBe(before);
  later(31_000);
  expect((await asks(renewed, "/v1/session")).status).toBe(200);
  expect(fetches.mock.calls.length).toBe(before + 1);
});

it("[I67] the page gets a token of an hour, for the person and no longer than the sign-in; a token gets none", async () => {
  const { sign, asks } = await newTeam("paged");
  await allow("paged", [{ domain: "acme.example", role: "operator" }]);
  const sessionOf = async (assertion: string) => {
    const made = asks(assertion, "/v1/session", { method: "POST", headers: OWN });
    const { token } = await answerOf<SessionToken>(made);
    const headers = { authorization: `Bearer ${token}` };
    return { headers, ...(await answerOf<SessionAnswer>(ask("x", "viewer", "/v1/session", { headers }))) };
  };
  const long = await sessionOf(await sign("ada@acme.example", {}, 86_400));
  expect(long).toMatchObject({ tenant: "paged", role: "operator", name: "ada@acme.example" });
  expect(Math.abs(long.expiresAt - Date.now() - 3_600_000)).toBeLessThan(1_001);
  const short = await sessionOf(await sign("ada@acme.example", {}, 60));
  expect(Math.abs(short.expiresAt - Date.now() - 60_000)).toBeLessThan(1_001);
  const { headers } = long;
  await problem(ask("x", "viewer", "/v1/session", { method: "POST", headers }), 409, "conflict");
  await problem(asks(await sign("ada@acme.example"), "/v1/session", { method: "POST" }), 403, "forbidden");
  const { entries } = await answerOf<{ entries: AuditEntry[] }>(ask("paged", "admin", "/v1/audit"));
  expect(entries.map(({ target }) => target)).toEqual(["/v1/tenant"]);
});
