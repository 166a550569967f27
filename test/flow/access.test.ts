// Cloudflare Access before a real run: a team's server that shows its keys, and assertions signed by them, or not.
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { exportJWK, exportSPKI, generateKeyPair, type JWK, SignJWT } from "jose";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type LocalRun, startLocal } from "../../scripts/local-run.ts";
import { TenantClient } from "./tenant-client.ts";

const AUD = "the-tag-of-the-application";
const KID = "the-team-s-key";

let server: Server;
let team: string;
let run: LocalRun;
let isAway = true;
let asked = 0;
let pair: Awaited<ReturnType<typeof generateKeyPair>>;
let jwk: JWK;

beforeAll(async () => {
  pair = await generateKeyPair("RS256", { extractable: true });
  jwk = { ...(await exportJWK(pair.publicKey)), kid: KID, alg: "RS256", use: "sig" };
  server = createServer((request, response) => {
    asked += 1;
    const isThere = !isAway && request.url === "/cdn-cgi/access/certs";
    response.writeHead(isThere ? 200 : 502, { "content-type": "application/json" });
    response.end(JSON.stringify({ keys: [jwk], public_cert: { kid: KID, cert: "…" }, public_certs: [] }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  team = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const vars = { ACCESS_TEAM_DOMAIN: team, ACCESS_AUD: AUD, ACCESS_TENANT: "acme" };
  run = await startLocal({ port: 0, state: undefined, split: false, tenant: "local", quiet: true, vars });
  const rules = [{ domain: "acme.example", role: "operator" }];
  await new TenantClient(run.url, run.secret, "acme").put("/v1/tenant", { access: rules }, "admin");
});
afterAll(async () => {
  await run?.stop();
  server?.close();
});

const nowSeconds = () => Math.floor(Date.now() / 1_000);
const claimsOf = () => ({
  iss: team,
  aud: [AUD],
  email: "ada@acme.example",
  iat: nowSeconds() - 1,
  exp: nowSeconds() + 3_600,
});
const signed = (
  claims: object = {},
  header: object = {},
  key: Parameters<SignJWT["sign"]>[0] = pair.privateKey,
) =>
  new SignJWT({ ...claimsOf(), ...claims })
    .setProtectedHeader({ alg: "RS256", kid: KID, ...header })
    .sign(key);
const asks = async (assertion: string) => {
  const headers = { "cf-access-jwt-assertion": assertion };
  const response = await fetch(`${run.url}/v1/session`, { headers });
  return { status: response.status, ...((await response.json()) as { code?: string; name?: string }) };
};

it("[I66] while the team does not show its keys nobody is let in, and that is said", async () => {
  expect(await asks(await signed())).toMatchObject({ status: 503, code: "unavailable" });
  isAway = false;
  expect(await asks(await signed())).toMatchObject({ status: 200, name: "ada@acme.example" });
});

it("[I62] what is not signed by the team, for this application and for now, lets nobody in", async () => {
  const other = await generateKeyPair("RS256");
  const base64url = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const spki = new TextEncoder().encode(await exportSPKI(pair.publicKey));
  const bad: Record<string, string> = {
    "another application": await signed({ aud: ["another"] }),
    "no application": await signed({ aud: undefined }),
    "another team": await signed({ iss: "https://evil.cloudflareaccess.com" }),
    "no algorithm": `${base64url({ alg: "none", kid: KID })}.${base64url(claimsOf())}.`,
    "a public key as a secret": await signed({}, { alg: "HS256" }, spki),
    "a key of its own in the header": await signed(
      {},
      { jwk: await exportJWK(other.publicKey) },
      other.privateKey,
    ),
    "another's key under the same name": await signed({}, {}, other.privateKey),
    "a key that is not known": await signed({}, { kid: "unknown" }, other.privateKey),
    "not yet": await signed({ nbf: nowSeconds() + 600 }),
    "no time of issue": await signed({ iat: undefined }),
    "a changed payload": (await signed()).replace(
      /\.[^.]+\./,
      `.${base64url({ ...claimsOf(), email: "eve@acme.example" })}.`,
    ),
    "a machine": await signed({ email: undefined, common_name: "ci" }),
    "no token": "none",
  };
  for (const [what, assertion] of Object.entries(bad))
    expect({ what, ...(await asks(assertion)) }).toMatchObject({ what, status: 401, code: "token_invalid" });
  const over = await signed({ exp: nowSeconds() - 60 });
  expect(await asks(over)).toMatchObject({ status: 401, code: "token_expired" });
  expect(await asks(await signed({ email: "eve@else.example" }))).toMatchObject({ status: 403 });
  expect(asked).toBe(2);
  expect(await asks(await signed())).toMatchObject({ status: 200 });
});
