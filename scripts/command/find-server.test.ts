import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, it, vi } from "vitest";
import { findServer } from "./find-server.ts";
import { UsageError } from "./run-command.ts";

let state = "";
beforeAll(async () => {
  state = await mkdtemp(join(tmpdir(), "telltale-find-"));
});
afterAll(() => rm(state, { recursive: true, force: true }));
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

/** What is asked, and what answers. */
function answering(answer: () => Response | Error) {
  const asked: string[] = [];
  vi.stubGlobal("fetch", async (url: string) => {
    asked.push(url);
    const given = answer();
    if (given instanceof Error) throw given;
    return given;
  });
  return asked;
}
const well = () => Response.json({ status: "ok" });
const refused = () => new TypeError("fetch failed", { cause: new Error("connect ECONNREFUSED") });

async function noted(name: string, url: string): Promise<string> {
  const folder = join(state, name);
  await mkdir(folder, { recursive: true });
  const note = { pids: [process.pid], url, startedAt: Date.now() };
  await writeFile(join(folder, "telltale-running.json"), JSON.stringify(note));
  return folder;
}

it("[S29] --url, else the local run that is noted in the state folder, else where it is by default", async () => {
  const asked = answering(well);
  const running = await noted("running", "http://127.0.0.1:4711");
  expect(await findServer({ url: "https://t.example.com/", state: running })).toBe("https://t.example.com");
  expect(await findServer({ state: running })).toBe("http://127.0.0.1:4711");
  expect(await findServer({ state: join(state, "none") })).toBe("http://127.0.0.1:8787");
  expect(asked).toEqual(
    ["https://t.example.com", "http://127.0.0.1:4711", "http://127.0.0.1:8787"].map(
      (url) => `${url}/healthz`,
    ),
  );
});

it("[S29] where nobody answers, the URL, the state folder and the remedy are said", async () => {
  answering(refused);
  const none = join(state, "none");
  await expect(findServer({ state: none })).rejects.toThrow(
    /^http:\/\/127.0.0.1:8787 does not answer \(connect ECONNREFUSED\): no local run is noted in .*none; start one with npm start, .*--url.*--state/,
  );
  const gone = await noted("gone", "http://127.0.0.1:4711");
  await expect(findServer({ state: gone })).rejects.toThrow(
    new RegExp(`4711 does not answer .*the local run on .*gone \\(pid ${process.pid}\\) .*--url`),
  );
  await expect(findServer({ url: "http://127.0.0.1:1", state: none })).rejects.toThrow(/is --url right\?$/);
  await expect(findServer({ state: await noted("starting", "") })).rejects.toThrow(/still starting/);
  await expect(findServer({ url: "8787", state: none })).rejects.toThrow(UsageError);
});

it("[S29] a server on this machine that is busy is waited for, and that is said", async () => {
  vi.useFakeTimers();
  const said = vi.spyOn(console, "error").mockImplementation(() => undefined);
  let answer = (_: Response) => {};
  vi.stubGlobal("fetch", () => new Promise<Response>((resolve) => (answer = resolve)));
  const found = findServer({ url: "http://127.0.0.1:4711", state });
  await vi.advanceTimersByTimeAsync(1_999);
  expect(said).not.toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(1);
  expect(said).toHaveBeenCalledWith(
    "http://127.0.0.1:4711 takes the connection and is slow to answer; waiting",
  );
  answer(well());
  expect(await found).toBe("http://127.0.0.1:4711");
});

it("[S29] a server that says nothing, or is another program, is told from a Telltale", async () => {
  const url = "http://127.0.0.1:4711";
  answering(() => Object.assign(new Error("timed out"), { name: "TimeoutError" }));
  await expect(findServer({ url, state })).rejects.toThrow(/4711 does not answer within 20 s/);
  await expect(findServer({ url: "https://t.example.com", state })).rejects.toThrow(
    /does not answer within 2 s/,
  );
  answering(() => new Response("<h1>Not found</h1>", { status: 404 }));
  await expect(findServer({ url, state })).rejects.toThrow(
    /is no Telltale: it answers GET \/healthz with 404/,
  );
  // The ingest Worker alone has no such address.
  answering(() => Response.json({ type: "urn:telltale:problem:not_found" }, { status: 404 }));
  expect(await findServer({ url, state })).toBe(url);
});
