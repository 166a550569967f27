// Devices that come with a client certificate in place of a token: at both doors, until it is void.
import { createExecutionContext, env } from "cloudflare:test";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { ServerFrame } from "../../schemas/reading.ts";
import { answerOf, apiEnv, ask } from "../api/api-test-support.ts";
import { api } from "../api/worker.ts";
import { bearer, held, problem, TestSocket, upgrade } from "../test-support.ts";
import type { IngestEnv } from "./env.ts";
import { ingestEnv } from "./ingest-test-support.ts";
import { ingest } from "./worker.ts";

const SKI = "BB:AF:7E:02";
const DAY_MS = 86_400_000;
const own = { ...ingestEnv, CLIENT_CERT_ISSUER: SKI };

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"], now: Math.ceil(Date.now() / 1_000) * 1_000 });
});
afterEach(() => {
  vi.useRealTimers();
});
const later = (ms: number) => vi.setSystemTime(Date.now() + ms);

/** As the edge writes instants, which are of whole seconds. */
const textOf = (ms: number) => {
  const [, day, month, year, time] = new Date(ms).toUTCString().split(" ");
  return `${month} ${day} ${time} ${year} GMT`;
};

const certificate = (name: string, more: object = {}) => ({
  certPresented: "1",
  certVerified: "SUCCESS",
  certRevoked: "0",
  certIssuerSKI: SKI,
  certSubjectDNRFC2253: `CN=${name},O=Acme`,
  certNotBefore: textOf(Date.now()),
  certNotAfter: textOf(Date.now() + DAY_MS),
  ...more,
});

const requestOf = (request: Request, tlsClientAuth: object | undefined) =>
  new Request(request, tlsClientAuth === undefined ? {} : { cf: { tlsClientAuth } as never });
const sends = (tls: object | undefined, body: object, bindings: object = own, headers = {}) =>
  ingest.fetch(
    requestOf(
      new Request("https://telltale.test/v1/telemetry", {
        method: "POST",
        headers,
        body: new TextEncoder().encode(JSON.stringify(body)),
      }),
      tls,
    ),
    bindings as IngestEnv,
    createExecutionContext(),
  );
const connects = (tls: object) =>
  ingest.fetch(requestOf(upgrade("/v1/connect"), tls), own as IngestEnv, createExecutionContext());
const reading = (value: number, device?: string) => ({ device, metrics: { a: value } });
const revoke = (tenant: string, device: string) =>
  answerOf(ask(tenant, "admin", `/v1/devices/${device}/revoke`, { method: "POST" }));

it("[I68] a device is who its certificate says, over HTTPS and on a socket, and nobody else", async () => {
  const tls = certificate("mtls/d1");
  expect((await sends(tls, reading(1))).status).toBe(200);
  await problem(sends(tls, reading(1, "d2")), 403, "device_mismatch");
  later(1);
  const socket = new TestSocket<ServerFrame>(await connects(tls));
  socket.send({ type: "report", seq: 1, metrics: { a: 2 } });
  await socket.until(({ type }) => type === "ack");
  socket.close();
  expect((await held(env.DEVICE.getByName("mtls/d1"), "a")).map(([, value]) => value).sort()).toEqual([1, 2]);
  const asked = requestOf(new Request("https://telltale.test/v1/devices"), tls);
  await problem(
    api.fetch(asked, { ...apiEnv, ...own } as never, createExecutionContext()),
    401,
    "token_missing",
  );
});

it("[I68] it is asked only where the deployment names its issuer, not in a local run, and after a token", async () => {
  const tls = certificate("mtls-off/d1");
  for (const bindings of [ingestEnv, { ...own, CLIENT_CERT_ISSUER: "" }, { ...own, LOCAL_TENANT: "demo" }])
    await problem(sends(tls, reading(1), bindings), 401, "token_missing");
  await problem(sends(undefined, reading(1)), 401, "token_missing");
  await problem(sends(certificate("mtls-off/d1", { certPresented: "0" }), reading(1)), 401, "token_missing");
  await problem(sends(tls, reading(1), own, { authorization: "Bearer none" }), 401, "token_invalid");
  const headers = await bearer("mtls-off", "device", "d2");
  expect((await sends(tls, reading(1, "d2"), own, headers)).status).toBe(200);
  for (const wrong of [
    { certVerified: "FAILED:self signed certificate" },
    { certRevoked: "1" },
    { certIssuerSKI: "00" },
    { certSubjectDNRFC2253: "CN=d1" },
  ])
    await problem(sends({ ...tls, ...wrong }, reading(1)), 401, "token_invalid");
  later(DAY_MS);
  await problem(sends(tls, reading(1)), 401, "token_expired");
});

it("[I69] a revocation of the device refuses its certificate until there is a newer one, and ends its socket", async () => {
  const old = certificate("mtls-over/d1");
  const other = certificate("mtls-over/d2");
  expect((await sends(old, reading(1))).status).toBe(200);
  const socket = new TestSocket<ServerFrame>(await connects(old));
  socket.send({ type: "report", seq: 1, metrics: { a: 2 } });
  await socket.until(({ type }) => type === "ack");
  later(1_000);
  await revoke("mtls-over", "d1");
  expect(await socket.closed).toBe(4401);
  await problem(sends(old, reading(3)), 401, "token_revoked");
  await problem(connects(old), 401, "token_revoked");
  expect((await sends(other, reading(1))).status).toBe(200);
  later(1_000);
  expect((await sends(certificate("mtls-over/d1"), reading(4))).status).toBe(200);
  await problem(sends(old, reading(5)), 401, "token_revoked");
});

it("[I69] what voids all tokens of a tenant voids its devices' certificates", async () => {
  const old = certificate("mtls-all/d1");
  expect((await sends(old, reading(1))).status).toBe(200);
  await vi.waitFor(async () => expect((await ask("mtls-all", "viewer", "/v1/devices/d1")).status).toBe(200));
  later(1_000);
  await answerOf(ask("mtls-all", "admin", "/v1/tokens/revoke", { method: "POST" }));
  await problem(sends(old, reading(2)), 401, "token_revoked");
});

it("[I36] [I69] a socket ends with its certificate", async () => {
  const socket = new TestSocket<ServerFrame>(await connects(certificate("mtls-end/d1")));
  socket.send({ type: "report", seq: 1, metrics: { a: 1 } });
  await socket.until(({ type }) => type === "ack");
  later(DAY_MS);
  socket.send({ type: "report", seq: 2, metrics: { a: 2 } });
  expect(await socket.closed).toBe(4401);
  expect((await held(env.DEVICE.getByName("mtls-end/d1"), "a")).map(([, value]) => value)).toEqual([1]);
});
