// Provisioning keys, and the devices that claim their tokens with them, races included.
import { createExecutionContext, env } from "cloudflare:test";
import { expect, it, vi } from "vitest";
import { verifyToken } from "../../core/token/verify.ts";
import type { AuditEntry } from "../../schemas/http.ts";
import type {
  ClaimAnswer,
  ProvisioningKeyEntry,
  ProvisioningKeyList,
  ProvisioningKeyMade,
} from "../../schemas/provisioning.ts";
import type { DeviceEntry } from "../../schemas/query.ts";
import type { TokenList } from "../../schemas/token.ts";
import { failures } from "../authenticate.ts";
import { FAILURES_MAX } from "../failed-sign-ins.ts";
import { packed, problem, T0 } from "../test-support.ts";
import { answerOf, apiEnv, ask, named } from "./api-test-support.ts";
import { api } from "./worker.ts";

const SECRET = "0123456789abcdef";
const HOUR = { maxDevices: 5, ttlSeconds: 3_600 };

const make = (tenant: string, body: object = {}) =>
  answerOf<ProvisioningKeyMade>(
    ask(tenant, "admin", "/v1/provisioning-keys", { method: "POST", body: { ...HOUR, ...body } }),
  );
const keys = (tenant: string, query = "") =>
  answerOf<ProvisioningKeyList>(ask(tenant, "admin", `/v1/provisioning-keys${query}`));
const keyOf = (tenant: string, { id }: { id: string }) =>
  answerOf<ProvisioningKeyEntry>(ask(tenant, "admin", `/v1/provisioning-keys/${id}`));
const revoke = (tenant: string, { id }: { id: string }) =>
  answerOf<ProvisioningKeyEntry>(ask(tenant, "admin", `/v1/provisioning-keys/${id}`, { method: "DELETE" }));
const tokensOf = async (tenant: string, device: string) =>
  (await answerOf<TokenList>(ask(tenant, "admin", `/v1/tokens?device=${device}`))).tokens;

/** `bindings`: in place of the real ones. */
function claim(
  key: string,
  device: string,
  { secret = SECRET, address, bindings = {} }: { secret?: string; address?: string; bindings?: object } = {},
) {
  const headers: Record<string, string> = { authorization: `Bearer ${key}` };
  if (address !== undefined) headers["cf-connecting-ip"] = address;
  const body = JSON.stringify({ device, secret });
  const request = new Request("https://telltale.test/v1/claim", { method: "POST", headers, body });
  return Promise.resolve(api.fetch(request, { ...apiEnv, ...bindings }, createExecutionContext()));
}

it("[I51] an admin makes keys, which are shown once, kept as their hash, listed, and revoked", async () => {
  const made = await make("keys", { name: "Line 3", zone: "roof", model: "M3", devicePrefix: "pump-" });
  const { provisioningKey, ...entry } = made;
  expect(provisioningKey).toMatch(/^ttp_[A-Za-z0-9_-]{43}$/);
  expect(entry).toMatchObject({
    name: "Line 3",
    zone: "roof",
    model: "M3",
    devicePrefix: "pump-",
    maxDevices: 5,
    tokenTtlSeconds: 365 * 86_400,
    expiresAt: entry.createdAt + 3_600_000,
    revokedAt: null,
    claimed: 0,
    lastClaimAt: null,
  });
  const second = await make("keys");
  expect(second.provisioningKey).not.toBe(provisioningKey);
  const page = await keys("keys", "?limit=1");
  expect(page.provisioningKeys.map(({ id }) => id)).toEqual([second.id]);
  expect(await keys("keys", `?after=${page.next}`)).toEqual({ provisioningKeys: [entry], next: null });
  const revoked = await revoke("keys", made);
  expect(revoked.revokedAt).toBeGreaterThanOrEqual(entry.createdAt);
  expect(await revoke("keys", made)).toEqual(revoked);
  expect(await keyOf("keys", made)).toEqual(revoked);
  await problem(ask("keys", "admin", "/v1/provisioning-keys/none"), 404, "provisioning_key_not_found");
  const stored = await env.CONTROL.prepare("SELECT * FROM provisioning_key WHERE tenant = 'keys'").all();
  expect(JSON.stringify(stored.results)).not.toContain(provisioningKey.slice(4));
});

it.each([
  { maxDevices: 0 },
  { maxDevices: 100_001 },
  { ttlSeconds: 0 },
  { ttlSeconds: 366 * 86_400 + 1 },
  { tokenTtlSeconds: 3_650 * 86_400 + 1 },
  { devicePrefix: "a/b" },
  { devices: 3 },
])("[I51] a key that is not bounded or not in order is none: %j", async (wrong) => {
  const body = { ...HOUR, ...wrong };
  await problem(
    ask("unbound", "admin", "/v1/provisioning-keys", { method: "POST", body }),
    400,
    "invalid_body",
  );
  expect((await keys("unbound")).provisioningKeys).toEqual([]);
});

