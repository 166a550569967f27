// What an operator sets and asks: the tenant's settings, the queries' limits, and the contract as it is published.
import { readFile } from "node:fs/promises";
import { expect, it } from "vitest";
import { tenantSettings } from "../../schemas/tenant.ts";
import { openApiDocument } from "../../scripts/openapi.ts";
import { problemOf, type TenantClient } from "./tenant-client.ts";
import { eachSharedTopology } from "./topology.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

eachSharedTopology((server) => {
  const acme = () => server.tenant("acme");

  it("[S9] settings keep what a change does not name, and are the tenant's own", async () => {
    expect(tenantSettings.parse((await acme().get("/v1/tenant")).body)).toMatchObject({
      latenessHorizonMs: 7 * DAY_MS,
      commitEveryMs: 0,
    });
    const first = await acme().put("/v1/tenant", { commitEveryMs: 60_000 }, "admin");
    expect(first).toMatchObject({
      status: 200,
      body: { commitEveryMs: 60_000, latenessHorizonMs: 7 * DAY_MS },
    });
    await acme().put("/v1/tenant", { latenessHorizonMs: 2 * HOUR_MS, plan: "free" }, "admin");
    expect((await acme().get("/v1/tenant")).body).toMatchObject({
      commitEveryMs: 60_000,
      latenessHorizonMs: 2 * HOUR_MS,
      plan: "free",
    });
    expect((await server.tenant("rival").get("/v1/tenant")).body).toMatchObject({
      commitEveryMs: 0,
      plan: "paid",
    });
  });

  it.each([
    [{ latenessHorizonMs: 1 }, /latenessHorizonMs.*3600000/],
    [{ latenessHorizonMs: 91 * DAY_MS }, /latenessHorizonMs/],
    [{ commitEveryMs: -1 }, /commitEveryMs/],
    [{ commitEveryMs: 16 * 60_000 }, /commitEveryMs.*900000/],
    [{ plan: "golden" }, /plan/],
    [{ retention: { rawDays: 0, hourlyDays: 1, archiveDays: null } }, /retention\.rawDays/],
  ])("[S9] %j is out of its limits: 400, and nothing changes", async (change, says) => {
    const document = problemOf(await acme().put("/v1/tenant", change, "admin"));
    expect(document).toMatchObject({
      status: 400,
      code: "invalid_body",
      detail: expect.stringMatching(says),
    });
    expect((await acme().get("/v1/tenant")).body).toMatchObject({
      commitEveryMs: 60_000,
      latenessHorizonMs: 2 * HOUR_MS,
    });
  });

  it("[D20] [D3] a device that first reports under the new horizon refuses by it, and says which it is", async () => {
    const now = Date.now();
    const reports = [now - 3 * HOUR_MS, now - HOUR_MS].map((at) => ({ at, metrics: { temp: 1 } }));
    const answer = await acme().send(reports, "pump-1");
    expect(answer).toMatchObject({ stored: 1, refused: 1, problems: [{ index: 0, code: "too_old" }] });
    expect(answer.problems[0]!.message).toMatch(/lateness horizon \(0\.08\d* days\)/);
    expect(await server.tenant("rival").send(reports, "pump-1")).toMatchObject({ stored: 2, refused: 0 });
  });

  it.each([
    ["metric=temp&from=1500000000000&to=1400000000000", /not before/],
    ["metric=temp&from=yesterday", /from.*epoch ms or ISO 8601/],
    ["metric=temp&from=1500000000", /from.*seconds/],
    ["metric=temp&resolution=2m", /resolution/],
    ["metric=temp&source=tape", /source/],
    ["resolution=raw", /metric/],
    ["metric=temp&source=warm&resolution=raw", /hot or cold/],
    ["metric=temp&source=warm&resolution=5m", /hot or cold/],
  ])("[Q6] history?%s: 400, and what to ask instead", async (query, says) => {
    const document = problemOf(await acme().get(`/v1/devices/pump-1/history?${query}`));
    expect(document).toMatchObject({
      status: 400,
      code: "invalid_query",
      detail: expect.stringMatching(says),
    });
  });

  it("[Q4] auto is raw up to six hours, and the finest of about 1,500 points beyond", async () => {
    const to = Date.now();
    for (const [spanMs, resolution] of [
      [6 * HOUR_MS, "raw"],
      [7 * HOUR_MS, "1m"],
      [2 * DAY_MS, "5m"],
      [30 * DAY_MS, "1h"],
      [365 * DAY_MS, "1d"],
    ] as const) {
      expect(await acme().history("pump-1", { metric: "temp", from: to - spanMs, to })).toMatchObject({
        resolution,
      });
    }
  });

  it.each([
    ["not a name", 400, "invalid_query"],
    ["a".repeat(129), 400, "invalid_query"],
    ["nobody", 404, "device_not_found"],
  ])("[Q6] a device called %s: %d %s", async (device, status, code) => {
    const document = problemOf(await acme().get(`/v1/devices/${encodeURIComponent(device)}/latest`));
    expect(document).toMatchObject({ status, code });
  });

  it("[D19] what an operator says of a device is checked, and a device nobody knew is registered", async () => {
    const profile = { zone: "hall-1", name: "Press", location: { latitude: 91, longitude: 0 } };
    expect(problemOf(await acme().put("/v1/devices/press", profile))).toMatchObject({
      code: "invalid_body",
      detail: expect.stringMatching(/location\.latitude/),
    });
    const broken = { method: "PUT", token: await acme().token("operator"), body: '{"zone":' };
    expect(problemOf(await acme().ask("/v1/devices/press", broken))).toMatchObject({
      status: 400,
      code: "malformed_json",
    });
    expect((await acme().put("/v1/devices/press", { zone: "hall-1" })).body).toMatchObject({
      zone: "hall-1",
      firstSeenAt: null,
    });
    expect(await acme().send({ metrics: { force: 1 } }, "press")).toMatchObject({ stored: 1 });
    expect(await acme().latest("press")).toMatchObject({ zone: "hall-1" });
  });

  it("[Q20] every route refuses a parameter it does not take", async () => {
    const operations = Object.entries(openApiDocument().paths ?? {}).flatMap(([path, item]) =>
      Object.keys(item ?? {}).map((method) => [method.toUpperCase(), path] as const),
    );
    expect(operations.length).toBeGreaterThan(50);
    for (const [method, path] of [...operations, ["GET", "/local/session"] as const]) {
      const asked = { method, token: path.startsWith("/v1/") ? await tokenOf(path, acme()) : undefined };
      const answer = await acme().ask(
        `${path.replaceAll(/\{(\w+)\}/g, "some-$1")}?nonsense=1&commitEveryMs=0&limit=1`,
        asked,
      );
      expect([method, path, problemOf(answer)]).toMatchObject([
        method,
        path,
        { status: 400, code: "invalid_query", detail: expect.stringContaining('called "nonsense"') },
      ]);
    }
  });

  it("[Q8] every route is in /openapi.json and every path of it is a route", async () => {
    const served = (await acme().ask("/openapi.json")).body as ReturnType<typeof openApiDocument>;
    expect(served).toEqual(JSON.parse(JSON.stringify(openApiDocument())));
    const documented = Object.entries(served.paths ?? {}).flatMap(([path, item]) =>
      Object.keys(item ?? {}).map((method) => `${method.toUpperCase()} ${path}`),
    );
    expect(documented.sort()).toEqual((await routes()).sort());
    for (const operation of documented) {
      const [method, path] = operation.split(" ") as [string, string];
      const answer = await acme().ask(path.replaceAll(/\{(\w+)\}/g, "some-$1"), { method });
      expect([200, 401, 426], operation).toContain(answer.status); // it is there, and wants a token or a WebSocket
    }
  });
});

