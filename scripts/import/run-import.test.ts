import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, it, vi } from "vitest";
import { defaultSettings } from "../../schemas/tenant.ts";
import { AdminClient } from "./admin-client.ts";
import { runImport } from "./run-import.ts";

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
function serve() {
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
      return { stored: values.length - problems.length, refused: problems.length, problems };
    },
  };
  vi.stubGlobal("fetch", async (url: string, { body }: RequestInit) => {
    const { pathname } = new URL(url);
    asked.push(pathname);
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
    columns: {
      deviceColumn: "device",
      atColumns: ["at"],
      metricColumn: "metric",
      valueColumn: "value",
    } as never,
    zone: "z",
    gatewayToken: "g",
    strict,
    signal: new AbortController().signal,
    onProgress: () => undefined,
  });
}

const many = Array.from({ length: 1_500 }, (_, i): [number, number] => [NOW - i, i]);

it("[S20] recent rows are posted when everything else is uploaded, and then the import starts", async () => {
  const { asked, bodies } = serve();
  const result = await imported([...many, [OLD, 1]]);
  expect(result).toMatchObject({ readings: 1, posted: 1_500, refused: 0 });
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
    /rows.ndjson:1501: no; nothing was imported, but 1500 recent readings had been posted/,
  );
  expect(asked).not.toContain("/v1/admin/import/j/start");
});

it("[S20] a request of recent rows stays below what the server takes", async () => {
  const { bodies } = serve();
  const wide = Object.fromEntries(Array.from({ length: 60 }, (_, i) => [`${"x".repeat(60)}${i}`, i]));
  const rows = many
    .slice(0, 900)
    .map(([at, a]): [number, number, object] => [at, a, { metrics: { ...wide, a } }]);
  expect((await imported(rows)).posted).toBe(900);
  expect(bodies).toHaveLength(2);
  for (const body of bodies) expect(body.length).toBeLessThan(2_010_000);
});