it("[I51] what the keys of a tenant may yet make counts as tokens, of which it has 100,000 at most", async () => {
  const most = await make("full", { maxDevices: 99_999 });
  await make("full", { maxDevices: 1 });
  const one = { method: "POST", body: HOUR };
  await problem(ask("full", "admin", "/v1/provisioning-keys", one), 409, "conflict");
  await revoke("full", most);
  await make("full");
});

it("[I52] a device claims a token that speaks for it, and is in the registry as the key says", async () => {
  const key = await make("first", { zone: "roof", model: "M3", devicePrefix: "pump-", tokenTtlSeconds: 600 });
  await answerOf(
    ask("first", "operator", "/v1/devices", {
      method: "POST",
      body: { device: "pump-2", zone: "cellar", name: "Two" },
    }),
  );
  for (const [device, row] of [
    ["pump-1", { zone: "roof", model: "M3", name: null }],
    ["pump-2", { zone: "cellar", model: null, name: "Two" }],
  ] as const) {
    const answer = await claim(key.provisioningKey, device);
    expect([answer.status, answer.headers.get("cache-control")]).toEqual([201, "no-store"]);
    const claimed = await answer.json<ClaimAnswer>();
    const caller = await verifyToken(claimed.token, [env.TOKEN_SECRET], Date.now());
    expect(caller).toMatchObject({ tenant: "first", role: "device", device, expiresAt: claimed.expiresAt });
    expect(claimed.expiresAt - caller.issuedAtMs).toBeLessThanOrEqual(600_000);
    expect(claimed.expiresAt - caller.issuedAtMs).toBeGreaterThan(599_000);
    const entry = await answerOf<DeviceEntry>(ask("first", "viewer", `/v1/devices/${device}`));
    expect(entry).toMatchObject({ ...row, firstSeenAt: null });
    expect(await tokensOf("first", device)).toEqual([
      expect.objectContaining({ id: caller.id, role: "device", issuedBy: `provisioning-keys/${key.id}` }),
    ]);
  }
  await problem(claim(key.provisioningKey, "fan-1"), 403, "forbidden");
  expect(await keyOf("first", key)).toMatchObject({ claimed: 2, lastClaimAt: expect.any(Number) });
});

it("[I52] what is no key, or one that is expired, revoked or used up, is told as what it is", async () => {
  const key = await make("over", { maxDevices: 1 });
  const none = `ttp_${"x".repeat(43)}`;
  await problem(claim(none, "p1"), 401, "token_invalid");
  await problem(claim("x", "p1"), 401, "token_invalid");
  await problem(claim(key.provisioningKey, "a/b"), 400, "invalid_body");
  await problem(claim(key.provisioningKey, "p1", { secret: "short" }), 400, "invalid_body");
  expect((await claim(key.provisioningKey, "p1")).status).toBe(201);
  const usedUp = await problem(claim(key.provisioningKey, "p2"), 403, "key_used_up");
  expect(usedUp.detail).toContain(key.id);
  await revoke("over", key);
  await problem(claim(key.provisioningKey, "p2"), 401, "token_revoked");
  const short = await make("over", { ttlSeconds: 60 });
  vi.useFakeTimers({ toFake: ["Date"], now: short.expiresAt });
  await problem(claim(short.provisioningKey, "p2"), 401, "token_expired");
  vi.useRealTimers();
  await problem(ask("over", "viewer", "/v1/devices/p2"), 404, "device_not_found");
});

it("[I52] of devices that claim at once as many are served as the key is for", async () => {
  const key = await make("race");
  const claims = await Promise.all(Array.from({ length: 20 }, (_, i) => claim(key.provisioningKey, `p${i}`)));
  const codes = await Promise.all(
    claims.map(async (answer) => (answer.ok ? 201 : (await answer.json<{ code: string }>()).code)),
  );
  expect(codes.filter((code) => code === 201)).toHaveLength(5);
  expect(codes.filter((code) => code === "key_used_up")).toHaveLength(15);
  expect(await keyOf("race", key)).toMatchObject({ claimed: 5 });
  const { devices } = await answerOf<{ devices: DeviceEntry[] }>(ask("race", "viewer", "/v1/devices"));
  expect(devices).toHaveLength(5);
});

