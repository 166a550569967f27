// Owners make and list tenants, and from the answer to DELETE on nobody of one is heard or shown anything.
import { createExecutionContext, env } from "cloudflare:test";
import { expect, it, vi } from "vitest";
import type { ZoneFrame } from "../../schemas/live.ts";
import type { ServerFrame } from "../../schemas/reading.ts";
import type { TenantList } from "../../schemas/tenants.ts";
import type { IngestEnv } from "../ingest/env.ts";
import { ingest } from "../ingest/worker.ts";
import { bearer, problem, TestEvents, TestSocket } from "../test-support.ts";
import { answerOf, ask } from "./api-test-support.ts";

const owner = (path: string, method = "GET", body?: unknown) => ask("", "owner", path, { method, body });
const make = (body: object) => owner("/v1/tenants", "POST", body);

it("[I73] a tenant is made with settings, once; what is there already is said", async () => {
  const made = await make({ tenant: "new", settings: { limits: { devices: 3 } } });
  expect([made.status, made.headers.get("location")]).toEqual([201, "/v1/tenants/new"]);
  expect(await made.json()).toMatchObject({ tenant: "new", status: "active", devices: 0, deletedAt: null });
  expect(await answerOf(ask("new", "viewer", "/v1/tenant"))).toMatchObject({ limits: { devices: 3 } });
  await problem(make({ tenant: "new" }), 409, "conflict");
  // By a token of the secret, without an owner.
  await ask("by-token", "admin", "/v1/tenant", { method: "PUT", body: { commitEveryMs: 1 } });
  await problem(make({ tenant: "by-token", settings: { commitEveryMs: 9 } }), 409, "conflict");
  expect(await answerOf(ask("by-token", "viewer", "/v1/tenant"))).toMatchObject({ commitEveryMs: 1 });
  await problem(make({ tenant: "no/name" }), 400, "invalid_body");
  await problem(make({ tenant: "x", settings: { no: 1 } }), 400, "unknown_setting");
  await problem(owner("/v1/tenants/never"), 404, "tenant_not_found");
  await problem(owner("/v1/tenants/never", "DELETE"), 404, "tenant_not_found");
});

it("[I73] tenants are listed by name in pages, one that a device brought about among them, with how many devices each has", async () => {
  for (const tenant of ["p1", "p2", "p4"]) expect((await make({ tenant })).status).toBe(201);
  const devices = [{ device: "d1" }, { device: "d2" }];
  await ask("p3", "operator", "/v1/devices", { method: "POST", body: { devices } });
  const first = await answerOf<TenantList>(owner("/v1/tenants?after=p&limit=2"));
  expect([first.tenants.map(({ tenant }) => tenant), first.next]).toEqual([["p1", "p2"], "p2"]);
  const rest = await answerOf<TenantList>(owner(`/v1/tenants?after=${first.next}`));
  expect(rest.tenants.map(({ tenant, devices }) => [tenant, devices])).toEqual([
    ["p3", 2],
    ["p4", 0],
  ]);
  expect(rest.next).toBeNull();
});

it("[F43] what an owner changes is in the deployment's audit, and in no tenant's", async () => {
  await make({ tenant: "noted" });
  const { entries } = await answerOf<{ entries: object[] }>(
    owner("/v1/deployment/audit?target=/v1/tenants/noted"),
  );
  expect(entries).toMatchObject([{ action: "POST", role: "owner", target: "/v1/tenants/noted" }]);
  expect(await answerOf(ask("noted", "admin", "/v1/audit"))).toMatchObject({ entries: [] });
});

it("[I70] no admin makes an owner's token", async () => {
  await problem(
    ask("new", "admin", "/v1/tokens", { method: "POST", body: { role: "owner" } }),
    400,
    "invalid_body",
  );
});

it("[I71] sockets close, streams end, and reports are refused with the answer to DELETE", async () => {
  const context = createExecutionContext();
  const send = async (role: "device" | "gateway") =>
    await ingest.fetch(
      new Request("https://telltale.test/v1/telemetry", {
        method: "POST",
        headers: {
          ...(await bearer("over", role, role === "device" ? "d1" : undefined)),
          "content-type": "application/json",
        },
        body: JSON.stringify({ device: "d1", metrics: { a: 1 } }),
      }),
      env as unknown as IngestEnv,
      context,
    );
  expect((await send("device")).status).toBe(200);
  await vi.waitFor(async () => expect((await owner("/v1/tenants/over")).status).toBe(200), {
    timeout: 10_000,
  });
  const connect = new Request("https://telltale.test/v1/connect", {
    headers: {
      ...(await bearer("over", "device", "d1")),
      upgrade: "websocket",
      "sec-websocket-protocol": "telltale.v1",
    },
  });
  const socket = new TestSocket<ServerFrame>(
    await ingest.fetch(connect, env as unknown as IngestEnv, context),
  );
  const stream = new TestSocket<ZoneFrame>(
    await ask("over", "viewer", "/v1/zones/default/stream", {
      headers: { upgrade: "websocket", "sec-websocket-protocol": "telltale.v1" },
    }),
  );
  const events = new TestEvents(
    await ask("over", "viewer", "/v1/fleet/stream", { headers: { accept: "text/event-stream" } }),
  );

  expect((await owner("/v1/tenants/over", "DELETE")).status).toBe(202);
  expect(await Promise.all([socket.closed, stream.closed])).toEqual([4401, 4401]);
  await expect(
    (async () => {
      for (;;) await events.next();
    })(),
  ).rejects.toThrow("the stream ended");
  for (const role of ["device", "gateway"] as const) expect((await send(role)).status).toBe(401);
  await problem(ask("over", "viewer", "/v1/devices"), 401, "token_revoked");
});
