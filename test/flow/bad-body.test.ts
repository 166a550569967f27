// Bodies that are wrong as a whole: each gets a problem document that says what, how much is allowed, and what to do.
import { expect, it } from "vitest";
import { type BadBody, OF_UNKNOWN_TYPE, TOO_LARGE, UNREADABLE } from "./bad-bodies.ts";
import { problemOf } from "./tenant-client.ts";
import { eachSharedTopology } from "./topology.ts";

eachSharedTopology((server) => {
  const tenant = () => server.tenant("acme");
  const at = Date.now();

  it("[I14] good readings first, which nothing of what follows may touch", async () => {
    expect(await tenant().send({ at, metrics: { temp: 1, rpm: 2 } }, "pump-1")).toMatchObject({ stored: 2 });
  });

  it.each(UNREADABLE)("[I9] %s: %d %s", refused);
  it.each(TOO_LARGE)("[I13] %s: %d %s", refused);
  it.each(OF_UNKNOWN_TYPE)("[I14] %s: %d %s", refused);

  async function refused(...[_what, status, code, body, says, headers, problems]: BadBody): Promise<void> {
    const document = problemOf(await tenant().post(body, "pump-1", headers));
    expect(document).toMatchObject({ status, code, type: `urn:telltale:problem:${code}` });
    expect(document.detail).toMatch(says);
    expect(document.detail.length).toBeLessThan(500);
    if (problems !== undefined) expect(document.problems).toEqual(problems);
  }

  it("[I13] 10 MB of a stream whose length nobody said are cut off at the limit", async () => {
    const token = await tenant().token("device", "pump-1");
    const chunk = new TextEncoder().encode(" ".repeat(64 * 1024));
    let sent = 0;
    const body = new ReadableStream({
      pull: (controller) => {
        if (sent++ < 160) controller.enqueue(chunk);
        else controller.close();
      },
    });
    const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
    const init = { method: "POST", headers, body, duplex: "half" };
    const response = await fetch(`${tenant().url}/v1/telemetry`, init as RequestInit);
    expect(response.status).toBe(413);
    expect(await response.json()).toMatchObject({ code: "payload_too_large" });
  });

  it.each([
    ["GET", "/v1/telemetry", 405, "method_not_allowed", /takes POST, not GET/],
    ["POST", "/v1/connect", 405, "method_not_allowed", /takes GET, not POST/],
    ["PATCH", "/v1/devices/pump-1", 405, "method_not_allowed", /takes .*, not PATCH/],
    ["GET", "/v1/connect", 426, "upgrade_required", /WebSocket/],
    ["GET", "/v1/nothing", 404, "not_found", /openapi/],
  ])("[I9] %s %s is no way in: %d %s", async (method, path, status, code, says) => {
    const document = problemOf(await tenant().ask(path, { method, token: await tenant().token("gateway") }));
    expect(document).toMatchObject({ status, code, detail: expect.stringMatching(says) });
  });

  it("[I10] after all of it the server answers and has the good readings, and only those", async () => {
    expect(await tenant().readings("pump-1", "temp")).toEqual([[at, 1]]);
    expect(await tenant().send({ at: at + 1, metrics: { temp: 3 } }, "pump-1")).toMatchObject({ stored: 1 });
    expect(Object.keys((await tenant().latest("pump-1")).metrics).sort()).toEqual(["rpm", "temp"]);
  });
});
