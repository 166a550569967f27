// README.md and docs/*.md: their commands as they stand, one after the other, against what `npm start` starts.
import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { signToken } from "../../core/token/sign.ts";
import type { Role } from "../../schemas/token.ts";
import { type LocalRun, startLocal } from "../../scripts/local-run.ts";
import { BashSession, copyRepository, endGroup, programAt, readersEnvironment } from "./bash-session.ts";
import { ACCOUNT_MARK, answersIn, blocksOf, DOCUMENTS } from "./documents.ts";
import { until } from "./until.ts";

const PATIENCE_MS = 240_000;
const START = "npm ci && npm start\n";
/** This very run. */
const TEST = "npm ci && npm test\n";
const blocks = DOCUMENTS.flatMap(blocksOf);
const commands = blocks.filter(({ language }) => language === "sh");
const pasted = commands.filter(({ mark, text }) => mark !== ACCOUNT_MARK && text !== START && text !== TEST);
const recipes = blocks.filter(({ language }) => language === "sql");

const secretOf = (folder: string) =>
  /TOKEN_SECRET="(.+)"/.exec(readFileSync(join(folder, ".dev.vars"), "utf8"))![1]!;

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

describe("the documents", () => {
  it("[Q18] have no command that no test runs: each is the start, the tests, pasted below, or in deploy.test.ts", () => {
    expect(new Set(blocks.map(({ language }) => language))).toEqual(
      new Set(["", "sh", "sql", "json", "js", "toml"]),
    );
    for (const { language, text, place } of blocks)
      if (language !== "sh") expect(text, place).not.toMatch(/^\s*(npm|npx|curl|node) /m);
    expect(commands.filter(({ text }) => text === START)).toHaveLength(1);
    expect(commands.filter(({ text }) => text === TEST)).toHaveLength(1);
    const forAccounts = commands.filter(({ mark }) => mark === ACCOUNT_MARK);
    expect(commands).toHaveLength(2 + pasted.length + forAccounts.length);
    expect(new Set(forAccounts.map(({ place }) => place.split(":")[0]))).toEqual(new Set(["docs/deploy.md"]));
    expect(new Set(pasted.map(({ place }) => place.split(":")[0]))).toEqual(
      new Set(["README.md", "docs/archive-format.md"]),
    );
  });

  it("[Q18] name their address and the receiver's port once, and no date that a clock could overtake", () => {
    const text = commands.map((block) => block.text).join("");
    expect(text.match(/127\.0\.0\.1:8787/g)).toHaveLength(1);
    expect(text.match(/^URL=/gm)).toHaveLength(1);
    // The imported history is years old and may be for ever.
    expect(text.match(/\b20\d\d-\d\d-\d\d/g)?.filter((date) => !date.startsWith("2015-12-"))).toEqual([]);
  });
});

