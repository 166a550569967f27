// /v1/devices: the registry, the newest readings, the past.
import { type Context, Hono } from "hono";
import type * as z from "zod";
import { CONTENT_TYPES } from "../../../core/history/export-text.ts";
import { deleteQuery, listQuery } from "../../../schemas/http.ts";
import { BODY_BYTES_MAX } from "../../../schemas/limits.ts";
import { deviceName } from "../../../schemas/name.ts";
import {
  type DeviceEntry,
  deviceChange,
  type ExtentAnswer,
  exportQuery,
  historyQuery,
  type LatestAnswer,
  newDevice,
  newDevices,
} from "../../../schemas/query.ts";
import type { OwnRate } from "../../../schemas/tenant.ts";
import type { deviceRevokeAnswer } from "../../../schemas/token.ts";
import { nowMs, wallMs } from "../../clock.ts";
import { Problem } from "../../problem.ts";
import { readBody } from "../../read-body.ts";
import { readSettings } from "../../tenant.ts";
import { type ApiContext, noBody, requireRole } from "../caller.ts";
import type { ApiEnv } from "../env.ts";
import { exportHistory, formatOf } from "../export-history.ts";
import { readHistory } from "../history.ts";
import { keptAsRead } from "../kept-as-read.ts";
import { madeAsCsv, makeDevices, makeDevicesOfLines, nameIn, readDeviceLines } from "../make-devices.ts";
import { readJson } from "../read-json.ts";
import { withNewest } from "../read-newest.ts";
import { readHotDevices } from "../read-quota.ts";
import { readStored } from "../read-stored.ts";
import { readDevice, readDevices, writeDevice } from "../registry.ts";
import { revokeDevice } from "../revoke.ts";
import { roomFor, roomForAll } from "../room-for.ts";
import { markRevoked } from "../token-list.ts";
import { settingCode, validate, validateBody } from "../validate.ts";
import { accepted, deletionOf } from "./admin.ts";

export const devices = new Hono<ApiContext>();

/** Of five thousand devices, each with all that may be said of it. */
const MANY = { mostBytes: BODY_BYTES_MAX, remedy: "make them in several requests" };

const nameOf = (text: string) => validate(deviceName, text, "invalid_query");
const noSuchDevice = (device: string) =>
  new Problem("device_not_found", `no device ${device} has reported or is registered`);

/** @throws Problem `device_not_found`. */
async function known(env: ApiEnv, tenant: string, device: string): Promise<DeviceEntry> {
  const entry = await readDevice(env.CONTROL, tenant, device);
  if (entry === undefined) throw noSuchDevice(device);
  return entry;
}

/** @throws Problem `forbidden`: these are not the device's limits, which only an admin changes, as the tenant's. */
async function mayKeep(env: ApiEnv, tenant: string, device: string, limits: OwnRate | null): Promise<void> {
  const stored = (await readDevice(env.CONTROL, tenant, device))?.limits ?? null;
  const isSame = limits?.reportsPerSecond === stored?.reportsPerSecond && limits?.burst === stored?.burst;
  if (!isSame)
    throw new Problem(
      "forbidden",
      `limits: only an admin changes them; leave them out, or send them as GET has them`,
    );
}

/** What a device has to say that never reported, but is registered. */
const silent = ({ device, zone }: DeviceEntry): LatestAnswer => ({
  device,
  zone,
  connected: false,
  lastReceivedAt: null,
  reportEveryMs: null,
  metrics: {},
  clock: { behind: 0, ahead: 0 },
});

devices.get("/", requireRole("viewer", listQuery), async (c) => {
  const { newest, hot, ...asked } = c.var.query;
  const { tenant } = c.var.caller;
  if (hot) return c.json({ devices: await readHotDevices(c.env, tenant), next: null });
  const page = await readDevices(c.env.CONTROL, tenant, asked);
  return c.json(newest ? { ...page, devices: await withNewest(c.env, tenant, page.devices) } : page);
});

devices.post("/", requireRole("operator"), async (c) => {
  if (/^text\/csv\b/i.test(c.req.header("content-type") ?? "")) return await makeOfCsv(c);
  const body = await readJson(c.req.raw, undefined, MANY);
  const isMany = typeof body === "object" && body !== null && "devices" in body;
  const asked = isMany
    ? validate(newDevices, body, "invalid_body").devices
    : [validate(newDevice, body, settingCode)];
  const { tenant } = c.var.caller;
  await roomForAll(c.env, tenant, asked.map(nameIn));
  return c.json(await makeDevices(c.env.CONTROL, tenant, asked, nowMs(c.env, c.req.raw)));
});

