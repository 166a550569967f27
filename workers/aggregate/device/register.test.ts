import { env } from "cloudflare:test";
import { expect, it } from "vitest";
import { newState } from "../../../core/device/state.ts";
import { defaultSettings } from "../../../schemas/tenant.ts";
import { T0 } from "../../test-support.ts";
import { register } from "./register.ts";

it("[A26] [D19] a device's first report brings what the registry says of it, its gateway too", async () => {
  const state = { ...newState("register", "d1", defaultSettings, T0), firstReceivedAt: T0 };
  expect(await register(env.CONTROL, state)).toEqual({
    zone: "default",
    name: null,
    model: null,
    gateway: null,
    limits: null,
  });
  await env.CONTROL.prepare(
    "INSERT INTO device (tenant, device, zone, created_at, gateway) VALUES ('register', 'd2', 'roof', 0, 'gate-1')",
  ).run();
  const known = await register(env.CONTROL, { ...state, device: "d2" });
  expect(known).toEqual({ zone: "roof", name: null, model: null, gateway: "gate-1", limits: null });
});
