import { createExecutionContext } from "cloudflare:test";
import { expect, it } from "vitest";
import { apiEnv } from "../api-test-support.ts";
import { api } from "../worker.ts";

const ask = async (url: string, host?: string) => {
  const headers = host === undefined ? undefined : { host };
  const bindings = { ...apiEnv, LOCAL_TENANT: "local" };
  return (await api.fetch(new Request(url, { headers }), bindings, createExecutionContext())).status;
};

it.each([
  ["http://127.0.0.1:8787/local/session", "127.0.0.1:8787", 200],
  ["http://localhost:8787/local/session", "localhost:8787", 200],
  ["http://[::1]:8787/local/session", "[::1]:8787", 200],
  ["http://evil.example/local/session", "evil.example", 404],
  ["http://127.0.0.1/local/session", "evil.example", 404],
  ["http://evil.example/local/session", "127.0.0.1", 404],
  ["http://127.0.0.1/local/session", "", 404],
])("[I33] %s asked of host %s is %i", async (url, host, status) => {
  expect(await ask(url, host)).toBe(status);
});
