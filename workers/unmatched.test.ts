import { expect, it } from "vitest";
import { api } from "./api/worker.ts";
import { ingest } from "./ingest/worker.ts";
import { unmatched } from "./unmatched.ts";

const at = (path: string, method: string) => new Request(`http://telltale.test${path}`, { method });

it.each([
  ["api", "/v1/devices/pump-1", "POST", "GET, PUT, DELETE"],
  ["api", "/v1/devices/pump-1/seal", "GET", "POST"],
  ["ingest", "/v1/telemetry", "GET", "POST"],
  ["ingest", "/v1/connect", "POST", "GET"],
] as const)("[Q9] %s: %s does not take %s, and says it takes %s", async (worker, path, method, allow) => {
  const request = at(path, method);
  const response = worker === "api" ? unmatched(api, request) : unmatched(ingest, request);
  expect(response.status).toBe(405);
  expect(response.headers.get("allow")).toBe(allow);
  expect(await response.json()).toMatchObject({ code: "method_not_allowed", status: 405 });
});

it("[Q9] an unknown address is 404, whatever the method", async () => {
  const response = unmatched(api, at("/v1/nothing", "POST"));
  expect(response.status).toBe(404);
  expect(await response.json()).toMatchObject({ code: "not_found" });
});