it("[I53] of many who claim one device at once one gets the token, again when it asks again, counted once", async () => {
  const key = await make("same");
  const secrets = Array.from({ length: 10 }, (_, i) => `${SECRET}${i % 5}`);
  const claims = await Promise.all(secrets.map((secret) => claim(key.provisioningKey, "p1", { secret })));
  const served = claims.flatMap((answer, i) => (answer.ok ? [secrets[i]!] : []));
  expect(new Set(served).size).toBe(1);
  expect(served).toHaveLength(2);
  for (const refused of claims.filter(({ ok }) => !ok)) await problem(refused, 409, "already_claimed");
  const tokens = await Promise.all(
    claims.filter(({ ok }) => ok).map(async (answer) => (await answer.json<ClaimAnswer>()).token),
  );
  const again = await claim(key.provisioningKey, "p1", { secret: served[0]! });
  expect(again.status).toBe(200);
  tokens.push((await again.json<ClaimAnswer>()).token);
  expect(new Set(tokens).size).toBe(1);
  expect(await keyOf("same", key)).toMatchObject({ claimed: 1 });
  expect(await tokensOf("same", "p1")).toHaveLength(1);
});

it("[I53] a repeat needs a key that holds, gives no token anew, and may come of another key of the tenant", async () => {
  const key = await make("repeat", { maxDevices: 1 });
  const other = await make("repeat");
  const first = await answerOf<ClaimAnswer>(claim(key.provisioningKey, "p1"));
  expect(await answerOf(claim(key.provisioningKey, "p1"))).toEqual(first);
  expect(await answerOf(claim(other.provisioningKey, "p1"))).toEqual(first);
  expect(await keyOf("repeat", other)).toMatchObject({ claimed: 0 });
  await revoke("repeat", key);
  await problem(claim(key.provisioningKey, "p1"), 401, "token_revoked");
  const [token] = await tokensOf("repeat", "p1");
  await answerOf(ask("repeat", "admin", "/v1/tokens/revoke", { method: "POST", body: { id: token!.id } }));
  await problem(claim(other.provisioningKey, "p1"), 409, "already_claimed");
});

it("[I54] no key gives the token of a device that reports or has one", async () => {
  const key = await make("taken");
  const object = env.DEVICE.getByName("taken/reports");
  await object.report(packed([T0, { a: 1 }]), T0);
  await problem(claim(key.provisioningKey, "reports"), 409, "already_claimed");
  await answerOf(ask("taken", "operator", "/v1/devices", { method: "POST", body: { device: "ahead" } }));
  const spec = { role: "device", device: "ahead" };
  await answerOf(ask("taken", "admin", "/v1/tokens", { method: "POST", body: spec }));
  await problem(claim(key.provisioningKey, "ahead"), 409, "already_claimed");
  expect(await keyOf("taken", key)).toMatchObject({ claimed: 0 });
});

it("[I54] a device whose tokens were revoked or that was blocked is claimed with no key, whoever made them", async () => {
  const key = await make("void");
  const change = async (method: string, path: string) =>
    expect((await ask("void", "admin", path, { method })).ok).toBe(true);
  await answerOf(ask("void", "operator", "/v1/devices", { method: "POST", body: { device: "revoked" } }));
  await change("POST", "/v1/devices/revoked/revoke");
  await answerOf(ask("void", "operator", "/v1/devices", { method: "POST", body: { device: "blocked" } }));
  await change("DELETE", "/v1/devices/blocked?block=true");
  for (const device of ["revoked", "blocked"]) {
    const { detail } = await problem(claim(key.provisioningKey, device), 409, "already_claimed");
    expect(detail).toMatch(/were revoked/);
  }
  expect(await keyOf("void", key)).toMatchObject({ claimed: 0 });
});

it("[I54] a claim whose device's object is away is not judged, and can be made again", async () => {
  const key = await make("away");
  const life = () => Promise.reject(new Error("away"));
  const bindings = { DEVICE: { getByName: () => ({ life }) } };
  await problem(claim(key.provisioningKey, "p1", { bindings }), 503, "unavailable");
  expect((await claim(key.provisioningKey, "p1")).status).toBe(201);
  expect(await keyOf("away", key)).toMatchObject({ claimed: 1 });
});

it("[I54] a device that was deleted is claimed anew, and counted anew, unless it was blocked", async () => {
  const key = await make("again");
  const remove = async (path: string) =>
    expect((await ask("again", "admin", path, { method: "DELETE" })).status).toBe(202);
  const first = await answerOf<ClaimAnswer>(claim(key.provisioningKey, "p1"));
  await remove("/v1/devices/p1");
  const second = await claim(key.provisioningKey, "p1", { secret: `${SECRET}-new` });
  expect(second.status).toBe(201);
  expect((await second.json<ClaimAnswer>()).token).not.toBe(first.token);
  expect(await keyOf("again", key)).toMatchObject({ claimed: 2 });
  await remove("/v1/devices/p1?block=true");
  await problem(claim(key.provisioningKey, "p1"), 409, "already_claimed");
  await problem(ask("again", "viewer", "/v1/devices/p1"), 404, "device_not_found");
});

