// docs/deploy.md: its commands as they stand, with a wrangler that deploys nothing and notes what it was asked.
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { unstable_readConfig } from "wrangler";
import { verifyToken } from "../../core/token/verify.ts";
import { startLocal } from "../../scripts/local-run.ts";
import { INGEST_PATHS } from "../../workers/ingest/paths.ts";
import { BashSession, copyRepository, programAt } from "./bash-session.ts";
import { ACCOUNT_MARK, blocksOf } from "./documents.ts";

const PATIENCE_MS = 240_000;
const DATABASES = [
  { name: "telltale-control", uuid: "c0000000-aaaa-4aaa-8aaa-aaaaaaaaaaaa" },
  { name: "telltale-warm-0", uuid: "d0000000-bbbb-4bbb-8bbb-bbbbbbbbbbbb" },
];
const ENVIRONMENTS = ["", "aggregate", "ingest", "api"];
/** What wrangler says of an environment, as far as it is looked at here. */
interface Bound {
  d1_databases: { database_name?: string; database_id?: string }[];
  r2_buckets: { bucket_name?: string }[];
  queues: { producers?: { queue: string }[]; consumers?: { queue: string; dead_letter_queue?: string }[] };
  vars: Record<string, unknown>;
}

const blocks = blocksOf("docs/deploy.md").filter(
  ({ language, mark }) => language === "sh" && mark === ACCOUNT_MARK,
);

/** `npx`, of which only `wrangler deploy --dry-run` is real: the calls go to one file, the secrets given to another. */
const npxShim = (calls: string, secrets: string) => `#!/bin/sh
echo "$*" >> "${calls}"
case "$2 $3" in
  "deploy "*) exec "${programAt("npx")}" "$@" --dry-run ;;
  "d1 list") echo '${JSON.stringify(DATABASES)}' ;;
  "secret put") cat >> "${secrets}"; echo >> "${secrets}" ;;
esac
`;