/** A token that the operation takes. */
const tokenOf = async (path: string, tenant: TenantClient) => {
  if (path === "/v1/telemetry" || path === "/v1/connect") return tenant.token("gateway");
  if (path === "/v1/claim") return `ttp_${"A".repeat(43)}`;
  return tenant.token(/^\/v1\/(tenants|deployment)\b/.test(path) ? "owner" : "admin");
};

/** `GET /v1/devices/{device}` …: as the Workers register them, from their source, for Node cannot load it. */
async function routes(): Promise<string[]> {
  const read = (path: string) => readFile(new URL(`../../workers/${path}`, import.meta.url), "utf8");
  const registered = (source: string, app: string) =>
    [...source.matchAll(new RegExp(`^${app}\\.(get|put|post|delete|patch)\\("([^"]+)"`, "gm"))].map(
      ([, method, path]) => [method!, path!],
    );
  const worker = await read("api/worker.ts");
  const found = [...registered(await read("ingest/worker.ts"), "ingest"), ...registered(worker, "api")];
  for (const [, base, app] of worker.matchAll(/^api\.route\("([^"]+)", (\w+)\)/gm)) {
    if (base === "/local") continue; // only of a local run, for the page it serves
    const [, file] = new RegExp(`import \\{[^}]*\\b${app}\\b[^}]*\\} from "\\./(routes/[\\w-]+\\.ts)"`).exec(
      worker,
    )!;
    found.push(
      ...registered(await read(`api/${file}`), app!).map(([method, path]) => [
        method!,
        base! + (path === "/" ? "" : path),
      ]),
    );
  }
  return found.flatMap(([method, path]) => {
    const [, before, choices] = /^(.*):\w+\{(\w+(?:\|\w+)+)\}$/.exec(path!) ?? [];
    const paths = choices === undefined ? [path!] : choices.split("|").map((choice) => before! + choice);
    return paths.map((each) => `${method!.toUpperCase()} ${each.replaceAll(/:(\w+)(\{[^}]*\})?/g, "{$1}")}`);
  });
}
