// Every command as its user runs it: its usage, what it says of a file, and of a server that is not there or is another.
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { JobAnswer } from "../../schemas/job.ts";
import { defaultSettings } from "../../schemas/tenant.ts";
import { runFile } from "./run-script.ts";

let folder = "";
let file = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "telltale-commands-"));
  file = join(folder, "rows.csv");
  await writeFile(file, "device,at,metric,value\nd1,2020-01-01T00:00:00Z,temp,1\n");
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

interface Answer {
  status?: number;
  body: string | object;
}

/** A server that answers by `answer`, and hangs where it gives none; gives its origin and what it was asked. */
async function serve(answer: (request: IncomingMessage) => Answer | undefined) {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    const given = answer(request);
    if (given === undefined) return;
    const { status = 200, body } = given;
    request.resume().on("end", () => {
      response.writeHead(status).end(typeof body === "string" ? body : JSON.stringify(body));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const close = () => {
    server.closeAllConnections();
    server.close();
  };
  closing.push(close);
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked, close };
}

const scripts = JSON.parse(await readFile(new URL("../../package.json", import.meta.url), "utf8")) as {
  scripts: Record<string, string>;
};
/** Those that run a file of ours and take arguments; `build` takes none. */
const COMMANDS = Object.entries(scripts.scripts).flatMap(([name, line]) => {
  const found = /^node (\S+\.ts)$/.exec(line)?.[1];
  return found === undefined || name === "build" ? [] : [[name, found] as const];
});

describe("usage", () => {
  it("[S29] is there for every command", () => {
    expect(COMMANDS.map(([name]) => name)).toEqual(
      expect.arrayContaining([
        "start",
        "token",
        "import",
        "replay",
        "replay-archive",
        "bench",
        "fault",
        "verify:beijing",
      ]),
    );
  });

  it.each(COMMANDS)(
    "[S29] npm run %s -- --help prints it, needs nothing, and all is well",
    async (_name, path) => {
      const { code, stdout, stderr } = await runFile(path, ["--help"]);
      expect([code, stdout, stderr]).toEqual([0, expect.stringMatching(/^usage: npm /), ""]);
    },
  );

  it.each(COMMANDS)(
    "[S29] npm run %s says it when it is given an option that it has not",
    async (_name, path) => {
      const { code, stdout, stderr } = await runFile(path, ["--sped", "3"]);
      expect([code, stdout, stderr]).toEqual([2, "", expect.stringMatching(/--sped.*usage: npm /s)]);
    },
  );

  it("[S29] data that is not there is asked for by --data, and by nothing before", async () => {
    const verify = await runFile("scripts/verify/beijing.ts", ["--data", folder]);
    expect([verify.code, verify.stderr]).toEqual([
      2,
      expect.stringMatching(/there is no beijing_air\.tgz in it/),
    ]);
    const help = await runFile("scripts/verify/beijing.ts", ["--data", folder, "--help"]);
    expect([help.code, help.stderr]).toEqual([0, ""]);
  });
});

it("[S29] every command looks for the run that is noted, and says when it is another program", async () => {
  const other = await serve(() => ({ status: 404, body: "<h1>Not found</h1>" }));
  const state = join(folder, "state");
  await mkdir(state, { recursive: true });
  const note = { pids: [process.pid], url: other.url, startedAt: Date.now() };
  await writeFile(join(state, "telltale-running.json"), JSON.stringify(note));
  const slice = new URL("../../demo/beijing_air_slice.csv.gz", import.meta.url).pathname;
  const ended = await Promise.all([
    runFile("scripts/import.ts", [file, "--state", state]),
    runFile("scripts/replay.ts", [slice, "--state", state]),
    runFile("scripts/replay.ts", [slice, "--door", "socket", "--state", state]),
    runFile("scripts/replay-archive.ts", ["--from", "2020-01-01", "--to", "2020-01-02", "--state", state]),
  ]);
  for (const { code, stderr } of ended) {
    expect(code).toBe(1);
    expect(stderr).toContain(`${other.url} is no Telltale: it answers GET /healthz with 404`);
  }
  expect(new Set(other.asked)).toEqual(new Set(["GET /healthz"]));
});

describe("files", () => {
  it("[S29] are looked at before the server is asked anything, all of them, and named", async () => {
    const server = await serve(() => ({ body: { status: "ok" } }));
    const empty = join(folder, "empty.csv");
    await writeFile(empty, "");
    for (const [path, args, reason] of [
      ["scripts/import.ts", [join(folder, "none.csv")], "none.csv: there is no such file"],
      ["scripts/import.ts", [file, empty], "empty.csv: it is empty"],
      ["scripts/replay.ts", [file], "rows.csv is no recording this program knows"],
    ] as const) {
      const { code, stderr } = await runFile(path, [...args, "--url", server.url]);
      expect([code, stderr]).toEqual([1, expect.stringContaining(reason)]);
    }
    expect(server.asked).toEqual([]);
  });
});

describe("Ctrl-C", () => {
  const times = { createdAt: 1, updatedAt: 1, finishedAt: null, error: null };
  const jobOf = (status: JobAnswer["status"]): JobAnswer => ({
    id: "job-1",
    kind: "import",
    status,
    spec: { zone: "default" },
    progress: { phase: "", done: 0, total: null, counts: {} },
    ...times,
  });
  /** A server that takes the import; `onPart` is called when the first part comes, `onLook` when the job is looked at. */
  const taking = ({ onPart = () => {}, onLook = () => {} }: { onPart?(): void; onLook?(): void }) =>
    serve(({ url, method }) => {
      if (url === "/healthz") return { body: { status: "ok" } };
      if (url === "/v1/tenant") return { body: defaultSettings };
      if (url?.includes("/parts/")) {
        onPart();
        return { status: 503, body: "" };
      }
      if (method === "GET") onLook();
      return { body: jobOf(url?.endsWith("/stop") ? "stopped" : method === "GET" ? "running" : "receiving") };
    });

  it("[S29] during the upload gives the import up, and says that nothing was stored", async () => {
    let interrupt = () => {};
    const server = await taking({ onPart: () => interrupt() });
    const { code, stdout, stderr } = await runFile(
      "scripts/import.ts",
      [file, "--url", server.url],
      (process) => {
        interrupt = () => process.kill("SIGINT");
      },
    );
    expect([code, stdout]).toEqual([130, ""]);
    expect(stderr).toMatch(/interrupted, so the import is given up: nothing was stored$/m);
    expect(server.asked.at(-1)).toBe("POST /v1/admin/jobs/job-1/stop");
    expect(server.asked.some((asked) => asked.endsWith("/start"))).toBe(false);
  });

  it.each([
    ["scripts/import.ts", "import"],
    ["scripts/replay-archive.ts", "replay-archive"],
  ])("[S29] while a job is watched (%s) ends the watching, and says how to go on", async (path, name) => {
    let interrupt = () => {};
    const server = await taking({ onLook: () => interrupt() });
    const where = ["--url", server.url, "--tenant", "acme"];
    const ended = await runFile(path, ["--watch", "job-1", ...where], (process) => {
      interrupt = () => process.kill("SIGINT");
    });
    expect(ended.code).toBe(0);
    expect(ended.stdout).toMatch(/import job-1 is running/);
    expect(ended.stderr).toMatch(/job-1 goes on on the server/);
    for (const option of ["--watch", "--stop", "--resume"])
      expect(ended.stderr).toContain(`npm run ${name} -- ${where.join(" ")} ${option} job-1`);
    expect(server.asked.filter((asked) => asked.startsWith("POST"))).toEqual([]);
    expect(ended.stderr).not.toMatch(/%/);
    expect(ended.stderr).toContain("waiting for the server's next turn");
  });

  it("[S29] a second one ends it at once; what npm passes on of the first is not a second one", async () => {
    let isInterrupted = false;
    const server = await serve(({ url }) =>
      url === "/healthz"
        ? { body: { status: "ok" } }
        : isInterrupted
          ? undefined // so that it cannot end by itself
          : { body: jobOf("running") },
    );
    let told = "";
    let soon: ReturnType<typeof setTimeout> | undefined;
    const args = ["--watch", "job-1", "--url", server.url];
    const { code } = await runFile("scripts/import.ts", args, (process) => {
      process.stderr!.on("data", (text: string) => {
        if (!isInterrupted) {
          isInterrupted = true;
          process.kill("SIGINT");
        }
        told += text;
        if (soon !== undefined || !told.includes("--resume job-1")) return;
        process.kill("SIGINT"); // npm's
        soon = setTimeout(() => process.kill("SIGINT"), 1_000);
      });
    });
    clearTimeout(soon);
    expect(code).toBe(130);
  });
});
