import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, it, vi } from "vitest";
import type { JobAnswer } from "../../schemas/job.ts";
import { defaultSettings } from "../../schemas/tenant.ts";
import { AdminClient } from "./admin-client.ts";
import { runImport } from "./run-import.ts";
import { showImport } from "./show-result.ts";

interface Verdicts {
  refused: number;
  problems: object[];
}

const NOW = Date.UTC(2026, 10, 22, 10);
const OLD = NOW - 100 * 86_400_000;

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "telltale-run-import-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

/** A server that takes everything but readings of -1; gives what it was asked for, and the bodies of recent rows. */
function serve({ limitedTo = Number.POSITIVE_INFINITY } = {}) {
  vi.useFakeTimers({ toFake: ["Date"], now: NOW });
  const asked: string[] = [];
  const bodies: string[] = [];
  const times = { createdAt: NOW, updatedAt: NOW, finishedAt: null };
  const progress = { phase: "", done: 0, total: null, counts: {} };
  const job = {
    id: "j",
    kind: "import",
    status: "running",
    spec: { zone: "z" },
    progress,
    error: null,
    ...times,
  };
  const answers: Record<string, (body: string) => unknown> = {
    "/v1/tenant": () => defaultSettings,
    "/v1/admin/import/j/parts/0": () => ({ readings: 1, refused: 0, problems: [] }),
    "/v1/telemetry": (body) => {
      bodies.push(body);
      const values = body
        .split("\n")
        .map((line) => (JSON.parse(line) as { metrics: { a: number } }).metrics.a);
      const problems = values.flatMap((value, index) =>
        value === -1 ? [{ index, code: "not_finite", message: "no" }] : [],
      );
      // The odd ones of the first ten are there already, and the even ones with another value.
      const early = values.filter((value) => value >= 0 && value < 10);
      const duplicate = early.filter((value) => value % 2 === 1).length;
      const corrected = early.length - duplicate;
      const stored = values.length - problems.length - early.length;
      return { stored, duplicate, corrected, late: 0, quarantined: 0, refused: problems.length, problems };
    },
  };
  vi.stubGlobal("fetch", async (url: string, { body }: RequestInit) => {
    const { pathname } = new URL(url);
    asked.push(pathname);
    if (pathname === "/v1/telemetry" && (body as string).split("\n").length > limitedTo) {
      const lines = (body as string).split("\n");
      const taken = answers[pathname]!(lines.slice(0, limitedTo).join("\n")) as Verdicts;
      const refused = taken.refused + lines.length - limitedTo;
      const limitedReports = [[limitedTo, lines.length]];
      const problems = [...taken.problems, { index: limitedTo, code: "rate_limited", message: "too fast" }];
      const headers = { "retry-after": "0" };
      return Response.json({ ...taken, refused, problems, limitedReports }, { status: 429, headers });
    }
    return Response.json(answers[pathname]?.(body as string) ?? job);
  });
  return { asked, bodies };
}

async function imported(rows: [at: number, value: number, more?: object][], strict = false) {
  const path = join(folder, "rows.ndjson");
  const lines = rows.map(([at, a, more]) => JSON.stringify({ device: "d", at, metrics: { a }, ...more }));
  await writeFile(path, lines.join("\n"));
  return await runImport({
    client: new AdminClient("http://server.test", "t"),
    files: [{ path, format: "ndjson" }],
    columns: {},
    zone: "z",
    gatewayToken: "g",
    strict,
    signal: new AbortController().signal,
    onProgress: () => undefined,
  });
}

const many = Array.from({ length: 1_500 }, (_, i): [number, number] => [NOW - i, i]);

it("[S28] the summary says what was new, known already and corrected, wherever it went; while the job runs, only what was sent", () => {
  const times = { createdAt: NOW, updatedAt: NOW, finishedAt: NOW };
  const counts = { devices: 1, stored: 100, duplicate: 375, corrected: 2, deleted: 0 };
  const job: JobAnswer = {
    id: "j",
    kind: "import",
    status: "done",
    spec: { zone: "z" },
    error: null,
    progress: { phase: "done", done: 480, total: 480, counts },
    ...times,
  };
  const result = { job, rows: 491, readings: 480, refused: 1, posted: 4, postedKnown: 5, postedCorrected: 1 };
  const text = showImport({ ...result, problems: [] }, job);
  expect(text.split("\n")[0]).toBe(
    "491 rows: 100 imported, 380 known already, 3 corrected, 4 posted, 3 given again in the files, where the later one counts, 1 refused",
  );
  const running = showImport({ ...result, problems: [] }, { ...job, status: "running" });
  expect(running.split("\n")[0]).toBe("491 rows: 480 readings uploaded, 10 posted, 1 refused");
});