/** What became of each line, as CSV for who would rather have that. */
async function makeOfCsv(c: Context<ApiContext>): Promise<Response> {
  const lines = await readDeviceLines(await readBody(c.req.raw, MANY));
  const { tenant } = c.var.caller;
  const names = lines.map((line) => ("value" in line ? nameIn(line.value) : null));
  await roomForAll(c.env, tenant, names);
  const made = await makeDevicesOfLines(c.env.CONTROL, tenant, lines, nowMs(c.env, c.req.raw));
  if (!/\btext\/csv\b/i.test(c.req.header("accept") ?? "")) return c.json(made);
  return c.body(madeAsCsv(made), 200, { "content-type": CONTENT_TYPES.csv });
}

devices.get("/:device", requireRole("viewer"), async (c) => {
  const device = nameOf(c.req.param("device"));
  return c.json(await known(c.env, c.var.caller.tenant, device));
});

devices.put("/:device", requireRole("operator"), async (c) => {
  const device = nameOf(c.req.param("device"));
  const {
    device: named,
    firstSeenAt,
    newestAt: _newest,
    reportsPerSecond: _hot,
    ...profile
  } = await validateBody(deviceChange, c.req.raw, settingCode);
  if (profile.gateway === device) {
    throw new Problem("invalid_body", `gateway: ${device} is not its own gateway; name another, or null`);
  }
  const { tenant } = c.var.caller;
  keptAsRead({ device: named }, { device }, ["device"]);
  if (firstSeenAt !== undefined) {
    const stored = (await readDevice(c.env.CONTROL, tenant, device)) ?? { firstSeenAt: null };
    keptAsRead({ firstSeenAt }, stored, ["firstSeenAt"]);
  }
  if (profile.limits !== undefined && c.var.caller.role !== "admin")
    await mayKeep(c.env, tenant, device, profile.limits);
  await roomFor(c.env, tenant, device, await readSettings(c.env.TENANT, tenant));
  const entry = await writeDevice(c.env.CONTROL, tenant, device, profile, nowMs(c.env, c.req.raw));
  const { zone, name, model, gateway, limits } = entry;
  await c.env.DEVICE.getByName(`${tenant}/${device}`).setProfile({ zone, name, model, gateway, limits });
  return c.json(entry);
});

devices.delete("/:device", requireRole("admin", deleteQuery), async (c) => {
  const device = nameOf(c.req.param("device"));
  const job = await deletionOf(c.env, c.var.caller.tenant, device, c.var.query.block);
  if (job === undefined) throw noSuchDevice(device);
  return accepted(c, job);
});

devices.post("/:device/revoke", requireRole("admin"), noBody, async (c) => {
  const device = nameOf(c.req.param("device"));
  const notBeforeMs = wallMs();
  const { tenant } = c.var.caller;
  await revokeDevice(c.env, tenant, device, { notBeforeMs });
  await markRevoked(c.env.CONTROL, tenant, { notBeforeMs, device }, notBeforeMs);
  return c.json({ device, notBefore: notBeforeMs } satisfies z.infer<typeof deviceRevokeAnswer>);
});

devices.get("/:device/latest", requireRole("viewer"), async (c) => {
  const device = nameOf(c.req.param("device"));
  const { tenant } = c.var.caller;
  const latest = await c.env.DEVICE.getByName(`${tenant}/${device}`).latest();
  return c.json(latest ?? silent(await known(c.env, tenant, device)));
});

devices.get("/:device/extent", requireRole("viewer"), async (c) => {
  const device = nameOf(c.req.param("device"));
  const { tenant } = c.var.caller;
  const [latest, stored] = await Promise.all([
    c.env.DEVICE.getByName(`${tenant}/${device}`).latest(),
    readStored(c.env, tenant, device),
  ]);
  if (latest === null) await known(c.env, tenant, device);
  for (const [metric, { at, value }] of Object.entries(latest?.metrics ?? {})) {
    if (at >= (stored.metrics.get(metric)?.at ?? 0)) stored.metrics.set(metric, { at, value });
  }
  const metrics = Object.fromEntries(stored.metrics);
  return c.json({ device, fromMs: stored.fromMs, metrics } satisfies ExtentAnswer);
});

devices.get("/:device/history", requireRole("viewer", historyQuery), async (c) => {
  const device = nameOf(c.req.param("device"));
  const { caller, query } = c.var;
  return c.json(await readHistory(c.env, caller.tenant, device, query, nowMs(c.env, c.req.raw)));
});

devices.get("/:device/history/export", requireRole("viewer", exportQuery), async (c) => {
  const device = nameOf(c.req.param("device"));
  const { caller, query } = c.var;
  const format = formatOf(query, c.req.header("accept") ?? "");
  return await exportHistory(c.env, {
    tenant: caller.tenant,
    device,
    query,
    format,
    nowMs: nowMs(c.env, c.req.raw),
  });
});

devices.post("/:device/seal", requireRole("operator"), noBody, async (c) => {
  const device = nameOf(c.req.param("device"));
  return c.json(await c.env.DEVICE.getByName(`${c.var.caller.tenant}/${device}`).seal());
});