describe.sequential("a stranger's first hour", () => {
  let copy = "";
  /** What curl was refused, a line each: curl itself is content with that. */
  let refused = "";
  /** What `npm start` started, and the server that goes on with its state when its hourly chores are due. */
  let server: ChildProcess | undefined;
  let later: LocalRun | undefined;
  let printed = "";
  let url = "";
  let bash: BashSession;
  let receiverPort = 0;

  const api = async (path: string, role: Role = "viewer") => {
    const token = await signToken({ tenant: "demo", role, ttlSeconds: 600 }, secretOf(copy), Date.now());
    return await fetch(url + path, { headers: { authorization: `Bearer ${token}` } });
  };
  const listed = async <T>(path: string, role?: Role) => (await (await api(path, role)).json()) as T;

  beforeAll(async () => {
    copy = copyRepository();
    refused = join(copy, "refused-by-curl.log");
    writeFileSync(refused, "");
    receiverPort = await freePort();
    const started = spawn("npm", ["start", "--", "--port", String(await freePort())], {
      cwd: copy,
      detached: true,
      env: readersEnvironment(),
    });
    server = started;
    for (const stream of [started.stdout, started.stderr])
      stream.setEncoding("utf8").on("data", (text: string) => {
        printed += text;
      });
    url = await until("the address of the dashboard", () => {
      if (started.exitCode !== null) throw new Error(printed);
      return /dashboard +(http:\/\/127\.0\.0\.1:\d+)\//.exec(printed)?.[1];
    });
    const curl = `"${programAt("curl")}" --fail-with-body "$@" || { code=$?; [ $code -ne 22 ] || echo "$*" >> "${refused}"; exit $code; }`;
    bash = new BashSession(copy, { curl: `#!/bin/sh\n${curl}\n` });
  }, PATIENCE_MS);

  afterAll(async () => {
    await bash?.close();
    await later?.stop();
    if (server !== undefined) await endGroup(server);
    if (copy !== "") rmSync(copy, { recursive: true, force: true });
  }, PATIENCE_MS);

  it("[Q18] the page is there, and the demo's stations are on it at once", async () => {
    expect(await (await fetch(`${url}/`)).text()).toContain("<title>");
    await until("the demo's readings", async () => {
      const { metrics } = await listed<{ metrics?: object }>("/v1/devices/Dongsi/latest");
      return metrics !== undefined && "PM2.5" in metrics ? true : undefined;
    });
  });

  /** What comes before a command that has this in it, as the documents say. */
  const awaited: Record<string, () => Promise<void>> = {
    "/ack": async () => {
      await until(
        "the webhook, printed by the receiver",
        () => bash.output.includes('"kind":"fire"') || undefined,
      );
      await until("the alert in the list", async () => {
        const { alerts } = await listed<{ alerts: unknown[] }>("/v1/alerts?state=active&rule=too-hot");
        return alerts.length === 1 || undefined;
      });
    },
    // Before the deletion, after which nothing is exported for a while.
    "-X DELETE": async () => {
      await endGroup(server!);
      server = undefined;
      const { port } = new URL(url);
      const vars = { TOKEN_SECRET: secretOf(copy), CHORES: "always", GRACE_MS: "0" };
      const state = join(copy, ".wrangler/state");
      later = await startLocal({
        port: Number(port),
        state,
        split: false,
        tenant: "demo",
        quiet: true,
        vars,
      });
      await until("the hours of the imported days in the archive", async () => {
        await later!.tick();
        const { files } = await listed<{ files: { kind: string }[] }>("/v1/archive?to=2016-01-01");
        return files.some(({ kind }) => kind === "hourly") || undefined;
      });
    },
  };

  it.each(pasted.map((block) => [block.place, block] as const))(
    "[Q18] %s runs and answers as it says",
    async (_, block) => {
      for (const [part, wait] of Object.entries(awaited)) if (block.text.includes(part)) await wait();
      const text = block.text.replace("http://127.0.0.1:8787", url).replaceAll("9000", String(receiverPort));
      const output = await bash.run(text);
      for (const answer of answersIn(block)) expect(output).toContain(answer);
      expect(readFileSync(refused, "utf8"), output).toBe("");
    },
    PATIENCE_MS,
  );

  it("[Q18] what they did is done: told, acknowledged, exported, imported, deleted", async () => {
    expect(bash.output).toMatch(/"state":"acknowledged".*"acknowledgedBy":"Ada"/);
    const lines = readFileSync(join(copy, "dongsi.csv"), "utf8").trimEnd().split("\r\n");
    expect(lines.slice(0, 2)).toEqual(["metric,at,value", "PM2.5,1450051200000,240"]);
    expect(lines).toHaveLength(1 + 5 * 24);
    let jobs: { kind: string; status: string }[] = [];
    const asFarAs = () => `the deletion, ${JSON.stringify(jobs)}`;
    const devices = await until(asFarAs, async () => {
      await later!.tick();
      ({ jobs } = await listed<{ jobs: typeof jobs }>("/v1/admin/jobs", "admin"));
      expect(jobs.map(({ kind }) => kind).sort()).toEqual(["delete", "import", "import", "replay"]);
      if (jobs.some(({ status }) => status !== "done")) return undefined;
      return (await listed<{ devices: { device: string }[] }>("/v1/devices")).devices;
    });
    expect(devices.map(({ device }) => device)).toContain("roof");
    expect(devices.map(({ device }) => device)).not.toContain("pump-1");
  });

  it.each(recipes.map(({ place, text }) => [place, text]))("[Q18] %s gives rows", async (_, text) => {
    const duck = await DuckDBInstance.create(":memory:");
    const connection = await duck.connect();
    try {
      const sql = text!.replaceAll(/'(raw|hourly)\//g, `'${copy}/$1/`);
      expect((await connection.runAndReadAll(sql)).getRows().length).toBeGreaterThan(0);
    } finally {
      connection.closeSync();
      duck.closeSync();
    }
  });
});
