// /v1/zones and /v1/fleet: who is where, the live view of a zone, and the past of all devices together.
import { Hono } from "hono";
import type { Caller } from "../../../core/token/verify.ts";
import { fleetStreamQuery, snapshotQuery, zoneStreamQuery } from "../../../schemas/http.ts";
import { zoneName } from "../../../schemas/name.ts";
import { fleetHistoryQuery, namesQuery } from "../../../schemas/query.ts";
import { withoutToken } from "../../authenticate.ts";
import { nowMs } from "../../clock.ts";
import { Problem } from "../../problem.ts";
import { type ApiContext, requireRole } from "../caller.ts";
import { readFleetHistory } from "../fleet-history.ts";
import { readNames } from "../names.ts";
import { readZones } from "../registry.ts";
import { roomForViewer } from "../room-for-viewer.ts";
import { validate } from "../validate.ts";

export const zones = new Hono<ApiContext>();
export const fleet = new Hono<ApiContext>();

const nameOf = (text: string) => validate(zoneName, text, "invalid_query");

zones.get("/", requireRole("viewer"), async (c) =>
  c.json({ zones: await readZones(c.env.CONTROL, c.var.caller.tenant) }),
);

zones.get("/:zone/snapshot", requireRole("viewer", snapshotQuery), async (c) => {
  const zone = nameOf(c.req.param("zone"));
  return await stream(
    c.req.raw,
    c.var.caller,
    "snapshot",
    c.env.ZONE.getByName(`${c.var.caller.tenant}/${zone}`),
  );
});

zones.get("/:zone/stream", requireRole("viewer", zoneStreamQuery), async (c) => {
  const zone = nameOf(c.req.param("zone"));
  await roomForViewer(c.env, c.var.caller.tenant, c.var.viewersMax, zone);
  return await stream(
    c.req.raw,
    c.var.caller,
    "stream",
    c.env.ZONE.getByName(`${c.var.caller.tenant}/${zone}`),
  );
});

/** What an object shows, over the transport that the caller asks for; the object sees no token, but when it was issued and expires. */
async function stream(
  request: Request,
  caller: Caller,
  view: string,
  object: { fetch: typeof fetch },
): Promise<Response> {
  const accepts = request.headers.get("accept") ?? "";
  const upgrades = request.headers.get("upgrade")?.toLowerCase() === "websocket";
  if (view === "stream" && !upgrades && !/text\/event-stream|\*\/\*/.test(accepts)) {
    throw new Problem(
      "upgrade_required",
      "a stream is a WebSocket, or server-sent events with `Accept: text/event-stream`",
    );
  }
  // What a stream would say costs a question to each device.
  if (view === "stream" && request.method === "HEAD")
    return new Response(null, {
      headers: { "content-type": "text/event-stream", "cache-control": "no-store" },
    });
  return await object.fetch(withoutToken(request, caller));
}

zones.get("/:zone/history", requireRole("viewer", fleetHistoryQuery), async (c) => {
  const zone = nameOf(c.req.param("zone"));
  const { caller, query } = c.var;
  return c.json(await readFleetHistory(c.env, caller.tenant, zone, query, nowMs(c.env, c.req.raw)));
});

fleet.get("/history", requireRole("viewer", fleetHistoryQuery), async (c) => {
  const { caller, query } = c.var;
  return c.json(await readFleetHistory(c.env, caller.tenant, null, query, nowMs(c.env, c.req.raw)));
});

fleet.get("/names", requireRole("viewer", namesQuery), async (c) =>
  c.json(await readNames(c.env, c.var.caller.tenant, c.var.query)),
);

fleet.get("/stream", requireRole("viewer", fleetStreamQuery), async (c) => {
  await roomForViewer(c.env, c.var.caller.tenant, c.var.viewersMax);
  return await stream(c.req.raw, c.var.caller, "stream", c.env.FLEET.getByName(c.var.caller.tenant));
});

fleet.get("/", requireRole("viewer"), async (c) => {
  const { tenant } = c.var.caller;
  const found = await readZones(c.env.CONTROL, tenant);
  return c.json({ tenant, devices: found.reduce((sum, zone) => sum + zone.devices, 0), zones: found });
});