it("[I55] who revokes all revokes the keys too, and a key made after that holds", async () => {
  const key = await make("all");
  await answerOf(ask("all", "admin", "/v1/tokens/revoke", { method: "POST" }));
  await problem(claim(key.provisioningKey, "p1"), 401, "token_revoked");
  expect((await keyOf("all", key)).revokedAt).not.toBeNull();
  await vi.waitFor(async () => {
    const next = await make("all");
    expect((await claim(next.provisioningKey, "p1")).status).toBe(201);
  });
});

it("[I52] a claim looks up single rows, however many tokens, devices and keys there are", async () => {
  const key = await make("cheap");
  const asked: { sql: string; values: unknown[] }[] = [];
  const noted = (sql: string, statement: D1PreparedStatement): D1PreparedStatement =>
    new Proxy(statement, {
      get(target, name) {
        if (name !== "bind") return (target[name as keyof D1PreparedStatement] as () => unknown).bind(target);
        return (...values: unknown[]) => {
          asked.push({ sql, values });
          return target.bind(...values);
        };
      },
    });
  const CONTROL = {
    prepare: (sql: string) => noted(sql, env.CONTROL.prepare(sql)),
    batch: (statements: D1PreparedStatement[]) => env.CONTROL.batch(statements),
  };
  expect((await claim(key.provisioningKey, "p1", { bindings: { CONTROL } })).status).toBe(201);
  expect(asked).toHaveLength(5); // the last is the audit's
  for (const { sql, values } of asked) {
    const plan = env.CONTROL.prepare(`EXPLAIN QUERY PLAN ${sql}`).bind(...values);
    for (const { detail } of (await plan.all<{ detail: string }>()).results) {
      expect(detail).not.toMatch(/^SCAN/);
      if (detail.startsWith("SEARCH")) expect(detail).toMatch(/\((hash=\?|tenant=\? AND (device|id)=\?)\)/);
    }
  }
});

it("[I52] a tenant that has all the devices it may have gets none by a claim", async () => {
  await answerOf(ask("quota", "admin", "/v1/tenant", { method: "PUT", body: { limits: { devices: 1 } } }));
  const key = await make("quota");
  expect((await claim(key.provisioningKey, "p1")).status).toBe(201);
  await problem(claim(key.provisioningKey, "p2"), 429, "quota_devices");
  expect((await claim(key.provisioningKey, "p1")).status).toBe(200);
  expect(await keyOf("quota", key)).toMatchObject({ claimed: 1 });
});

it("[I55] making, revoking and each claim are in the audit, by whom, and neither key, token nor secret is", async () => {
  const { authorization } = await named("noted", "admin", "Grace");
  const made = await ask("noted", "admin", "/v1/provisioning-keys", {
    method: "POST",
    body: HOUR,
    headers: { authorization },
  });
  const key = await answerOf<ProvisioningKeyMade>(made);
  const { token } = await answerOf<ClaimAnswer>(claim(key.provisioningKey, "p1", { address: "192.0.2.7" }));
  await revoke("noted", key);
  const { entries } = await answerOf<{ entries: AuditEntry[] }>(ask("noted", "admin", "/v1/audit"));
  const own = `/v1/provisioning-keys/${key.id}`;
  expect(entries.map(({ action, target, who, role }) => [action, target, who, role]).reverse()).toEqual([
    ["POST", own, "Grace", "admin"],
    ["POST", "/v1/devices/p1", `provisioning-keys/${key.id}`, "device"],
    ["DELETE", own, "admin", "admin"],
  ]);
  expect(entries[1]).toMatchObject({ address: "192.0.2.7", after: { device: "p1" } });
  expect(entries[0]).toMatchObject({ before: { revokedAt: null, claimed: 1 } });
  for (const secret of [key.provisioningKey, token, SECRET])
    expect(JSON.stringify(entries)).not.toContain(secret);
});

it("[I55] keys and secrets that are none count as failed sign-ins of the address", async () => {
  const key = await make("guess");
  await claim(key.provisioningKey, "p1");
  const address = "192.0.2.99";
  for (let i = 0; i < FAILURES_MAX - 2; i++) failures.note(address);
  const none = () => claim(`ttp_${"0".repeat(43)}`, "p1", { address });
  const guessed = () => claim(key.provisioningKey, "p1", { address, secret: `${SECRET}-guessed` });
  await problem(none(), 401, "token_invalid");
  await problem(guessed(), 409, "already_claimed");
  await problem(none(), 429, "too_many_failures");
  await problem(guessed(), 429, "too_many_failures");
  expect((await claim(key.provisioningKey, "p1", { address })).status).toBe(200);
});