it("[S20] [S28] recent rows are posted when everything else is uploaded, and then the import starts", async () => {
  const { asked, bodies } = serve();
  const result = await imported([...many, [OLD, 1]]);
  expect(result).toMatchObject({
    readings: 1,
    posted: 1_490,
    postedKnown: 5,
    postedCorrected: 5,
    refused: 0,
  });
  expect(asked.slice(2)).toEqual([
    "/v1/admin/import/j/parts/0",
    "/v1/telemetry",
    "/v1/telemetry",
    "/v1/admin/import/j/start",
  ]);
  expect(bodies.map((body) => body.split("\n").length)).toEqual([1_000, 500]);
});

it("[S20] strict, a row that cannot be taken stops it before a recent row is posted", async () => {
  const { asked } = serve();
  await expect(imported([...many, [Number.NaN, 1]], true)).rejects.toThrow(
    /rows.ndjson:1501: .*nothing was stored/,
  );
  expect(asked).not.toContain("/v1/telemetry");
  expect(asked.at(-1)).toBe("/v1/admin/jobs/j/stop");
});

it("[S20] strict, a recent row that the server refuses stops it, and what was posted by then is said", async () => {
  const { asked } = serve();
  await expect(imported([...many, [NOW, -1]], true)).rejects.toThrow(
    /rows.ndjson:1501: no; nothing was imported, but 1495 recent readings had been posted/,
  );
  expect(asked).not.toContain("/v1/admin/import/j/start");
});

it("[S20] a request of recent rows stays below what the server takes", async () => {
  const { bodies } = serve();
  const wide = Object.fromEntries(Array.from({ length: 60 }, (_, i) => [`${"x".repeat(60)}${i}`, i]));
  const rows = many
    .slice(0, 900)
    .map(([at, a]): [number, number, object] => [at, a, { metrics: { ...wide, a } }]);
  expect((await imported(rows)).posted).toBe(890);
  expect(bodies).toHaveLength(2);
  for (const body of bodies) expect(body.length).toBeLessThan(2_010_000);
});

it("[S38] recent rows are posted by their revision, the newest last, whatever their order in the files", async () => {
  const { bodies } = serve();
  await imported([
    [NOW, 1, {}],
    [NOW, 777, { revision: 10 }],
    [NOW, 10, { revision: 9 }],
    [NOW, 11, { revision: 9 }],
  ]);
  const values = bodies.flatMap((body) => body.split("\n").map((line) => JSON.parse(line)));
  expect(values.map(({ metrics }) => metrics.a)).toEqual([10, 11, 777, 1]);
  expect(Object.keys(values[0]).sort()).toEqual(["at", "device", "metrics"]);
});

it("[S39] what a line has that means nothing is named and refuses nothing; refusals come first", async () => {
  serve();
  const result = await imported([
    [OLD, 1, { unit: "C" }],
    [OLD, 2, { metrics: { a: "x", b: 1 } }],
  ]);
  expect(result).toMatchObject({ readings: 2, refused: 1 });
  expect(result.problems.map(({ place, code }) => [place.slice(-2), code])).toEqual([
    [":2", "not_a_number"],
    [":1", "unknown_field"],
  ]);
});

it("[S41] a reading that the file's own format says to be none is refused by its line, and stops a strict import", async () => {
  const path = join(folder, "comma.csv");
  await writeFile(path, `device;at;a;b\nd;${OLD};1.234,5;21,5\n`);
  const run = (strict: boolean) => {
    serve();
    return runImport({
      client: new AdminClient("http://server.test", "t"),
      files: [{ path, format: "csv" }],
      columns: {},
      zone: "z",
      gatewayToken: "g",
      strict,
      signal: new AbortController().signal,
      onProgress: () => undefined,
    });
  };
  expect(await run(false)).toMatchObject({
    readings: 1,
    refused: 1,
    problems: [{ place: `${path}:2`, code: "not_a_number" }],
  });
  await expect(run(true)).rejects.toThrow(/comma.csv:2: .*1.234,5.*nothing was stored/);
});

it("[F2] recent rows that came too fast are posted again, each once; a bad one among them is named by its line", async () => {
  const { bodies } = serve({ limitedTo: 4 });
  const rows = Array.from({ length: 10 }, (_, i): [number, number] => [NOW - i, i === 5 ? -1 : 100 + i]);
  const result = await imported(rows);
  expect(bodies.map((body) => body.split("\n").length)).toEqual([4, 4, 2]);
  expect(result).toMatchObject({ posted: 9, refused: 1 });
  expect(result.problems).toEqual([
    { place: expect.stringMatching(/:6$/), code: "not_finite", message: "no" },
  ]);
});
