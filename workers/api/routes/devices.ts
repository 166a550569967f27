// /v1/devices: the registry, the newest readings, the past.
import { Hono } from "hono";
import { listQuery } from "../../../schemas/http.ts";
import { deviceName } from "../../../schemas/name.ts";
import { deviceProfile, exportQuery, historyQuery } from "../../../schemas/query.ts";
import { nowMs } from "../../clock.ts";
import { Problem } from "../../problem.ts";
import { type ApiContext, requireRole } from "../caller.ts";
import { exportHistory, formatOf } from "../export-history.ts";
import { readHistory } from "../history.ts";
import { readDevice, readDevices, writeDevice } from "../registry.ts";
import { validate, validateBody } from "../validate.ts";
import { accepted, deletionOf } from "./admin.ts";

export const devices = new Hono<ApiContext>();

const nameOf = (text: string) => validate(deviceName, text, "invalid_query");
const noSuchDevice = (device: string) =>
  new Problem("device_not_found", `no device ${device} has reported or is registered`);

devices.get("/", requireRole("viewer"), async (c) => {
  const { zone, after, limit } = validate(listQuery, c.req.query(), "invalid_query");
  return c.json(await readDevices(c.env.CONTROL, c.var.caller.tenant, { zone, after, limit }));
});

devices.get("/:device", requireRole("viewer"), async (c) => {
  const device = nameOf(c.req.param("device"));
  const entry = await readDevice(c.env.CONTROL, c.var.caller.tenant, device);
  if (entry === undefined) throw noSuchDevice(device);
  return c.json(entry);
});

devices.put("/:device", requireRole("operator"), async (c) => {
  const device = nameOf(c.req.param("device"));
  const profile = await validateBody(deviceProfile, c.req.raw);
  if (profile.gateway === device) {
    throw new Problem("invalid_body", `gateway: ${device} is not its own gateway; name another, or null`);
  }
  const { tenant } = c.var.caller;
  const entry = await writeDevice(c.env.CONTROL, tenant, device, profile, nowMs(c.env, c.req.raw));
  const { zone, name, model, gateway } = entry;
  await c.env.DEVICE.getByName(`${tenant}/${device}`).setProfile({ zone, name, model, gateway });
  return c.json(entry);
});

devices.delete("/:device", requireRole("admin"), async (c) => {
  const device = nameOf(c.req.param("device"));
  const job = await deletionOf(c.env, c.var.caller.tenant, device);
  if (job === undefined) throw noSuchDevice(device);
  return accepted(c, job);
});

devices.get("/:device/latest", requireRole("viewer"), async (c) => {
  const device = nameOf(c.req.param("device"));
  const latest = await c.env.DEVICE.getByName(`${c.var.caller.tenant}/${device}`).latest();
  if (latest === null) throw noSuchDevice(device);
  return c.json(latest);
});

devices.get("/:device/history", requireRole("viewer"), async (c) => {
  const device = nameOf(c.req.param("device"));
  const query = validate(historyQuery, c.req.query(), "invalid_query");
  return c.json(await readHistory(c.env, c.var.caller.tenant, device, query, nowMs(c.env, c.req.raw)));
});

devices.get("/:device/history/export", requireRole("viewer"), async (c) => {
  const device = nameOf(c.req.param("device"));
  const asked = { ...c.req.query(), metric: c.req.queries("metric") ?? [] };
  const query = validate(exportQuery, asked, "invalid_query");
  const format = formatOf(query, c.req.header("accept") ?? "");
  const { tenant } = c.var.caller;
  return await exportHistory(c.env, { tenant, device, query, format, nowMs: nowMs(c.env, c.req.raw) });
});

devices.post("/:device/seal", requireRole("operator"), async (c) => {
  const device = nameOf(c.req.param("device"));
  return c.json(await c.env.DEVICE.getByName(`${c.var.caller.tenant}/${device}`).seal());
});
