// /v1/zones and /v1/fleet: who is where, the live view of a zone, and the past of all devices together.
import { Hono } from "hono";
import { zoneName } from "../../../schemas/name.ts";
import { fleetHistoryQuery } from "../../../schemas/query.ts";
import { nowMs } from "../../clock.ts";
import { Problem } from "../../problem.ts";
import { type ApiContext, requireRole } from "../caller.ts";
import { readFleetHistory } from "../fleet-history.ts";
import { readZones } from "../registry.ts";
import { validate } from "../validate.ts";

export const zones = new Hono<ApiContext>();
export const fleet = new Hono<ApiContext>();

zones.get("/", requireRole("viewer"), async (c) =>
  c.json({ zones: await readZones(c.env.CONTROL, c.var.caller.tenant) }),
);

zones.get("/:zone/:view{snapshot|stream}", requireRole("viewer"), async (c) => {
  const zone = validate(zoneName, c.req.param("zone"), "invalid_query");
  return await stream(c.req.raw, c.req.param("view"), c.env.ZONE.getByName(`${c.var.caller.tenant}/${zone}`));
});

/** What an object shows, over the transport that the caller asks for; the object sees neither token. */
async function stream(request: Request, view: string, object: { fetch: typeof fetch }): Promise<Response> {
  const accepts = request.headers.get("accept") ?? "";
  const upgrades = request.headers.get("upgrade")?.toLowerCase() === "websocket";
  if (view === "stream" && !upgrades && !/text\/event-stream|\*\/\*/.test(accepts)) {
    throw new Problem(
      "upgrade_required",
      "a stream is a WebSocket, or server-sent events with `Accept: text/event-stream`",
    );
  }
  const headers = new Headers(request.headers);
  headers.delete("authorization");
  const url = new URL(request.url);
  url.searchParams.delete("access_token");
  return await object.fetch(new Request(url, { headers }));
}

zones.get("/:zone/history", requireRole("viewer"), async (c) => {
  const zone = validate(zoneName, c.req.param("zone"), "invalid_query");
  const query = validate(fleetHistoryQuery, c.req.query(), "invalid_query");
  return c.json(await readFleetHistory(c.env, c.var.caller.tenant, zone, query, nowMs(c.env, c.req.raw)));
});

fleet.get("/history", requireRole("viewer"), async (c) => {
  const query = validate(fleetHistoryQuery, c.req.query(), "invalid_query");
  return c.json(await readFleetHistory(c.env, c.var.caller.tenant, null, query, nowMs(c.env, c.req.raw)));
});

fleet.get("/stream", requireRole("viewer"), async (c) => {
  const answer = await stream(c.req.raw, "stream", c.env.FLEET.getByName(c.var.caller.tenant));
  if (answer.status === 503) {
    throw new Problem("unavailable", "the registry cannot answer right now; ask the same again");
  }
  return answer;
});

fleet.get("/", requireRole("viewer"), async (c) => {
  const { tenant } = c.var.caller;
  const found = await readZones(c.env.CONTROL, tenant);
  return c.json({ tenant, devices: found.reduce((sum, zone) => sum + zone.devices, 0), zones: found });
});