describe.sequential("docs/deploy.md", () => {
  let copy = "";
  let bash: BashSession;
  let calls: string[] = [];
  let secrets: string[] = [];
  /** What each block printed. */
  const printed: string[] = [];
  const linesOf = (name: string) => readFileSync(join(copy, name), "utf8").trimEnd().split("\n");
  const called = (start: string) =>
    calls.filter((call) => call.startsWith(start)).map((call) => call.slice(start.length).split(" "));

  beforeAll(async () => {
    copy = copyRepository();
    bash = new BashSession(copy, { npx: npxShim(join(copy, "calls.log"), join(copy, "secrets.log")) });
    for (const { text } of blocks) printed.push(await bash.run(text));
    calls = linesOf("calls.log");
    secrets = linesOf("secrets.log");
  }, PATIENCE_MS);

  afterAll(async () => {
    await bash?.close();
    if (copy !== "") rmSync(copy, { recursive: true });
  });

  it("[Q19] every command of it was run", () => {
    expect(blocks).toHaveLength(5);
    const written = blocks.flatMap(({ text }) => text.match(/npx wrangler/g) ?? []);
    // The function that asks for the id of a database is called twice.
    expect(calls).toHaveLength(written.length + 1);
  });

  it("[Q19] what is made is what wrangler.toml binds, in every environment", () => {
    const configs: Bound[] = ENVIRONMENTS.map((env) =>
      unstable_readConfig({ config: join(copy, "wrangler.toml"), env: env || undefined }),
    );
    const of = (names: (config: Bound) => (string | undefined)[]) =>
      [...new Set(configs.flatMap(names))].sort();
    const names = (start: string) =>
      called(start)
        .map(([name]) => name)
        .sort();
    const databases = of(({ d1_databases }) => d1_databases.map(({ database_name }) => database_name));
    expect(names("wrangler d1 create ")).toEqual(databases);
    expect(names("wrangler d1 migrations apply ")).toEqual(databases);
    expect(names("wrangler r2 bucket create ")).toEqual(
      of(({ r2_buckets }) => r2_buckets.map(({ bucket_name }) => bucket_name)),
    );
    expect(names("wrangler queues create ")).toEqual(
      of(({ queues }) => [
        ...(queues.producers ?? []).map(({ queue }) => queue),
        ...(queues.consumers ?? []).flatMap(({ queue, dead_letter_queue }) => [queue, dead_letter_queue]),
      ]),
    );
    const ids = configs.flatMap(({ d1_databases }) =>
      d1_databases.map(({ database_name, database_id }) => `${database_name} ${database_id}`),
    );
    expect(new Set(ids)).toEqual(new Set(DATABASES.map(({ name, uuid }) => `${name} ${uuid}`)));
    const urls = configs.map(({ vars }) => vars.PUBLIC_URL).filter((url) => url !== undefined);
    expect(urls).toEqual(["https://telltale.example.com", "https://telltale.example.com"]);
  });

  it("[Q19] each of the four is deployed, aggregate before what binds it, with the routes its paths need and the warnings it says", () => {
    const environment = (words: string[]) =>
      words.includes("--env=") ? "" : words[words.indexOf("--env") + 1]!;
    const deployed = called("wrangler deploy ");
    expect(deployed.map(environment)).toEqual(ENVIRONMENTS);
    const valuesOf = (option: string) =>
      deployed.map((words) => words.filter((_, i) => words[i - 1] === option));
    const host = "telltale.example.com";
    expect(valuesOf("--route")).toEqual([[], [], INGEST_PATHS.map((path) => `${host}${path}*`), []]);
    expect(valuesOf("--domain")).toEqual([[host], [], [], [host]]);

    const [one, aggregate, ingest, api] = printed.join("").split("⛅️").slice(1);
    for (const output of [one, aggregate, ingest, api]) expect(output).toContain("--dry-run: exiting now");
    for (const output of [one, aggregate]) expect(output).not.toContain("WARNING");
    for (const output of [ingest, api]) expect(output).toMatch(/WARNING[\s\S]*not inherited by environments/);
    expect(one).toContain('env.PUBLIC_URL ("https://telltale.example.com")');

    // The Workers that verify tokens, and the secret each gets: the one that tokens are signed with.
    expect(called("wrangler secret put TOKEN_SECRET ").map(environment)).toEqual(["", "ingest", "api"]);
    expect(new Set(secrets).size).toBe(2);
    expect(secrets[1]).toBe(secrets[2]);
    for (const secret of secrets) expect(Buffer.from(secret, "base64")).toHaveLength(32);
  });

  it("[Q19] its tokens sign in, each with its role", async () => {
    const secret = secrets[2]!;
    const lines = printed.at(-1)!.trim().split("\n");
    const address = new URL(lines.pop()!);
    expect(address.origin).toBe("https://telltale.example.com");
    const inAddress = new URLSearchParams(address.hash.slice(1)).get("token")!;
    const [device, gateway, operator, admin, viewer] = [...lines, inAddress];
    const callers = [device, gateway, viewer, operator, admin].map((token) =>
      verifyToken(token!, [secret], Date.now()),
    );
    expect((await Promise.all(callers)).map(({ tenant, role }) => `${tenant} ${role}`)).toEqual(
      ["device", "gateway", "viewer", "operator", "admin"].map((role) => `acme ${role}`),
    );

    const vars = { TOKEN_SECRET: secret, LOCAL_TENANT: "" };
    const run = await startLocal({ port: 0, state: undefined, split: true, tenant: "", quiet: true, vars });
    try {
      const ask = async (token: string, method: string, path: string, body?: object) => {
        const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
        return (await fetch(run.url + path, { method, headers, body: body && JSON.stringify(body) })).status;
      };
      expect((await fetch(`${run.url}/local/session`)).status).toBe(404);
      expect(await ask(device!, "POST", "/v1/telemetry", { metrics: { a: 1 } })).toBe(200);
      expect(await ask(gateway!, "POST", "/v1/telemetry", { device: "pump-2", metrics: { a: 1 } })).toBe(200);
      expect(await ask(viewer!, "GET", "/v1/fleet")).toBe(200);
      expect(await ask(viewer!, "PUT", "/v1/devices/pump-1", { name: "x" })).toBe(403);
      expect(await ask(operator!, "PUT", "/v1/devices/pump-1", { name: "x" })).toBe(200);
      expect(await ask(operator!, "PUT", "/v1/tenant", { commitEveryMs: 0 })).toBe(403);
      expect(await ask(admin!, "PUT", "/v1/tenant", { commitEveryMs: 0 })).toBe(200);
    } finally {
      await run.stop();
    }
  });
});
